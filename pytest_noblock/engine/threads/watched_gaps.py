"""Gaps of watched tests: while a request is under way and no step runs, the watchdog asks for the GIL now and then.

Nothing of ours runs on the loop thread between two steps, and the loop is the test's own. But a thread that keeps the
GIL from the loop thread keeps it from the watchdog as well. All of it runs on the watchdog's thread, which has the GIL
right after the C call that kept it.
"""

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from pytest_noblock.engine.clocks import Clock, queued, voluntary_switches
from pytest_noblock.engine.current_frames import current_frames
from pytest_noblock.engine.exchange import LiveExchange, record_of
from pytest_noblock.engine.frameworks import starlette
from pytest_noblock.engine.now import now
from pytest_noblock.engine.raw_stacks import RawFrame, capture
from pytest_noblock.engine.stacks import as_stack
from pytest_noblock.engine.steps.python_threads import (
    Marks,
    PythonThreads,
    burned_by_one_that_ended,
    is_the_apps,
    read_clocks,
)
from pytest_noblock.engine.usercode import PACKAGE, UserCode
from pytest_noblock.model.frames import Stack, user_frame

if TYPE_CHECKING:
    from pytest_noblock.model.concurrency import Gap

_KEPT_NS = 1_000_000_000
"""So long after its return a request is still looked at: a late wake asks who was under way when it was due."""
_MOST_GAPS = 100
_MOST_THREADS = 8
"""Threads of a gap that are kept: those that burned most."""
_OFTEN = 20
"""So many times the watchdog wakes after `after` while the same requests are under way, later after twice that. It
keeps the GIL for 30 to 60 us each time: half a per cent of the time at 10 ms."""


_ONE_IN = 10
"""A thread that keeps the GIL and computes does so for one in so many ns at least; see `judge.gil_waits`."""
_FRAMES_OF_START = 8
"""`Thread.start`, and what it waits in, are so many frames at most, before our wrappers around it come."""


class UnderWay(NamedTuple):
    """A request that has entered the app."""

    record: LiveExchange
    ident: int
    """`threading.get_ident()` of the thread that runs it."""
    loop: asyncio.AbstractEventLoop | None
    """None where it is no asyncio loop."""

    def at(self, moment: int) -> bool:
        """Whether it is under way then (ns)."""
        return self.record.sent <= moment and not self.over_by(moment)

    def over_by(self, moment: int) -> bool:
        """Whether it had returned by then (ns)."""
        returned = self.record.returned
        return returned is not None and returned <= moment


class _Thread(NamedTuple):
    """One thread in a gap."""

    cpu: int
    """ns, a lower bound: what it burned while the watchdog waited."""
    frames: list[RawFrame]
    is_the_apps: bool
    runs_loop: bool
    """Whether it is the loop thread of a request under way: it cannot keep the GIL from itself."""
    is_tests: bool = False
    """Whether it runs the tests."""


class _RawGap(NamedTuple):
    """A wait of the watchdog; times in ns."""

    due: int
    ended: int
    switches: int
    asleep: int
    others_cpu: int
    threads: list[_Thread]
    awaits: list[tuple[int, list[RawFrame]]]
    """Where the requests wait: the numbers of their exchanges, and the await chains of their tasks or, where the loop
    thread is in a step, its stack; the `def` of the endpoint. Those that wait for a worker come first."""
    computed: int | None
    """ns, an upper bound: what the whole process computed; None where nobody knows."""
    collected: int
    """ns that full collections took of that, which are nobody's."""

    @property
    def idle(self) -> bool:
        """Whether the process computed next to nothing: a thread kept the GIL and slept."""
        return self.computed is not None and _ONE_IN * self.computed < self.asleep

    @property
    def shared(self) -> int:
        """ns that several threads may have computed in turns, none of them for long."""
        return 0 if self.computed is None else max(0, min(self.asleep, self.computed - self.collected))


class WatchedGaps:
    """The gaps of one watched test in which the watchdog waited `after` ns and longer."""

    def __init__(
        self, after: int, requests: Callable[[int], Sequence[UnderWay]], marks: Callable[[], Sequence[Marks | None]]
    ) -> None:
        """`requests`: all but the first so many. `marks`: the CPU time of the threads when the last steps began."""
        self._after = after
        self._requests = requests
        self._known = 0
        """So many requests have been looked at."""
        self._open: list[UnderWay] = []
        """Those of them that were under way not long ago: a test may make thousands."""
        self._marks_of_steps = marks
        self._marks: Marks | None = None
        """At its last wake; before the first one, those of `begin`."""
        self._gaps: list[_RawGap] = []
        self._under_way: set[int] = set()
        self._over: list[UnderWay] = []
        """Those that are over, and whose last turn goes on."""
        self._wakes = 0
        self.also: list[Callable[[Sequence[UnderWay]], object]] = []
        """Called at each wake as well, with the requests under way; with those that are just over where none is. A true
        answer asks for another wake."""

    def begin(self, threads: PythonThreads) -> None:
        """The first request enters, on a loop thread whose steps mark the threads. The rest is the watchdog's.

        The first wait may end after several steps have begun, and marked anew.
        """
        if self._marks is None:
            threads.step_begins(now())
            self._marks = threads.marks

    def woke(self, due: int, ended: int, clock: Clock, delay: bytes, switches: int) -> None:
        """See `BetweenSteps`."""
        with suppress(Exception):  # the loop goes on once this thread lets go of the GIL: a set may change its size
            self._note(due, ended, clock, delay, switches)
        self._marks = read_clocks(now())

    def _note(self, due: int, ended: int, clock: Clock, delay: bytes, switches: int) -> None:
        asleep = ended - due - queued(clock.delay()) + queued(delay) if ended - due >= self._after else 0
        if asleep >= self._after and len(self._gaps) < _MOST_GAPS:
            stacks = {ident: capture(frame) for ident, frame in current_frames().items()}
            under_way = self._at(due)
            awaits = [each for request in under_way for each in _awaits(request)]
            woken = voluntary_switches() - switches - 1  # the timer is no wait in vain
            if under_way:
                marks, present = self._marks_before(due), read_clocks(now())
                threads = self._threads(due, stacks, under_way, marks, present) if marks and present else []
                others = sum(each.cpu for each in threads)
                computed = _computed(due, marks, present) if marks and present else None
                collected = present.collected - marks.collected if marks and present else 0
                awaits = [*sorted(awaits, key=_waits_for_no_worker), *_endpoints(under_way)]
                most = threads[:_MOST_THREADS]
                self._gaps.append(_RawGap(due, ended, woken, asleep, others, most, awaits, computed, collected))

    def _at(self, moment: int) -> list[UnderWay]:
        """The requests under way then (ns)."""
        new = self._requests(self._known)
        self._known += len(new)
        self._open = [each for each in (*self._open, *new) if not each.over_by(moment - _KEPT_NS)]
        return [each for each in self._open if each.at(moment)]

    def again(self) -> int:
        """In how many ns the watchdog is to wake again; 0 while no request is under way."""
        moment = now()
        requests = self._at(moment)
        under_way = {each.record.number for each in requests}
        if under_way != self._under_way:
            self._under_way, self._wakes = under_way, 0
        self._wakes += 1
        goes_on, seen = False, requests or self._over or self._just_over(moment)
        for look in self.also:
            with suppress(Exception):  # as in `woke`
                goes_on |= bool(look(seen))
        self._over = seen if goes_on and not under_way else []
        if not under_way:
            return self._after if goes_on else 0
        return self._after if self._wakes <= _OFTEN else 2 * self._after

    def _just_over(self, moment: int) -> list[UnderWay]:
        """The turn in which a request ended may go on: the loop lets go of what the request leaves, as a result."""
        return [each for each in self._open if not each.over_by(moment - 2 * self._after)]

    def _marks_before(self, due: int) -> Marks | None:
        """The last ones that were made by then (ns)."""
        before = (each for each in (self._marks, *self._marks_of_steps()) if each is not None and each.at <= due)
        return max(before, key=lambda each: each.at, default=None)

    @staticmethod
    def _threads(
        due: int, stacks: dict[int, list[RawFrame]], under_way: Sequence[UnderWay], marks: Marks, present: Marks
    ) -> list[_Thread]:
        """The threads that burned while the watchdog waited from `due` on, the one that burned most first."""
        loops, runners = [each.loop for each in under_way], {each.ident for each in under_way}
        threads = [
            _Thread(
                _burned(thread, cpu, due, marks),
                stacks.get(thread.ident or 0, []),
                _works(thread, loops),
                thread.ident in runners,
                thread is threading.main_thread(),
            )
            for thread, cpu in present.cpu.items()
        ]
        gone = burned_by_one_that_ended(marks, present) - (due - marks.at)  # it may have burned before, too
        threads.append(_Thread(max(0, gone), [], is_the_apps=True, runs_loop=False))
        return sorted((each for each in threads if each.cpu), key=lambda each: -each.cpu)

    def gaps(self, user: UserCode) -> "tuple[Gap, ...]":
        """All gaps in which an app's thread burned most, or nobody burned, once the test is over."""
        return tuple(_gaps(self._gaps, user))

    def __bool__(self) -> bool:
        return bool(self._gaps)


def _computed(due: int, marks: Marks, present: Marks) -> int:
    """CPU (ns) of the whole process after `due`: collections and native threads as well, and the watchdog.

    Before `due` one thread had the GIL, and may have computed all the time since the marks.
    """
    all_since = present.process + present.collected - marks.process - marks.collected
    return max(0, all_since - (due - marks.at))


def _burned(thread: threading.Thread, cpu: int, due: int, marks: Marks) -> int:
    """What the thread burned after `due`, at least: before that it may have burned all the time since the marks."""
    born: int = getattr(thread, "noblock_born", 0)
    since = max(marks.at, born)
    return max(0, cpu - marks.cpu.get(thread, 0) - max(0, due - since))


def _works(thread: threading.Thread, loops: Sequence[object]) -> bool:
    """Whether the thread is known to work for the app. anyio's workers (4.9 to 4.16) have their loop in `loop`."""
    loop = vars(thread).get("loop")
    return is_the_apps(thread) or (loop is not None and any(loop is each for each in loops))


def _awaits(request: UnderWay) -> Iterator[tuple[int, list[RawFrame]]]:
    from pytest_noblock.engine.threads.await_chains import await_chain  # most tests have no gap

    record, ident, loop = request
    running = asyncio.current_task(loop) if loop is not None else None
    if running is not None and record_of(running) is record:
        yield record.number, _in_step(ident)
    for task in asyncio.all_tasks(loop) if loop is not None else ():
        if task is not running and record_of(task) is record:
            yield record.number, await_chain(task)


def _endpoints(under_way: Sequence[UnderWay]) -> Iterator[tuple[int, list[RawFrame]]]:
    for record in (each.record for each in under_way):
        endpoint = starlette.endpoint_def(record)
        if endpoint is not None:
            yield record.number, [endpoint]


def _in_step(ident: int) -> list[RawFrame]:
    """The stack of a loop thread that starts a thread, from the call on. The new thread took the GIL at once."""
    frame = top = current_frames().get(ident)
    for _ in range(_FRAMES_OF_START):
        if frame is not None and frame.f_code.co_filename.startswith(PACKAGE):
            while frame is not None and frame.f_code.co_filename.startswith(PACKAGE):
                frame = frame.f_back
            return capture(frame)
        frame = frame.f_back if frame is not None else None
    return capture(top)


def _waits_for_no_worker(awaits: tuple[int, list[RawFrame]]) -> bool:
    from pytest_noblock.engine.threads.await_chains import WAITS_FOR_WORKER

    _number, frames = awaits
    return not frames or frames[0][0].co_name not in WAITS_FOR_WORKER


def _gaps(raw: Sequence[_RawGap], user: UserCode) -> "Iterator[Gap]":
    from pytest_noblock.model.concurrency import Gap, Worker

    for gap in raw:
        apps = [each for each in gap.threads if not each.runs_loop and (each.is_the_apps or _runs_app(each, user))]
        strangers = max((each.cpu for each in gap.threads if each not in apps), default=0)
        known = apps and 2 * strangers < apps[0].cpu  # else nobody knows which of them kept it
        keeper = None if known else _stranger(gap)
        if gap.idle or known or keeper is not None or _ONE_IN * strangers < gap.shared:
            number, awaited = _first_at_user_line(gap.awaits, user)
            yield Gap(
                began=gap.due,
                ended=gap.ended,
                late=gap.ended - gap.due,
                switches=gap.switches,
                asleep=gap.asleep,
                others_cpu=gap.others_cpu,
                shared_cpu=gap.shared,
                workers=tuple(Worker(each.cpu, as_stack(each.frames, user), awaited) for each in apps),
                exchange=number,
                seen_by="watchdog",
                stranger=keeper and Worker(keeper.cpu, as_stack(keeper.frames, user)),
            )


def _stranger(gap: _RawGap) -> _Thread | None:
    """The thread that burned most, and more than all others, where it is neither the app's nor the one of the tests.

    An SDK has such a thread, started as the app was imported; a server of a fixture's may be one as well.
    """
    most = max(gap.threads, key=lambda each: each.cpu, default=None)
    if most is None or most.is_the_apps or most.runs_loop or most.is_tests or not most.frames:
        return None
    return most if 2 * most.cpu > sum(each.cpu for each in gap.threads) else None


def _runs_app(each: _Thread, user: UserCode) -> bool:
    return any(user.is_the_apps(code.co_filename) for code, *_ in each.frames)


def _first_at_user_line(awaits: Sequence[tuple[int, list[RawFrame]]], user: UserCode) -> tuple[int | None, Stack]:
    for number, frames in awaits:
        stack = as_stack(frames, user)
        if user_frame(stack) is not None:
            return number, stack
    return (awaits[0][0] if awaits else None), ()
