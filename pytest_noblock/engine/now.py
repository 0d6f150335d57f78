"""Functions that the engine needs and that a test may freeze or replace. This module keeps the originals."""

import functools
import os
import time
from collections.abc import Callable

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

open_file = open
"""For files of /proc. A test that replaces `builtins.open` by a mock must not change what the engine reads."""

list_folder = os.listdir
link_of = os.readlink
status_of = os.stat
status_of_fd = os.fstat
copy_fd = os.dup
close_fd = os.close
"""The same, for functions of `os`: they run on the loop thread, within a request of the user's."""
