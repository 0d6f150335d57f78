"""Whether a tracer slows Python code down."""

import sys
import threading

from pytest_noblock.engine.tracers import slowdown


def test_a_tracer_of_this_thread_or_of_all_new_ones_counts(monkeypatch):
    class CTracer:
        """Coverage's is known by this name."""

    monkeypatch.setattr(sys, "gettrace", lambda: None)
    monkeypatch.setattr(threading, "gettrace", lambda: None)
    assert slowdown() == 1
    monkeypatch.setattr(threading, "gettrace", CTracer)
    assert slowdown() == 25
    monkeypatch.setattr(sys, "gettrace", lambda: print)
    assert slowdown() == 80
