"""A thread that looks at the loop thread's stack when a step runs long."""

import os
import sys
import threading
import time
from collections.abc import Callable, Container

from pytest_noblock.engine.clocks import best_clock, longest_queued
from pytest_noblock.engine.now import now
from pytest_noblock.engine.stacks import RawFrame, capture
from pytest_noblock.engine.steps.timer import best_timer

_open = open  # a test may put a mock in its place

_MOST_SAMPLES = 8

_NUMBERS_OF_SYSCALLS = {
    "x86_64": {0: "read", 1: "write", 7: "poll", 23: "select", 35: "nanosleep", 42: "connect", 44: "sendto",
               45: "recvfrom", 47: "recvmsg", 61: "wait4", 74: "fsync", 75: "fdatasync", 202: "futex",
               230: "clock_nanosleep", 232: "epoll_wait", 247: "waitid", 257: "openat", 270: "pselect6",
               271: "ppoll", 281: "epoll_pwait"},
    "aarch64": {63: "read", 64: "write", 72: "pselect6", 73: "ppoll", 82: "fsync", 83: "fdatasync", 98: "futex",
                101: "nanosleep", 115: "clock_nanosleep", 203: "connect", 206: "sendto", 207: "recvfrom",
                212: "recvmsg", 22: "epoll_pwait", 56: "openat", 95: "waitid", 260: "wait4"},
}  # fmt: skip


class RawSample:
    """See `observation.Sample`; the frames are settled after the run."""

    syscall = "unknown"

    def __init__(self, step: int, began: int, frames: list[RawFrame]) -> None:
        self.step = step
        self.due = self.began = began
        self.ended = now()
        self.frames = frames


class Watchdog:
    """Samples loop threads `after` to 1.5 `after` ns into a step, and a few times more, ever more rarely.

    Loop threads call `watch` when a step begins and `rest` when it ends.
    """

    def __init__(self, after: int) -> None:
        self.after = after
        self.samples: list[RawSample] = []
        self.late: Callable[[], None] = _nothing
        """Called where the interpreter lock was long in coming, before it is given away again."""
        self.cpu = 0
        """CPU time of the watchdog's own thread, up to its last look."""
        self._running: dict[int, tuple[int, int, int]] = {}
        """By thread: its native id, the number of its step, when that began."""
        self._due = 0
        self._timer = best_timer()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="noblock watchdog", daemon=True)
        self._thread.start()

    def watch(self, ident: int, native: int, step: int, began: int) -> None:
        """Armed for half as long again: many steps begin and end within that, and only every other arms it anew."""
        running = self._running
        running[ident] = (native, step, began)
        ahead, after = self._due - began, self.after
        if ahead < 0 or (len(running) == 1 and not after <= ahead <= 2 * after):  # the last test's may be longer
            self._arm(after + after // 2)

    def rest(self, ident: int) -> tuple[int, int, int] | None:
        """The thread's step is over; what `resume` takes."""
        return self._running.pop(ident, None)

    def resume(self, ident: int, watched: tuple[int, int, int] | None) -> None:
        if watched is not None:
            self._running[ident] = watched
            if now() > self._due:  # it rang meanwhile, and saw nobody
                self._arm(self.after)

    def passed_by(self) -> None:
        """Another thread has the interpreter lock, for which the watchdog may be waiting since it rang.

        A C call that keeps the lock gives it away when it ends, to whoever is first. The
        test client's thread often is: it waits for the lock as well, to wait for its
        answer. When the watchdog has its turn, the step may be over.
        """
        if self._running and now() > self._due:
            seen = {sample.step for sample in self.samples[-_MOST_SAMPLES:]}
            self._looks(seen)

    def take(self) -> list[RawSample]:
        """The samples so far, which are then forgotten."""
        samples, self.samples = self.samples, []
        return samples

    def stop(self) -> None:
        self._stopping = True
        self._timer.arm(1)
        self._thread.join()
        self._timer.close()

    def _arm(self, ns: int) -> None:
        self._due = now() + ns
        self._timer.arm(ns)

    def _run(self) -> None:
        clock = best_clock()
        while not self._stopping:
            before = clock.delay()
            self._timer.wait()
            if now() - self._due >= self.after:
                self.late()
            looks = self._looks()  # before any system call: it lets the lock go, and the step that held it end
            delayed = longest_queued(before, clock.delay())
            taken = [self._completed(ident, sample, delayed) for ident, sample in looks]
            self._look_again(taken)
            self.cpu = time.thread_time_ns()
        clock.close()

    def _look_again(self, taken: list[int]) -> None:
        """At what has been looked at so often, ever more rarely; at a step that was too young, as soon as it is due."""
        moment = now()
        if any(moment - since < self.after for _, _, since in list(self._running.values())):
            if moment > self._due:  # else it has armed the timer itself
                self._arm(self.after)
        elif any(0 < times < _MOST_SAMPLES for times in taken):
            self._arm(max(taken) * self.after)

    def _runs(self, ident: int, step: int) -> bool:
        return self._running.get(ident, (0, 0, 0))[1] == step

    def _looks(self, seen: Container[int] = ()) -> list[tuple[int, RawSample]]:
        """At every thread whose step is due to be looked at; on record at once, for the test may end with the step."""
        began = now()
        looks = []
        for ident, (_native, step, since) in list(self._running.items()):
            wanted = began - since >= self.after // 2 and step not in seen
            frames = capture(sys._current_frames().get(ident)) if wanted else []
            if frames and self._runs(ident, step):
                looks.append((ident, RawSample(step, began, frames)))
        self.samples.extend(sample for _, sample in looks)
        return looks

    def _completed(self, ident: int, sample: RawSample, delayed: int) -> int:
        """How often this step has been sampled now.

        `delayed` is the longest that the watchdog had to wait for a processor since it
        rang: as long as that it may have kept the interpreter lock from others, who hand
        it over and wait until it is taken. Where the lock was kept from the watchdog, it
        woke every 5 ms to ask for it, and waited for a processor each time; only the last
        of these waits kept anybody.
        """
        native, step, _since = self._running.get(ident, (0, 0, 0))
        if step == sample.step:
            syscall = _syscall_of(native)  # lets the lock go: a C call that held it till now is over
            sample.syscall = syscall if self._runs(ident, sample.step) else "unknown"
        sample.due = max(min(self._due, sample.began), sample.began - delayed)
        return sum(each.step == sample.step for each in self.samples[-2 * _MOST_SAMPLES :])


def _nothing() -> None:
    """Nobody wants to know."""


def _syscall_of(native: int) -> str:
    """`/proc/self/task/<tid>/syscall` (CONFIG_HAVE_ARCH_TRACEHOOK) tells the call a thread sits in, else `running`."""
    try:
        with _open(f"/proc/self/task/{native}/syscall") as file:
            word = file.read(64).split()[0]
    except (OSError, IndexError):
        return "unknown"
    names = _NUMBERS_OF_SYSCALLS.get(os.uname().machine, {})
    return names.get(int(word), f"system call {word}") if word.isdigit() else word
