"""A thread that looks at the loop thread's stack when a step runs long."""

import os
import sys
import threading
import time
from dataclasses import dataclass

from pytest_noblock.engine.stacks import RawFrame, raw
from pytest_noblock.engine.timer import best_timer

_MOST_SAMPLES = 8
_ARM_EVERY_NS = 1_000_000

_NUMBERS_OF_SYSCALLS = {
    "x86_64": {0: "read", 1: "write", 7: "poll", 23: "select", 35: "nanosleep", 42: "connect", 44: "sendto",
               45: "recvfrom", 47: "recvmsg", 61: "wait4", 74: "fsync", 75: "fdatasync", 202: "futex",
               230: "clock_nanosleep", 232: "epoll_wait", 247: "waitid", 257: "openat", 270: "pselect6",
               271: "ppoll", 281: "epoll_pwait"},
    "aarch64": {63: "read", 64: "write", 72: "pselect6", 73: "ppoll", 82: "fsync", 83: "fdatasync", 98: "futex",
                101: "nanosleep", 115: "clock_nanosleep", 203: "connect", 206: "sendto", 207: "recvfrom",
                212: "recvmsg", 22: "epoll_pwait", 56: "openat", 95: "waitid", 260: "wait4"},
}  # fmt: skip


@dataclass(slots=True)
class RawSample:
    """See `observation.Sample`; the frames are settled after the run."""

    step: int
    due: int
    began: int
    ended: int
    frames: list[RawFrame]
    syscall: str


class Watchdog:
    """Samples the thread that made it, `after` ns into a step and a few times more, ever more rarely.

    The loop thread calls `watch` at each step; `step` tells which step runs, 0 for none.
    """

    def __init__(self, after: int) -> None:
        self.step = 0
        self.samples: list[RawSample] = []
        self._after = after
        self._armed = self._due = 0
        self._ident = threading.get_ident()
        self._native = threading.get_native_id()
        self._timer = best_timer()
        self._stopping = False
        self._thread = threading.Thread(target=self._watch, name="noblock watchdog", daemon=True)
        self._thread.start()

    def watch(self, step: int, now: int) -> None:
        """Begin of a step. Armed anew once a millisecond: cheap, and late by no more than that."""
        self.step = step
        if now - self._armed > _ARM_EVERY_NS:
            self._armed = now
            self._due = now + self._after
            self._timer.arm(self._after)

    def stop(self) -> None:
        self._stopping = True
        self._timer.arm(1)
        self._thread.join()
        self._timer.close()

    def _watch(self) -> None:
        while True:
            self._timer.wait()
            if self._stopping:
                return
            step = self.step
            if step:
                taken = self._sample(step)
                if taken < _MOST_SAMPLES and self.step == step:
                    self._due = time.perf_counter_ns() + taken * self._after
                    self._timer.arm(taken * self._after)

    def _sample(self, step: int) -> int:
        began = time.perf_counter_ns()
        due = min(self._due, began)
        frames = raw(sys._current_frames().get(self._ident))
        syscall = self._where()
        if self.step != step:  # the step ended while we looked
            return _MOST_SAMPLES
        self.samples.append(RawSample(step, due, began, time.perf_counter_ns(), frames, syscall))
        return sum(sample.step == step for sample in self.samples[-_MOST_SAMPLES:])

    def _where(self) -> str:
        """`/proc/self/task/<tid>/syscall` (CONFIG_HAVE_ARCH_TRACEHOOK) tells the call a thread sits in, else `running`."""
        try:
            with open(f"/proc/self/task/{self._native}/syscall") as file:
                word = file.read(64).split()[0]
        except (OSError, IndexError):
            return "unknown"
        names = _NUMBERS_OF_SYSCALLS.get(os.uname().machine, {})
        return names.get(int(word), f"system call {word}") if word.isdigit() else word
