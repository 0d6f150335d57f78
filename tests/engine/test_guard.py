"""What is a fault of ours, what is not, and what is told of it."""

import os
import signal
from contextlib import contextmanager

import pytest

from pytest_noblock.engine import guard
from pytest_noblock.engine.exchange import LiveExchange
from pytest_noblock.engine.guard import Around, guarded, noted
from pytest_noblock.engine.usercode import UserCode


@pytest.fixture(autouse=True)
def none_left():
    guard.taken()
    yield
    guard.taken()


def raising(error):
    def ours():
        raise error

    return ours


def test_a_fault_is_told_by_its_error_and_by_the_line_of_ours():
    guarded(UserCode, None)
    guarded(UserCode, None)
    (fault,) = guard.taken()
    assert fault.error.startswith("TypeError: ")
    assert fault.place.startswith("pytest_noblock/engine/usercode.py:")
    assert fault.place.endswith(" in __init__")
    assert fault.sentence == (
        f"noblock failed, and did not judge this test: {fault.error} at {fault.place}; please report it, with this line"
    )
    assert not guard.waiting


def test_what_is_not_a_fault_passes():
    for error in (KeyboardInterrupt(), SystemExit(), pytest.fail.Exception("red"), pytest.skip.Exception("no")):
        with pytest.raises(type(error)):
            guarded(raising(error))
    assert not guard.waiting


class Rude(Exception):
    def __str__(self):
        raise ValueError

    __repr__ = __str__


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (Rude(), "<Rude, whose repr raises>"),
        (ValueError("a\nb"), "ValueError: a b"),
        (ValueError("x" * 1_000_000), "ValueError: " + "x" * 288),
    ],
    ids="rude lines long".split(),
)
def test_an_error_is_told_in_one_short_line(error, text):
    guarded(raising(error))
    assert guard.taken()[0].error == text


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (OSError(24, "Too many open files"), "no file descriptor left: close what the tests leave open, or raise"),
        (RuntimeError("can't start new thread"), "can start no thread more: end what the tests leave running, or"),
        (OSError(2, "No such file"), "please report it"),
    ],
    ids="descriptors threads other".split(),
)
def test_what_the_machine_lacks_is_said(error, advice):
    guarded(raising(error))
    assert advice in guard.taken()[0].sentence


def test_what_the_handler_of_a_signal_raises_is_the_users():
    def handler(*_):
        raise TimeoutError("the user's")

    before = signal.signal(signal.SIGUSR1, handler)
    try:
        with pytest.raises(TimeoutError, match="the user's"):
            guarded(os.kill, os.getpid(), signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert not guard.waiting


def test_a_stack_that_the_app_has_filled_is_no_fault_and_a_recursion_of_ours_is():
    guarded(raising(RecursionError()))
    assert not guard.waiting

    def ours():
        ours()

    guarded(ours)
    assert guard.waiting


def test_a_context_manager_that_fails_at_its_begin_or_its_end_does_not_touch_the_block():
    @contextmanager
    def begins():
        raise OSError("begin")
        yield

    @contextmanager
    def ends():
        try:
            yield
        finally:
            raise OSError("end")

    done = []
    for manager in (begins, ends):
        with Around(manager):
            done.append(manager)
        with pytest.raises(ZeroDivisionError), Around(manager):
            1 / 0  # noqa: B018
    assert done == [begins, ends]
    assert {fault.error for fault in guard.taken()} == {"OSError: begin", "OSError: end"}


def test_no_exception_and_no_frame_is_kept():
    record = LiveExchange("GET", "/")
    try:
        raise ValueError(record)
    except ValueError as error:
        noted(error)
    assert all(isinstance(value, str) for fault in guard.taken() for value in fault)
