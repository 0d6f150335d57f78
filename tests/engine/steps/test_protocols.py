"""The methods of a protocol are called as steps, and the protocol is otherwise what it was."""

import asyncio
import gc
import weakref
from unittest import mock

import pytest

from pytest_noblock.engine.steps.protocols import made_by, with_steps


class Reads(asyncio.Protocol):
    def __init__(self):
        self.read = []

    def data_received(self, data):
        self.read.append(data)

    def eof_received(self):
        return True


class Slots(asyncio.Protocol):
    __slots__ = ("__weakref__",)


class NoReference(asyncio.Protocol):
    __slots__ = ("__dict__",)

    def eof_received(self):
        return True


@pytest.fixture
def calls():
    return []


@pytest.fixture
def call(calls):
    def call(function, *args):
        calls.append(function.__name__)
        return function(*args)

    return call


def test_each_method_is_called_by_the_call_and_returns_what_it_returned(call, calls):
    protocol = made_by(Reads, call)
    protocol.data_received(b"x")
    assert (protocol.read, protocol.eof_received(), type(protocol)) == ([b"x"], True, Reads)
    assert calls == ["data_received", "eof_received"]


def test_what_a_subclass_inherits_is_called_as_its_own(call, calls):
    class Upper(Reads):
        def data_received(self, data):
            super().data_received(data.upper())

    protocol = made_by(Upper, call)
    protocol.data_received(b"x")
    assert protocol.read == [b"X"]
    assert calls == ["data_received"], "one call of the loop's is one step"


def test_the_protocol_is_not_kept(call):
    gc.disable()
    try:
        gone = weakref.ref(made_by(Reads, call))
        assert gone() is None, "no circle: CPython lets go of it at once"
    finally:
        gc.enable()


@pytest.mark.parametrize("kind", [Slots, NoReference])
def test_one_that_takes_nothing_stays_as_it_is(kind, call, calls):
    protocol = made_by(kind, call)
    protocol.eof_received()
    assert calls == []


def test_what_stands_in_for_a_method_is_left_alone(call, calls):
    protocol = Reads()
    protocol.data_received = mock.Mock()
    with_steps(protocol, call)
    protocol.data_received(b"x")
    protocol.data_received.assert_called_once_with(b"x")
    with_steps(mock.Mock(), call)
    assert calls == []


def test_no_code_of_the_protocols_is_run(call):
    class Odd(asyncio.Protocol):
        @property
        def data_received(self):
            raise RuntimeError("not connected")

        def __getattr__(self, name):
            raise RuntimeError(name)

    class OddSlots(asyncio.Protocol):
        __slots__ = ("__weakref__",)

        def __getattr__(self, name):
            raise RuntimeError(name)

    protocol = Odd()
    with_steps(protocol, call)
    assert "data_received" not in vars(protocol)
    with_steps(OddSlots(), call)


def test_what_has_its_steps_gets_no_second_ones(call, calls):
    """An app makes one protocol for several connections, or upgrades its own to TLS."""
    protocol = made_by(Reads, call)
    with_steps(protocol, call)
    protocol.data_received(b"x")
    assert calls == ["data_received"]
