"""Calls of apps that nobody wraps are seen where their code begins, and where it ends."""

import asyncio
import inspect
import sys
import types

import pytest

from pytest_noblock.engine.asgi import look
from pytest_noblock.engine.asgi.look import TOOL_ID, Look
from pytest_noblock.engine.exchange import CURRENT

pytestmark = pytest.mark.skipif(sys.version_info < (3, 12), reason="Python 3.11 does not tell when a code begins")

SCOPE = {"type": "http", "method": "GET", "path": "/"}
OWNER = object()


class Entry:
    """What `boundary` makes: here it notes what it is told, and that its own `receive` and `send` were called."""

    def __init__(self, told, app):
        self.told = told
        self.calls = self.receive, self.send
        told.append(("enters", getattr(app, "__name__", type(app).__name__)))
        CURRENT.set(OWNER)

    async def receive(self):
        self.told.append("receives")
        return {"type": "http.request"}

    async def send(self, message):
        self.told.append("sends")

    def suspend(self):
        self.told.append("suspends")

    def resume(self):
        self.told.append("resumes")

    def leave(self, error):
        CURRENT.set(None)
        self.told.append(("leaves", type(error).__name__))


@pytest.fixture
def told():
    """What the look tells while the test runs."""
    told = []
    present = Look(lambda app, *call: Entry(told, app))
    present.start()
    yield told
    present.stop()
    assert sys.monitoring.get_tool(TOOL_ID) is None


async def not_called(*_):
    raise AssertionError


async def plain(scope, receive, send):
    await receive()
    await send({})


async def of_cells(scope, receive, send):
    async def inner():
        await send({})
        await receive()

    await inner()


async def other_names(a, b, c):
    await b()
    await c({})


async def waits(scope, receive, send):
    await asyncio.sleep(0)


async def raises(scope, receive, send):
    raise ValueError


async def outer(scope, receive, send):
    await plain(scope, receive, send)


async def no_app(first, second, third):
    return first


class App:
    async def __call__(self, scope, receive, send):
        await plain(scope, receive, send)


async def compares(scope, receive, send):
    assert [receive, send] == [not_called] * 2
    assert send == receive
    assert receive != compares
    assert len({receive, send, not_called}) == 1
    assert receive.__name__ == "not_called"
    assert inspect.iscoroutinefunction(receive)


ENDS = ("leaves", "NoneType")


@pytest.mark.parametrize(
    ("app", "expected"),
    [
        (plain, [("enters", "Function"), "receives", "sends", ENDS]),
        (of_cells, [("enters", "Function"), "sends", "receives", ENDS]),
        (other_names, [("enters", "Function"), "receives", "sends", ENDS]),
        (outer, [("enters", "Function"), "receives", "sends", ENDS]),
        (App(), [("enters", "App"), "receives", "sends", ENDS]),
        (App().__call__, [("enters", "App"), "receives", "sends", ENDS]),
        (compares, [("enters", "Function"), ENDS]),
        (waits, [("enters", "Function"), "suspends", "resumes", ENDS]),
    ],
)
def test_a_call_is_a_request_from_its_begin_to_its_end(told, app, expected):
    for _ in range(3):
        told.clear()
        asyncio.run(app(SCOPE, not_called, not_called))
        assert told == expected


def test_what_it_raises_is_raised_and_noted(told):
    for _ in range(2):
        with pytest.raises(ValueError, match=r"^$"):
            asyncio.run(raises(SCOPE, not_called, not_called))
    assert told == [("enters", "Function"), ("leaves", "ValueError")] * 2


def heard_by():
    """Who is called for each frame, of all code, that an error leaves."""
    unwind = sys.monitoring.events.PY_UNWIND
    function = sys.monitoring.register_callback(TOOL_ID, unwind, None)
    sys.monitoring.register_callback(TOOL_ID, unwind, function)
    return function


def test_errors_of_other_code_are_heard_only_while_a_call_is_open(told):
    async def app(scope, receive, send):
        told.append(heard_by() is not None)
        await raises(scope, receive, send)

    for _ in range(2):
        with pytest.raises(ValueError, match=r"^$"):
            asyncio.run(app(SCOPE, not_called, not_called))
    assert [each for each in told if each is True or each[0] == "leaves"] == [True, ("leaves", "ValueError")] * 2
    assert heard_by() is None


def test_a_call_within_a_request_is_part_of_it(told):
    async def within():
        CURRENT.set(OWNER)
        await waits(SCOPE, not_called, not_called)

    asyncio.run(within())
    assert told == []


@pytest.mark.parametrize("given", [1, {}, {"type": "other"}, None])
def test_a_coroutine_of_three_values_is_no_app_without_a_scope(told, given):
    assert asyncio.run(no_app(given, not_called, not_called)) == given
    assert told == []


def test_an_ended_look_tells_nothing_and_a_new_one_does(told):
    others = []
    assert Look(lambda *_: others.append(1)).start() is None  # the tool is taken: it stays off
    asyncio.run(plain(SCOPE, not_called, not_called))
    assert told
    assert others == []


def test_without_a_look_the_app_gets_what_it_was_given():
    over = Look(lambda app, *call: Entry([], app))
    over.start()
    over.stop()
    got = []

    async def receive():
        got.append("receive")

    async def send(message):
        got.append("send")

    asyncio.run(plain(SCOPE, receive, send))
    assert got == ["receive", "send"]


def test_two_apps_of_equal_code_are_both_seen_to_their_end(told):
    """As where a file is a copy of another one: the two codes are equal, and not the same."""
    copy = types.FunctionType(waits.__code__.replace(), globals())
    assert copy.__code__ == waits.__code__
    assert copy.__code__ is not waits.__code__
    for app in (waits, copy):
        told.clear()
        asyncio.run(app(SCOPE, not_called, not_called))
        assert [each for each in told if "resumes" in each or "leaves" in each] == ["resumes", ("leaves", "NoneType")]


def test_a_layer_of_the_app_makes_no_object_of_its_frame(told, monkeypatch):
    """A request passes ten of them. The object takes longer to make than all else that the look does there."""
    asked = []

    async def within():
        CURRENT.set(OWNER)
        await plain(SCOPE, receives, receives)

    async def receives(*_):
        """In the place of the client's side."""

    asyncio.run(within())
    monkeypatch.setattr(look.sys, "_getframe", asked.append)
    asyncio.run(within())
    monkeypatch.undo()
    assert asked == []
    asyncio.run(plain(SCOPE, not_called, not_called))
    assert told == [("enters", "Function"), "receives", "sends", ENDS]
