"""What is taken out of the present step: our own work, first imports, garbage collection; and what else is done once.

All of it happens on the meter's thread, inside a step of the app's.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pytest_noblock.engine.clocks import Clock, queued
from pytest_noblock.engine.now import now, thread_cpu
from pytest_noblock.engine.steps.children import Children
from pytest_noblock.engine.steps.watchdog import Watchdog


class Deductions:
    """What the present step of one meter is not charged for. Times in ns.

    `wall`, `cpu` and `queued` are those of our own work and of imports. `imported` is
    the wall time of imports alone, `imported_again` its part of modules that requests of earlier tests had imported,
    `collected` the CPU time of collections that fell due.
    """

    __slots__ = (
        "_clock", "_collection_began", "_ident", "_in_first_use", "children", "collected", "cpu", "ever", "excluding",
        "imported", "imported_again", "modules", "once", "once_cpu", "queued", "used", "wall", "watchdog",
    )  # fmt: skip

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ident = threading.get_ident()
        self.watchdog: Watchdog | None = None
        self.children = Children(clock, self)
        self.excluding = self._in_first_use = False
        """Whether an `excluded` block runs now."""
        self._collection_began = self.ever = 0
        """`ever`: wall ns of all `excluded` blocks so far, of all steps, and CPU ns of our own steps on the loop."""
        self.modules: tuple[tuple[str, int], ...] = ()
        """What was imported, without what these modules import, and its part of `imported`."""
        self.once: tuple[tuple[str, int], ...] = ()
        """What was done in `once_cpu`, in words, and its part of it."""
        self.once_cpu = 0
        """CPU (ns) of what a process does once. It stays in the step's CPU: only a judge may take it off."""
        self.used = False
        """Whether there is anything to forget when the next step begins: most steps have nothing."""
        self.wall = self.cpu = self.queued = self.collected = self.imported = self.imported_again = 0

    def reset(self) -> None:
        self.used = False
        self.wall = self.cpu = self.queued = self.collected = self.imported = self.imported_again = self.once_cpu = 0
        self.once = self.modules = ()
        self.children.clear()

    def collection(self, phase: str) -> None:
        """The garbage collector starts or stops (`phase`, see `gc.callbacks`). The step is not charged."""
        if phase == "start":
            self._collection_began = thread_cpu()
        else:
            self.collected += thread_cpu() - self._collection_began
            self.used = True

    @contextmanager
    def importing(self, module: str, *, again: bool = False) -> Iterator[None]:
        """The block imports the module: its time goes to `imported`. A nested import is part of the outer one.

        `again`: a request of an earlier test had imported it as well.
        """
        nested = self.excluding
        began = now()
        with self.excluded():
            yield
        if not nested:
            took = now() - began
            self.imported += took
            self.imported_again += took if again else 0
            self.modules = (*self.modules, (module, took))

    def first_use_begins(self) -> int | None:
        """What a process does once begins. Imports in it, and collections, are deducted by themselves.

        Returns what `first_use_ended` takes; None where this is a part of another first use, or of an import. Two calls
        and no `with` block: each app's first request builds its middleware.
        """
        if self._in_first_use or self.excluding:
            return None
        self._in_first_use = True
        return thread_cpu() - self.cpu - self.collected

    def first_use_ended(self, began: int, words: Callable[[], str]) -> None:
        """`words`: says what was done."""
        self._in_first_use = False
        spent = thread_cpu() - self.cpu - self.collected - began
        self.once = (*self.once, (words(), spent))
        self.once_cpu += spent
        self.used = True

    @contextmanager
    def excluded(self) -> Iterator[None]:
        """The step is not charged for the block. Of nested blocks only the outermost counts."""
        if self.excluding:
            yield
            return
        self.excluding = True
        collected = self.collected
        delay = self._clock.delay()
        wall, cpu = now(), thread_cpu()
        watchdog = self.watchdog
        running = watchdog.step_ended(self._ident) if watchdog is not None else None  # no sample of the block is wanted
        try:
            yield
        finally:
            if watchdog is not None:
                watchdog.step_resumed(self._ident, running)
            self.cpu += thread_cpu() - cpu
            passed = now() - wall
            self.wall += passed
            self.ever += passed
            self._add_queued(delay)
            self.collected = collected  # the block's CPU time holds what was collected in it
            self.used = True
            self.excluding = False

    def _add_queued(self, before: bytes) -> None:
        after = self._clock.delay()
        if after != before:
            self.queued += queued(after) - queued(before)
