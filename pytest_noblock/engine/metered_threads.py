"""The threads of one watched test that run an app, each with its meter."""

import asyncio
import threading
from collections.abc import Callable

from pytest_noblock.engine import instrument
from pytest_noblock.engine.steps import other_loops
from pytest_noblock.engine.steps.meter import StepMeter
from pytest_noblock.engine.steps.python_threads import Marks
from pytest_noblock.engine.threads.held_turns import LoopThread
from pytest_noblock.model.segment import Segment


class MeteredThread:
    """A thread that runs an app, and its meter; made on that thread."""

    def __init__(self, thread: threading.Thread, meter: StepMeter, loop: asyncio.AbstractEventLoop | None) -> None:
        self.meter = meter
        self.alive: Callable[[], bool] = thread.is_alive
        self._undo = other_loops.install_steps_on(loop, meter)
        instrument.register(meter, loop)

    def close(self) -> None:
        """Any thread may call it."""
        instrument.unregister(self.meter)
        self.meter.close()
        if self._undo is not None:
            self._undo()


class MeteredThreads:
    """Each thread adds itself; the test's thread finishes them; the watchdog asks."""

    def __init__(self) -> None:
        self._threads: list[MeteredThread] = []
        self.ended: list[tuple[Segment, int]] = []
        """The segments of the threads that are finished, each with the number of its step."""

    def __len__(self) -> int:
        """Those that are not finished."""
        return len(self._threads)

    def add(self, thread: MeteredThread) -> None:
        self._threads.append(thread)

    def finish(self) -> None:
        """Of all threads: no step is metered any more."""
        for each in list(self._threads):
            self._finish(each)

    def finish_dead(self) -> None:
        """Of those that have ended. A new thread may get the identity of one of them."""
        for each in [each for each in self._threads if not each.alive()]:
            self._finish(each)

    def _finish(self, thread: MeteredThread) -> None:
        self._threads.remove(thread)
        thread.close()
        self.ended.extend(thread.meter.segments)

    def in_step(self, ident: int) -> bool:
        """Whether the thread is in a step of a request, or has not put it on record yet."""
        return any(each.meter.owner is not None for each in self._threads if each.meter.ident == ident)

    def thread_of(self, ident: int) -> LoopThread | None:
        """By `threading.get_ident()`; None for a thread that is not metered."""
        meters = (each.meter for each in list(self._threads) if each.meter.ident == ident)
        return next((LoopThread(each.native, each.present_turn()) for each in meters), None)

    def marks(self) -> list[Marks | None]:
        """What the threads had burned when the last steps began."""
        threads = [each.meter.threads for each in list(self._threads)]
        return [marks for each in threads for marks in (each.marks, each.earlier)]
