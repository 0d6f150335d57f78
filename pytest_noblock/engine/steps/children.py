"""How long a child process waited for a processor while the loop thread waited for it.

Beside busy processes `subprocess.run(["git", "--version"])` takes 60 ms and not 4, and the app did not make it so. The
kernel tells the run-queue delay of a process until somebody waits for it: of one that has ended, too
(`/proc/<pid>/schedstat`; seen on Linux 6.18). So it is read right before. It is that of the child's first thread: what
children of the child, or more threads, waited for counts as the app's.
"""

from typing import TYPE_CHECKING, NamedTuple

from pytest_noblock.engine.clocks import Clock, queued
from pytest_noblock.engine.now import now, read_file, thread_cpu

if TYPE_CHECKING:
    import subprocess

    from pytest_noblock.engine.steps.deductions import Deductions


class _Reading(NamedTuple):
    """Of one child and of the loop thread, at one moment; in ns."""

    at: int
    queued: int
    """The child's run-queue delay."""
    asleep: int
    """At the end less at the begin: what the loop thread slept."""


class Children:
    """Those for which one meter's thread waits in the present step. All of it runs on that thread."""

    __slots__ = ("_clock", "_deductions", "_last_ended", "_waited_for", "queued")

    def __init__(self, clock: Clock, deductions: "Deductions") -> None:
        self._clock = clock
        self._deductions = deductions
        self._waited_for: dict[int, _Reading] = {}
        """Since the step started the child, or began to wait for it, by the child's number."""
        self._last_ended = 0
        """When (ns)."""
        self.queued = 0
        """Ns of the step's sleep in which a child waited for a processor."""

    def clear(self) -> None:
        self._waited_for.clear()
        self.queued = self._last_ended = 0

    def begins(self, child: "subprocess.Popen[bytes]") -> None:
        """The step has started the child, or is about to wait for it."""
        if self._clock.splits_waiting and child.pid not in self._waited_for:
            reading = self._read(child)
            if reading is not None:
                self._waited_for[child.pid] = reading
                self._deductions.used = True

    def ended(self, child: "subprocess.Popen[bytes]") -> None:
        """The child has ended, and nobody has waited for it yet."""
        before, present = self._waited_for.pop(child.pid, None), self._read(child)
        if before is not None and present is not None:
            found = max(0, min(present.queued - before.queued, present.asleep - before.asleep))
            at_once = before.at < self._last_ended  # two children may have waited at the same time
            self.queued = max(self.queued, found) if at_once else self.queued + found
            self._last_ended = present.at

    def _read(self, child: "subprocess.Popen[bytes]") -> _Reading | None:
        """None where the kernel does not tell."""
        try:
            delay = queued(read_file(f"/proc/{child.pid}/schedstat"))
        except (OSError, ValueError, IndexError):
            return None
        awake, moment = thread_cpu() + queued(self._clock.delay()) + self._deductions.ever, now()
        return _Reading(moment, delay, moment - awake)
