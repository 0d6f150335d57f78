"""The counters of all Python threads at one moment: CPU time, run-queue delay, and what each does.

`/proc/self/task/<tid>/` tells (Linux only, see `clocks.LinuxClock`). All of it is read with the GIL kept: to release it
would let a thread that computes have it before each file is read.
"""

import ctypes
import functools
import os
import threading
from collections.abc import Mapping
from typing import Literal, NamedTuple

from pytest_noblock.engine.clocks import queued
from pytest_noblock.engine.now import now
from pytest_noblock.engine.other_threads import cpu_of
from pytest_noblock.engine.steps.python_threads import WATCHDOG

_FEW_THREADS = 30
"""So many threads are read at each look: each takes 20 us (measured), and the GIL is kept meanwhile. Of more threads,
those are read that have run since their last mark: to ask for that takes 3 us each. A suite whose apps leave their
pools behind has some hundred threads that wait for good."""
_MOST_THREADS = 300
"""More threads than these are not read: the first time each of them is."""
_ENOUGH, _ENOUGH_OF_STATUS = 128, 4096
"""Bytes. More than the line of either file has; more than all of `status`: 1.5 kB, more where there are many groups."""
_LATEST = "noblock_queued"
"""The attribute of a thread with its last mark."""

_enumerate = threading.enumerate

State = Literal["wants", "waits", "sleeps"]
_FUTEX = {"x86_64": b"202 ", "aarch64": b"98 "}.get(os.uname().machine if hasattr(os, "uname") else "", b"futex")
"""How the line of `syscall` begins in a wait for a lock, a condition, the GIL."""
_VOLUNTARY = b"\nvoluntary_ctxt_switches:"


class Mark(NamedTuple):
    """The counters of one thread at one moment, in ns."""

    cpu: int
    queued: int
    """Run-queue delay. The kernel adds a wait for a processor when it ends."""
    state: State
    """`wants`: it ran, or waited for a processor; `waits`: in a wait for another thread, or for the GIL; `sleeps`: in
    any other wait."""
    at: int = 0
    """When that was."""


_UNREAD = Mark(0, 0, "waits")


class Marks(NamedTuple):
    """Those of all Python threads at one moment, by their native ids."""

    at: int
    threads: Mapping[int, Mark]
    before: Mapping[int, Mark]
    """Those of the time before, however long ago it was."""
    watchdog: int
    """Run-queue delay of the watchdog's thread."""


def read_threads() -> Marks | None:
    """Of all but the watchdog; None where there are too many threads, and where the system does not tell."""
    threads = _enumerate()
    if len(threads) > _MOST_THREADS:
        return None
    moment, marks, before, watchdog = now(), {}, {}, 0
    few = len(threads) <= _FEW_THREADS
    for each in threads:
        native, latest = each.native_id, getattr(each, _LATEST, _UNREAD)
        mark = _mark(native, _UNREAD if few else latest) if native is not None else None
        if native is None or mark is None:
            continue
        if each.name == WATCHDOG:
            watchdog = mark.queued
            continue
        marks[native] = mark
        before[native] = latest
        if few or mark.cpu != latest.cpu:
            setattr(each, _LATEST, mark)
    return Marks(moment, marks, before, watchdog) if marks else None


def _mark(native: int, latest: Mark) -> Mark | None:
    """None where the thread has ended, and where the kernel does not count.

    A thread that has not run since its `latest` mark may wait for a processor by now: nobody has asked.
    """
    cpu = cpu_of(native)
    if latest is not _UNREAD and cpu == latest.cpu:
        return latest._replace(state="wants", at=now())
    delay = _read(f"/proc/self/task/{native}/schedstat")
    if cpu is None or len(delay.split()) < 3:
        return None
    return Mark(cpu, queued(delay), _state(_read(f"/proc/self/task/{native}/syscall")), now())


def sleeps_of(native: int) -> int | None:
    """How often the thread of that number has gone to sleep; None where it has ended, or nobody counts (15 us)."""
    words = _read(f"/proc/self/task/{native}/status", _ENOUGH_OF_STATUS).rpartition(_VOLUNTARY)[2].split()
    return int(words[0]) if words and words[0].isdigit() else None


def _state(syscall: bytes) -> State:
    """`waits`, which says least, where the kernel does not tell."""
    if syscall.startswith(b"running"):
        return "wants"
    return "sleeps" if syscall and not syscall.startswith(_FUTEX) else "waits"


@functools.cache
def _libc() -> ctypes.PyDLL:
    """PyDLL keeps the GIL."""
    libc = ctypes.PyDLL(None)
    libc.open.argtypes = (ctypes.c_char_p, ctypes.c_int)
    libc.read.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t)
    return libc


def _read(path: str, most: int = _ENOUGH) -> bytes:
    """What a small file of /proc says; nothing where it cannot be read."""
    libc = _libc()
    fd = libc.open(path.encode(), os.O_RDONLY | os.O_CLOEXEC)
    if fd < 0:
        return b""
    buffer = ctypes.create_string_buffer(most)
    libc.read(fd, buffer, most - 1)
    libc.close(fd)
    return buffer.value
