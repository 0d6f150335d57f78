"""Whose a garbage collection is: the step's that asks for it, and nobody's where it falls due."""

import gc
import opcode
import signal
import sys
import time
import types

import pytest

from pytest_noblock.engine import raw_stacks
from pytest_noblock.engine.exchange import LiveExchange
from pytest_noblock.engine.now import now
from pytest_noblock.engine.patches import unwrapped
from pytest_noblock.engine.steps import collector, fallen_due

MS = 1_000_000

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


def test_a_finalizer_that_has_done_nothing_yet_shows_the_line_that_collects(installed, tmp_path):
    """The collector computes without a break; the watchdog looks once the first finalizer begins."""
    seen = []

    class Held:
        def __del__(self):
            frame = sys._getframe()
            at_first = types.SimpleNamespace(**_of(frame), f_lasti=_first_instruction(frame.f_code))
            seen.append(raw_stacks.capture(at_first))
            seen.append(raw_stacks.capture(frame))

    held = Held()
    held.itself = held
    del held
    gc.collect()
    begun, at_work = ([code.co_name for code, *_ in frames[:2]] for frames in seen)
    own = sys._getframe().f_code.co_name
    assert (begun[0], at_work) == (own, ["__del__", own])


def _of(frame):
    return {"f_code": frame.f_code, "f_back": frame.f_back, "f_lineno": frame.f_lineno, "f_globals": frame.f_globals}


def _first_instruction(code):
    return 2 * code.co_code[::2].index(opcode.opmap["RESUME"])


@pytest.fixture
def busy(monkeypatch):
    """What the clock of a thread says at its next readings."""
    times = iter([0, 40 * MS, 0, MS])
    monkeypatch.setattr(fallen_due, "thread_cpu", lambda: next(times))


def test_long_collections_that_fall_due_are_kept_whoever_triggers_them(installed, busy):
    began = now()
    falls_due()
    falls_due()  # a short one
    (one,) = fallen_due.since(began)
    assert (one.cpu, began <= one.began <= one.ended <= now()) == (40 * MS, True)
    assert fallen_due.since(one.ended) == ()


def test_what_somebody_asks_for_does_not_fall_due(installed, monkeypatch):
    monkeypatch.setattr(fallen_due, "_LONG_NS", 0)
    began = now()
    gc.collect()
    unpatched_collect()
    assert fallen_due.since(began) == ()
    falls_due()
    assert len(fallen_due.since(began)) == 1


def test_a_collection_at_the_end_of_the_interpreter_has_no_caller(monkeypatch):
    """It is called by nobody then: there is no frame to look at."""
    monkeypatch.setattr(collector.sys, "_getframe", lambda *_: types.SimpleNamespace(f_back=None))
    counted = []
    monkeypatch.setattr(collector.python_threads, "collection", counted.append)
    for phase in ("start", "stop"):
        collector.collection(phase, {"generation": 2})
    assert counted == ["start", "stop"]


class Alarm(BaseException):
    """What the handler of a test's signal raises."""


@pytest.fixture
def alarm():
    """A signal of this test alone, whose handler raises Alarm."""
    if not hasattr(signal, "pthread_kill"):
        pytest.skip("signals are POSIX's")

    def handler(_number, _frame):
        raise Alarm

    before = signal.signal(signal.SIGVTALRM, handler)
    yield handler
    signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    signal.signal(signal.SIGVTALRM, before)


def comes(_seconds=30):
    deadline = time.monotonic() + _seconds
    while time.monotonic() < deadline:
        time.sleep(0.001)


def test_a_signal_that_comes_while_the_collector_runs_is_not_lost(installed, alarm, request):
    """It waits for the next Python code, which is our callback: the interpreter ignores what that raises."""
    others = [each for each in gc.callbacks if each is not collector.collection]  # as hypothesis': they lose it, too
    for each in others:
        gc.callbacks.remove(each)
    request.addfinalizer(lambda: gc.callbacks.extend(others))
    kept = [[number] for number in range(500_000)]
    for _ in range(3):
        with pytest.raises(Alarm):  # noqa: PT012  # wherever it comes
            signal.setitimer(signal.ITIMER_VIRTUAL, 0.004)
            gc.collect()
            comes()
    assert kept


def of_the_user(phase, details):
    """A callback in `gc.callbacks`."""
    guarded(phase)


def guarded(*_):
    """Stands in for ours: what comes while the callback runs."""


def lost_in(callback, monkeypatch, function):
    """What the interpreter tells of an error that a callback in `gc.callbacks` raised."""
    for module in (collector, sys.modules[__name__]):
        monkeypatch.setattr(module, "guarded", lambda *_: function())
    try:
        callback("start", {})
    except BaseException as error:
        return types.SimpleNamespace(exc_value=error.with_traceback(error.__traceback__.tb_next))


@pytest.mark.parametrize("callback", [collector.collection, of_the_user])
def test_a_signal_that_our_callback_loses_is_sent_again_and_no_other(installed, alarm, monkeypatch, callback):
    ours = callback is collector.collection
    lost = lost_in(callback, monkeypatch, lambda: alarm(signal.SIGVTALRM, None))
    monkeypatch.undo()
    told = []
    monkeypatch.setattr(sys, "unraisablehook", collector._sending_again(told.append))
    if ours:
        with pytest.raises(Alarm):  # noqa: PT012  # wherever it comes
            sys.unraisablehook(lost)
            comes()
    else:
        sys.unraisablehook(lost)
        comes(0.05)
    assert told == ([] if ours else [lost])


def test_an_error_of_our_callback_is_no_signal(alarm, monkeypatch):
    assert collector._lost_signal(lost_in(collector.collection, monkeypatch, lambda: int("x"))) is None


@pytest.mark.parametrize("error", [None, ValueError("never raised")])
def test_what_has_no_traceback_is_no_signal(alarm, error):
    """As a coroutine that was never awaited."""
    assert collector._lost_signal(types.SimpleNamespace(exc_value=error)) is None


def test_ctrl_c_in_our_callback_is_sent_again(alarm, monkeypatch):
    def ctrl_c():
        raise KeyboardInterrupt

    assert collector._lost_signal(lost_in(collector.collection, monkeypatch, ctrl_c)) == signal.SIGINT


def test_a_signal_whose_handler_is_gone_is_not_sent_again(alarm, monkeypatch):
    """It might end the process."""
    sent = []
    monkeypatch.setattr(signal, "pthread_kill", lambda *what: sent.append(what))
    collector._send_again(signal.SIGVTALRM, None)
    assert not sent
    collector._send_again(signal.SIGVTALRM, alarm)
    assert [number for _thread, number in sent] == [signal.SIGVTALRM]
