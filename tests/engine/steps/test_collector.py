"""Whose a garbage collection is: the step's that asks for it, and nobody's where it falls due."""

import gc
import types

from pytest_noblock.engine.exchange import LiveExchange
from pytest_noblock.engine.patches import unwrapped
from pytest_noblock.engine.steps import collector

unpatched_collect = unwrapped(gc.collect)


def test_what_a_step_asks_the_collector_for_is_its_own(installed, meter):
    """A collection that just falls due is not: whoever triggers it is not to blame."""
    meter.begin(LiveExchange("GET", "/"))
    gc.collect()
    assert meter.deductions.collected == 0
    for callback in gc.callbacks:
        callback("start", {})
    kept = [[] for _ in range(10_000)]
    for callback in gc.callbacks:
        callback("stop", {})
    assert meter.deductions.collected > 0
    assert kept


def test_the_collector_under_another_name_is_the_steps_own_too(installed, meter):
    """After `from gc import collect` no attribute that we patch is read."""
    meter.begin(LiveExchange("GET", "/"))
    unpatched_collect()
    assert meter.deductions.collected == 0
    falls_due()
    assert meter.deductions.collected > 0


def falls_due():
    """What the interpreter calls when it collects the oldest generation by itself."""
    for phase in ("start", "stop"):
        for callback in gc.callbacks:
            callback(phase, {"generation": 2})


def test_a_collection_at_the_end_of_the_interpreter_has_no_caller(monkeypatch):
    """It is called by nobody then: there is no frame to look at."""
    monkeypatch.setattr(collector.sys, "_getframe", lambda *_: types.SimpleNamespace(f_back=None))
    counted = []
    monkeypatch.setattr(collector.python_threads, "collection", counted.append)
    for phase in ("start", "stop"):
        collector.collection(phase, {"generation": 2})
    assert counted == ["start", "stop"]
