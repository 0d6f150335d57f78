"""The ticks of the loop, which are the built-in probe: often while something happens, rarely while nothing can."""

import asyncio
import threading
from collections.abc import Callable

from pytest_noblock.engine.now import now
from pytest_noblock.engine.other_threads import others_so_far

_MS = 1_000_000
_OFTEN_NS = 5 * _MS
"""The grain of what is counted from tick to tick: `PoolUse.taken` and `Wait.waited_ns`."""
_OFTEN_AT_FIRST = 20
"""The first 20 ticks of a run come every 5 ms, whatever happens: in these 100 ms a short request ends."""
_LATER_NS = 25 * _MS
_IDLE_NS = 4 * _LATER_NS
"""A tick wakes a process that may sleep, which costs it 0.1 to 0.3 ms: 1 % of a processor is what all may take."""
_WORKING_NS = 500_000
"""CPU ns. Other threads that burned less between two ticks did not keep the GIL."""


class LoopTicks:
    """A timer on the running loop: each tick is one callback, and no task.

    The due time of a tick is fixed before it comes, so that a late one shows that the
    loop could not turn. A tick is idle when no step of a request began since the
    tick before, `sample` found nothing under way and no other thread worked or was started:
    then nothing can hold the loop, and the next tick is 100 ms off. The next step of a
    request calls `wake`, which brings the tick forward before that step can hold the loop.

    Make it before the request starts its first thread: threads that are there already
    count as strangers. All methods run on the loop thread.
    """

    def __init__(self, ticked: Callable[[int], None], sample: Callable[[], bool]) -> None:
        """In each tick `ticked` gets the time (ns) at which the tick was due.

        Then `sample` is called; it returns whether ticks are needed often.
        """
        self.failure: Exception | None = None
        """What `sample` raised; there are no ticks after that."""
        self._ticked = ticked
        self._sample = sample
        self._loop = asyncio.get_running_loop()
        self._strangers = set(threading.enumerate())
        self._others_cpu = others_so_far()
        self._number = 0
        self._often = True
        """What `sample` returned last."""
        self._step_began = True
        """Whether a step of a request began since the last tick."""
        self._idle = False
        """Whether the timer is set for an idle tick, which `wake` brings forward."""
        self.due = now() + _OFTEN_NS
        """When the next tick is due (ns); in `sample`, when the present one was."""
        self._timer = self._armed()

    def wake(self) -> None:
        """A step of a request begins. Every such step calls this: nothing costly here."""
        self._step_began = True
        if self._idle:
            self._idle = False
            self._timer.cancel()
            self.due = min(self.due, now() + _OFTEN_NS)
            self._timer = self._armed()

    def stop(self) -> None:
        """No tick comes after this. Ticks that fell due and did not come are reported now: they waited until now."""
        self._idle = False
        self._timer.cancel()
        while self.due < now():
            self._ticked(self.due)
            self._advance()

    def _tick(self) -> None:
        self._ticked(self.due)
        try:
            self._often = self._sample()
        except Exception as error:  # noqa: BLE001  # the error is ours: the app's loop must not get it
            self.failure = error
            return
        self._advance()
        if self.due > now():  # else the ticks that fell due meanwhile come first, each in a turn of its own
            self._rest_if_idle()
        self._timer = self._armed()

    def _rest_if_idle(self) -> None:
        self._idle = not (self._step_began or self._often or self._threads_work())
        self._step_began = False
        if self._idle:
            self.due += _IDLE_NS - _LATER_NS

    def _advance(self) -> None:
        self._number += 1
        self.due += _OFTEN_NS if self._often or self._number < _OFTEN_AT_FIRST else _LATER_NS

    def _armed(self) -> asyncio.TimerHandle:
        return self._loop.call_later(max(0, self.due - now()) / 1e9, self._tick)

    def _threads_work(self) -> bool:
        """Whether other threads burned CPU since the last call, or one has been started since the run began."""
        before, self._others_cpu = self._others_cpu, others_so_far()
        return self._others_cpu - before > _WORKING_NS or not self._strangers.issuperset(threading.enumerate())
