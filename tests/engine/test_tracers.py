"""Whether a tracer or a profiler slows Python code down."""

import cProfile
import sys
import threading
import types

import pytest

from pytest_noblock.engine.tracers import slowdown


class CTracer:
    """Coverage's is known by this name."""


class Collector:
    """Coverage's gives new threads one of its methods."""

    def __init__(self, tracer):
        self._trace_class = tracer

    def installation(self):
        """Takes the tracer's place in a thread until the first call."""


@pytest.fixture
def alone(monkeypatch):
    """Nothing is on, not even what this run may be under."""
    for module in (sys, threading):
        for name in ("gettrace", "getprofile"):
            monkeypatch.setattr(module, name, lambda: None)
    if sys.version_info >= (3, 12):
        monkeypatch.setattr(sys.monitoring, "get_tool", lambda _number: None)
    assert slowdown() == 1


@pytest.mark.parametrize("module", [sys, threading])
@pytest.mark.parametrize("name", ["gettrace", "getprofile"])
@pytest.mark.parametrize(
    ("given", "factor"),
    [
        (CTracer(), 25),
        (print, 80),
        (Collector(CTracer).installation, 25),
        (Collector(types.FunctionType).installation, 80),
        (cProfile.Profile(), 25),
    ],
    ids=["c", "python", "c-in-new-threads", "python-in-new-threads", "cProfile"],
)
def test_what_is_on_in_this_thread_or_in_all_new_ones_counts(alone, monkeypatch, module, name, given, factor):
    monkeypatch.setattr(module, name, lambda: given)
    assert slowdown() == factor


@pytest.mark.skipif(sys.version_info < (3, 12), reason="sys.monitoring is from 3.12 on")
@pytest.mark.parametrize(
    ("tool", "events", "factor"),
    [
        ("coverage.py", 99, 1),
        ("pytest-noblock calls", 99, 1),
        ("cProfile", 99, 25),
        ("pydevd", 0, 80),
        ("somebody's", 99, 80),
        ("somebody's", 0, 1),
    ],
)
def test_tools_of_the_interpreter_count_where_they_ask_for_all_code(alone, monkeypatch, tool, events, factor):
    monkeypatch.setattr(sys.monitoring, "get_tool", lambda number: tool if number == 4 else None)
    monkeypatch.setattr(sys.monitoring, "get_events", lambda _number: events)
    assert slowdown() == factor


def test_cprofile_is_seen_as_it_is():
    before, profile = slowdown(), cProfile.Profile()
    profile.enable()
    try:
        during = slowdown()
    finally:
        profile.disable()
    assert during >= 25
    assert slowdown() == before
