"""The clock of all observations, out of reach of tests that freeze or patch `time`."""

import functools
import time
from collections.abc import Callable

now: Callable[[], int] = (
    functools.partial(time.clock_gettime_ns, time.CLOCK_MONOTONIC)
    if hasattr(time, "clock_gettime_ns")
    else functools.partial(time.perf_counter_ns)
)
"""Monotonic ns, what `time.perf_counter_ns` gives on POSIX.

freezegun replaces every module attribute that *is* a function of `time`; a partial is
none. time-machine moves `CLOCK_REALTIME` only.
"""
