"""Whatever an ASGI app does: the fixture has a check of it, and a watched test ends as it does without the plugin."""

import asyncio
import contextlib

import httpx
import pytest

pytest.importorskip("hypothesis")
from hypothesis import example, given
from hypothesis import strategies as st

from pytest_noblock.checks.plan import Plan
from pytest_noblock.checks.running_apps import RunningApps
from pytest_noblock.engine import guard
from pytest_noblock.engine.observe import Request
from pytest_noblock.engine.usercode import UserCode
from pytest_noblock.engine.watch import Kit
from pytest_noblock.model.check import Check
from pytest_noblock.model.limits import Limits
from pytest_noblock.plugin.settings import Settings
from pytest_noblock.plugin.watching import ItemRecorder
from pytest_noblock.report.failure import failure
from tests.fuzzing import ANYTHING_TWICE, Rude, examples

pytestmark = pytest.mark.one_python

LIMITS = Limits(10**9, linger=10**7)
START = {"type": "http.response.start", "status": 200, "headers": [(b"a", b"b")]}
BODY = {"type": "http.response.body", "body": b"text"}


class Own(BaseException):
    """What no `except Exception` catches."""


class Stop(Exception):
    """The app returns early."""


ERRORS = [
    ValueError, RuntimeError, Rude, Own, Stop, asyncio.CancelledError, StopAsyncIteration, TimeoutError, RecursionError,
    SystemExit, KeyboardInterrupt, GeneratorExit, MemoryError, OSError, UnicodeError,
]  # fmt: skip
MESSAGES = st.one_of(
    st.just(START),
    st.just(BODY),
    st.just({**BODY, "more_body": True}),
    st.fixed_dictionaries(
        {"type": st.just("http.response.start")}, optional={"status": ANYTHING_TWICE, "headers": ANYTHING_TWICE}
    ),
    st.fixed_dictionaries(
        {"type": st.just("http.response.body")}, optional={"body": ANYTHING_TWICE, "more_body": ANYTHING_TWICE}
    ),
    st.fixed_dictionaries({"type": st.sampled_from(["http.disconnect", "websocket.accept", "http.response.trailers"])}),
    st.dictionaries(st.sampled_from(["type", "status"]), ANYTHING_TWICE, max_size=2),
    ANYTHING_TWICE,
)
ACTIONS = st.one_of(
    st.tuples(st.just("send"), MESSAGES),
    st.tuples(st.just("send"), MESSAGES),
    st.tuples(st.just("send to the end"), MESSAGES),
    st.tuples(st.just("receive"), st.none()),
    st.tuples(st.just("sleep"), st.sampled_from([0, 0.001])),
    st.tuples(st.just("raise"), st.sampled_from(ERRORS)),
    st.tuples(st.just("leave a task"), MESSAGES),
)


class App:
    """Does what it is told, for each request anew."""

    def __init__(self):
        self.actions = []
        self.tasks = []

    async def __call__(self, scope, receive, send):
        for name, what in self.actions:
            await self._do(name, what, receive, send)

    async def _do(self, name, what, receive, send):
        if name == "send":
            await send(what)
        elif name == "send to the end":
            try:
                await send(what)
            except Exception:
                await send(what)
        elif name == "receive":
            await receive()
        elif name == "sleep":
            await asyncio.sleep(what)
        elif name == "raise":
            if what is Stop:
                return
            raise what("it")
        else:
            self.tasks.append(asyncio.get_running_loop().create_task(self._sends(send, what)))

    async def _sends(self, send, message):
        try:
            await send(message)
        except Exception:
            """It came after the end."""


@pytest.fixture(scope="module")
def checked():
    """The check of one request to an app that takes these actions."""
    apps, app = RunningApps("/", "portable"), App()

    def checked(actions, method):
        app.actions = []
        checker = apps.checker(app)  # a new loop, where the last one was ended
        app.actions = actions
        request = Request(method, "/", {"timeout": 0.3})
        return checker.check("test_it", request, Plan(LIMITS, warmup=False))

    yield checked
    apps.stop()


NO_TYPE = [("send", {}), ("send", START), ("send", BODY)]
NO_STATUS = [("send", {"type": "http.response.start"})]
AFTER_THE_END = [("send", START), ("send", BODY), ("send", BODY), ("send", START)]


@examples(60)
@example(NO_TYPE, "GET")
@example(NO_STATUS, "GET")
@example(AFTER_THE_END, "POST")
@example([("raise", SystemExit)], "GET")
@example([("raise", Rude)], "GET")
@given(actions=st.lists(ACTIONS, max_size=5), method=st.sampled_from(["GET", "POST"]))
def test_the_outcome_of_the_fixture_is_a_check(checked, actions, method):
    check = checked(actions, method)
    assert isinstance(check, Check)
    assert check.outcome in ("passed", "failed", "inconclusive")
    assert guard.taken() == []  # no fault of ours
    if check.outcome == "inconclusive":
        assert failure(check).isprintable()


async def requested(app):
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://testserver") as client:
        response = await asyncio.wait_for(client.get("/"), 0.2)
        return response.status_code, response.headers.multi_items(), response.content


def outcome(actions):
    """How a test ends that sends a request with httpx."""
    app = App()
    app.actions = actions
    loop = asyncio.new_event_loop()  # `asyncio.run` looks at the `repr` of exceptions, and leaves its signal handler
    loop.set_exception_handler(lambda loop, context: None)
    try:
        return loop.run_until_complete(requested(app))
    except BaseException as error:
        return type(error), tuple(map(type, error.args)), type(error.__cause__)
    finally:
        _close(loop)


def _close(loop):
    """As `asyncio.run` closes it: a body that the app was reading waits for somebody to end it."""
    for ended in (_tasks_end(), loop.shutdown_asyncgens()):
        with contextlib.suppress(BaseException):
            loop.run_until_complete(ended)
    loop.close()


async def _tasks_end():
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)


@pytest.fixture(scope="module")
def watched():
    kit = Kit("portable", UserCode("/"))

    def watched(actions):
        recorder = ItemRecorder(kit, LIMITS, shares_kit=True)
        recorder.start()
        try:
            result = outcome(actions)
        finally:
            recorder.stop()
            recorder.leave()
        return result, recorder.checks("test_it", Settings(LIMITS))

    yield watched
    kit.close()


@examples(60)
@example(NO_TYPE)
@example(NO_STATUS)
@example(AFTER_THE_END)
@example([("raise", KeyboardInterrupt)])
@example([("send", START), ("raise", Rude)])
@given(actions=st.lists(ACTIONS, max_size=5))
def test_a_watched_test_ends_as_it_does_without_the_plugin(watched, actions):
    without = outcome(actions)
    result, checks = watched(actions)
    assert result == without
    assert guard.taken() == []
    assert all(isinstance(check, Check) for check in checks)
