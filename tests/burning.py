"""Computations that keep the GIL for long enough on the machine at hand, be it quick or slow."""

import functools
import json
import math
import re
import time

MS = 1_000_000
_FEW = 16


@functools.cache
def letters(ms: int) -> int:
    """How many letters `re.match(r"(a+)+$", "a" * letters + "b")` needs to burn `ms` to `2 * ms` of CPU.

    Each letter doubles the work. It is measured at the machine's best, so that a busy
    moment makes the computation longer than asked for, never shorter.
    """
    best = min(_burned(_FEW) for _ in range(5))
    return _FEW + math.ceil(math.log2(ms * MS / best))


@functools.cache
def rows(ms: int) -> int:
    """How many of `ROW` keep `json.dumps` busy for `ms` of CPU, at the machine's best."""
    best = min(_dumped(_FEW) for _ in range(5))
    return math.ceil(_FEW * ms * MS / best)


ROW = list(range(1000))


def _dumped(rows: int) -> int:
    began = time.thread_time_ns()
    json.dumps([ROW] * rows)
    return time.thread_time_ns() - began


def slowed(seconds: float) -> float:
    """As long as this machine needs at present to give a thread so many seconds; a quiet one needs no more."""
    began, cpu = time.perf_counter_ns(), time.thread_time_ns()
    while (burned := time.thread_time_ns() - cpu) < 20 * MS:
        pass
    return seconds * (time.perf_counter_ns() - began) / burned


def _burned(letters: int) -> int:
    began = time.thread_time_ns()
    re.match(r"(a+)+$", "a" * letters + "b")
    return time.thread_time_ns() - began
