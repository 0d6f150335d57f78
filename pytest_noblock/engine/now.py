"""Functions that the engine needs and that a test may freeze or replace. This module keeps the originals."""

import functools
import os
import time
from collections.abc import Callable

_READ_AT_ONCE = 16384
"""Bytes."""

now: Callable[[], int] = (
    functools.partial(time.clock_gettime_ns, time.CLOCK_MONOTONIC)
    if hasattr(time, "clock_gettime_ns")
    else functools.partial(time.perf_counter_ns)
)
"""The clock of all observations: monotonic ns. On POSIX `time.perf_counter_ns` gives the same.

freezegun replaces every module attribute that *is* a function of `time`. A partial is
not one, so freezegun leaves it alone. time-machine moves `CLOCK_REALTIME` only.
"""

thread_cpu: Callable[[], int] = functools.partial(time.thread_time_ns)
"""CPU time of the calling thread, in ns. A partial, as `now`."""

process_cpu: Callable[[], int] = functools.partial(time.process_time_ns)
"""CPU time of all threads of the process, in ns. A partial, as `now`."""

sleep: Callable[[float], None] = functools.partial(time.sleep)
"""For threads of ours and for seconds of real time: a test may put a mock in its place, which does not sleep."""

open_file = functools.partial(open)
list_folder = functools.partial(os.listdir)
link_of = functools.partial(os.readlink)
status_of = functools.partial(os.stat)
status_of_fd = functools.partial(os.fstat)
copy_fd = functools.partial(os.dup)
open_fd = functools.partial(os.open)
read_fd = functools.partial(os.read)
read_fd_at: Callable[[int, int, int], bytes] = functools.partial(getattr(os, "pread", os.read))
close_fd = functools.partial(os.close)
"""For /proc and for descriptors of ours, on the loop thread, within a request of the user's. A test may put a mock in
the place of a function of `os` or of `builtins.open`, and BlockBuster raises in them. pyfakefs replaces, in every
module, each attribute that is a file function or a module of them. A partial is neither, so pyfakefs leaves it alone.
"""


def read_file(path: str) -> bytes:
    """What a file of /proc says, without a file object: its class's methods may be a stand-in's, too."""
    fd = open_fd(path, os.O_RDONLY)
    try:
        return b"".join(iter(functools.partial(read_fd, fd, _READ_AT_ONCE), b""))
    finally:
        close_fd(fd)
