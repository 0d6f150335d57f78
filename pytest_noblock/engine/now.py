"""What the engine needs and a test may freeze or replace: taken here once, as the interpreter has it."""

import functools
import time
from collections.abc import Callable

now: Callable[[], int] = (
    functools.partial(time.clock_gettime_ns, time.CLOCK_MONOTONIC)
    if hasattr(time, "clock_gettime_ns")
    else functools.partial(time.perf_counter_ns)
)
"""The clock of all observations: monotonic ns. On POSIX `time.perf_counter_ns` gives the same.

freezegun replaces every module attribute that *is* a function of `time`. A partial is
none. time-machine moves `CLOCK_REALTIME` only.
"""

open_file = open
"""For files of /proc: a test that puts a mock in the place of `builtins.open` means its own files."""
