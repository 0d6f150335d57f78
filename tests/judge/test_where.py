"""Where a line runs, by its stack, and how the advice is put there. One row is one place; the stack goes outward."""

import re
from pathlib import Path

import pytest

from pytest_noblock.judge.advice import replacement
from pytest_noblock.judge.where import where
from pytest_noblock.model.frames import Frame
from pytest_noblock.model.observation import Exchange, Phase
from pytest_noblock.model.rules import Readings, Rule
from pytest_noblock.model.stall import BlamedLine, Stall
from pytest_noblock.model.where import Where

SOURCE = """
async def thing():
    time.sleep(1)

async def awaiting():
    await other()
    time.sleep(1)

async def outer():
    return helper(1)

def helper(seconds):
    time.sleep(seconds)

async def drops():
    D()

async def enters():
    with held(1):
        print(1)

async def enters_and_awaits():
    with held(1):
        await other()

async def waits():
    await Ready()

async def loops():
    for row in Rows():
        print(row)

async def reads():
    print(f"{thing}")

async def dumps():
    json.dumps(basket.total)

async def sorts():
    sorted(items, key=helper)

async def logs():
    LOG.error("%s", row)

async def imports():
    import slow

@functools.lru_cache
def kept():
    time.sleep(1)

async def asks():
    return kept()

async def goes_on():
    items.close()
"""
LINES = {"thing": 3, "awaiting": 7, "outer": 10, "helper": 13, "Query.price": 10}
LINES |= {"drops": 16, "enters": 19, "enters_and_awaits": 23, "waits": 27, "loops": 30, "reads": 34, "dumps": 37}
LINES |= {"sorts": 40, "logs": 43, "imports": 46, "kept": 50, "asks": 53}
LINES |= {"goes_on": 56}
SLEEP = "await asyncio.sleep(...)"
LATER = "asyncio.get_running_loop().call_later(seconds, f), with what comes after the sleep in f"
TASK = f"asyncio.create_task(...) of an async def with {SLEEP}"
BELOW = f"await asyncio.to_thread(helper, ...) at app.py:10, or an async def `helper` with {SLEEP}, awaited there"
ROUTE = "fastapi.routing:run_endpoint_function"
PLAIN = "or make the endpoint `thing` a plain def"


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "app.py"
    path.write_text(SOURCE, encoding="utf-8")
    return str(path)


def frames(spec: str, file: str) -> tuple[Frame, ...]:
    """`helper < async outer < starlette.routing:app`: names without a module are the user's; `*` marks an ASGI app."""
    return tuple(_frame(part.strip(), file) for part in spec.split("<"))


def _frame(part: str, file: str) -> Frame:
    match = re.fullmatch(r"(async |asyncgen |gen |template )?(\*)?(?:([\w.]+):)?([\w.@]+)", part)
    assert match is not None, part
    form = {"async ": "async def", "asyncgen ": "async generator", "gen ": "generator", "template ": "template"}.get(
        match[1], "def"
    )
    name = {"@lambda": "<lambda>", "@listcomp": "<listcomp>", "@module": "<module>"}.get(match[4], match[4])
    user = match[3] is None
    return Frame(
        file=file if user else "/lib.py",
        line=LINES.get(name, 3),
        function=name.rpartition(".")[2],
        call="time.sleep",
        user=user,
        asgi=bool(match[2]),
        form=form,
        module=match[3] or "app",
        qualname=name,
    )


def place_of(
    spec: str, file: str, *, method: str = "GET", endpoint_form: str = "async def", at: int = 5, blamed: int = 0
) -> Where:
    stack = frames(spec, file)
    defined = Frame(file, 1, "report", user=True, form=endpoint_form)
    exchange = Exchange(
        1,
        method,
        "/x",
        sent=0,
        completed=10,
        returned=20,
        endpoint="app.report" if method == "GET" else None,
        defined=defined,
    )
    line = stack[0] if stack[0].user else next((each for each in stack if each.line == blamed), None)
    stall = Stall(
        "sync-io", exchange, at, at, 0, 60_000_000, BlamedLine(line, stack), Rule("slept", ""), Readings(wall=0)
    )
    return where(stall)


def advised(place: Where) -> str:
    text = replacement("time.sleep", "sync-io", where=place)
    return re.sub(r"/\S*app\.py", "app.py", text)


@pytest.mark.parametrize(
    ("spec", "role", "text"),
    [
        (
            f"async thing < {ROUTE} < fastapi.routing:app",
            "path operation",
            f"{SLEEP}, or make the endpoint a plain def",
        ),
        (f"async awaiting < {ROUTE}", "path operation", SLEEP),  # it awaits something else
        (f"helper < async outer < {ROUTE}", "path operation", f"{BELOW}, or make the endpoint `outer` a plain def"),
        (f"async thing < async wrapper < {ROUTE}", "path operation", SLEEP),  # a decorator awaits it
        (f"async thing < slowapi.extension:async_wrapper < {ROUTE}", "path operation", SLEEP),
        (f"async thing < contextlib:inner < {ROUTE}", "path operation", SLEEP),
        (f"@listcomp < async thing < {ROUTE}", "path operation", f"{SLEEP}, or make the endpoint a plain def"),
        (f"async thing < pytest_noblock.x:y < {ROUTE}", "path operation", f"{SLEEP}, or make the endpoint a plain def"),
        ("async thing < litestar.handlers:to_response", "task", SLEEP),  # nobody knows what it does with a plain def
        (
            "async thing < fastapi.dependencies.utils:solve_dependencies",
            "dependency",
            f"{SLEEP}, or make the dependency `thing` a plain def",
        ),
        (
            (
                "asyncgen thing < contextlib:__aexit__ < fastapi.concurrency:_shielded < contextlib:__aexit__"
                " < fastapi.routing:app"
            ),
            "dependency teardown",
            f"{SLEEP}, or make the dependency `thing` a plain def",
        ),
        (
            "asyncgen thing < sse_starlette.sse:_stream_response",
            "response stream",
            f"{SLEEP}, or make the generator `thing` a plain def: a sync generator is iterated in a thread",
        ),
        ("async thing < starlette.middleware.base:__call__", "middleware", SLEEP),
        ("async *thing < async *other < async *starlette.applications:__call__", "middleware", SLEEP),
        ("async *thing < async *starlette.middleware.errors:__call__", "middleware", SLEEP),
        ("async *thing < async starlette.routing:handle", "ASGI app", SLEEP),
        ("async *thing", "ASGI app", SLEEP),
        ("async thing < asyncio.events:_run", "task", SLEEP),
        ("async thing", "task", SLEEP),
        ("@lambda < asyncio.events:_run", "loop callback", f"{LATER}, or {TASK}"),
        (
            "helper < greenlet:run",
            "greenlet",
            f"take it out of `helper`, which a greenlet runs: in the coroutine that awaits run_sync write {SLEEP}",
        ),
        (
            "thing < other < greenlet:run",
            "greenlet",
            f"take it out of `other`, which a greenlet runs: in the coroutine that awaits run_sync write {SLEEP}",
        ),
        (
            "helper < threading:settrace < asyncio.events:_run",
            "library callback",
            (
                f"take it out of `helper`, which threading calls and does not await, or {LATER}, "
                "if threading needs no value of it"
            ),
        ),
        (
            f"helper < slowapi.extension:_check < slowapi.extension:async_wrapper < {ROUTE}",
            "library callback",
            (
                f"an async def in the place of `helper`, if slowapi awaits one, or {LATER}, "
                "if slowapi needs no value of it"
            ),
        ),
        (
            "helper < mcp.server.fastmcp:call_fn_with_arg_validation < async mcp.server:run",
            "MCP tool",
            f"make the tool `helper` an async def with {SLEEP}",
        ),
        (
            "helper < Query.price < strawberry.types:__call__ < async strawberry.schema:execute",
            "GraphQL resolver",
            (
                "make the resolver `Query.price` an async def with await asyncio.to_thread(helper, ...) at app.py:10, "
                f"or an async def `helper` with {SLEEP}, awaited there"
            ),
        ),
        (
            (
                "Exporter.export < opentelemetry.sdk.trace.export:on_end < opentelemetry.sdk.trace:end"
                f" < async thing < {ROUTE}"
            ),
            "span processor",
            f"BatchSpanProcessor in the place of SimpleSpanProcessor: it exports in a thread of its own, {PLAIN}",
        ),
        (
            f"Handler.emit < logging:handle < logging:error < async thing < {ROUTE}",
            "logging handler",
            f"a logging.handlers.QueueHandler: its QueueListener calls `Handler.emit` in a thread of its own, {PLAIN}",
        ),
        (
            "helper < starlette.routing:startup",
            "lifespan",
            f"make the lifespan function `helper` an async def with {SLEEP}",
        ),
        (
            "Model.check < pydantic.main:validate_python < async fastapi.routing:app",
            "validator",
            f"take it out of the validator `Model.check`: in the endpoint `report` write {SLEEP}",
        ),
        (
            (
                "Model.shown < pydantic.type_adapter:dump_python < fastapi.routing:serialize_response"
                " < async fastapi.routing:app"
            ),
            "serializer",
            f"take it out of the serializer `Model.shown`: in the endpoint `report` write {SLEEP}",
        ),
        (
            "Model.check < pydantic.type_adapter:validate_python < fastapi.routing:serialize_response",
            "validator",
            (
                f"take it out of the validator `Model.check`: in the endpoint `report` write {SLEEP}, or make the"
                " endpoint `report` a plain def: FastAPI then validates its answer in a thread"
            ),
        ),
        (
            "Page.render < starlette.responses:__init__ < async fastapi.routing:app",
            "response render",
            "return await asyncio.to_thread(Page, ...) from the endpoint `report`: it is rendered in a thread",
        ),
        (
            (
                "helper < template root < jinja2.environment:render < starlette.templating:TemplateResponse"
                f" < async thing < {ROUTE}"
            ),
            "template",
            "await asyncio.to_thread(...) at app.py:3, or make the endpoint `thing` a plain def",
        ),
    ],
)
def test_the_remedy_can_be_typed_in_where_the_line_runs(file: str, spec: str, role: str, text: str) -> None:
    place = place_of(spec, file)
    text = text.replace("to_thread(...) at app.py:3", "to_thread(time.sleep, ...) at app.py:3")
    assert (place.role, advised(place)) == (role, text)


BLOCK = "await asyncio.to_thread(...) of a function that has the whole with block of app.py:19"
BY_ASYNC_WITH = f"an @asynccontextmanager async def `held` with {SLEEP}, entered by async with at app.py:"
BEFORE = "awaited before app.py:16 lets go of the object"
BOTH = "async defs `__aenter__` and `__aexit__`"
BY_WITH = "entered by async with at app.py:19"
STACK, ASYNC_STACK = "contextlib:ExitStack.__exit__", "async contextlib:AsyncExitStack.__aexit__"
IN_PLACE = "in the place of callback, with an AsyncExitStack at app.py:19"
PUSHED = f"push_async_callback {IN_PLACE}, or push_async_callback(asyncio.to_thread, ...) {IN_PLACE}"
OF = ", for the exit stack at app.py:23"
ENTERED = f"entered by enter_async_context in the place of enter_context{OF}"
THEN = "which then awaits the coroutine"
TAKEN_OUT = "take the call out of the top level of the module, into a function that start-up (lifespan) calls"
RUN_SYNC = "anyio.from_thread.run_sync"
IN_THREAD = f"in the thread itself, without {RUN_SYNC}"
IMPORTED = "import the module once, at start-up (an import at the top of the app's module), and not in a request"


def plain(name: str) -> str:
    return f", or make the endpoint `{name}` a plain def"


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        (
            "D.__del__ < async drops",
            f"an async def aclose with {SLEEP} in the place of `D.__del__`, {BEFORE}" + plain("drops"),
        ),
        (
            "helper < D.__del__ < async drops",
            f"an async def aclose with await asyncio.to_thread(...) in the place of `D.__del__`, {BEFORE}"
            + plain("drops"),
        ),
        (
            "helper < weakref:__call__ < async drops",
            f"an async def aclose with {SLEEP} in the place of `helper`, awaited before app.py:16 lets go of the object"
            + plain("drops"),
        ),
        ("D.__init__ < async drops", "await asyncio.to_thread(D, ...) at app.py:16" + plain("drops")),
        ("Base.__init__ < async drops", "await asyncio.to_thread(D, ...) at app.py:16" + plain("drops")),
        ("gen held < contextlib:__exit__ < async enters", f"{BY_ASYNC_WITH}19, or {BLOCK}{plain('enters')}"),
        ("gen held < contextlib:__enter__ < async enters", f"{BY_ASYNC_WITH}19, or {BLOCK}{plain('enters')}"),
        ("gen held < contextlib:__exit__ < async enters_and_awaits", f"{BY_ASYNC_WITH}23"),
        (
            "D.__exit__ < async enters",
            f"{BOTH} in the place of `D.__exit__` and its twin, with {SLEEP}, {BY_WITH}, or {BLOCK}{plain('enters')}",
        ),
        (
            f"@lambda < contextlib:_exit_wrapper < {STACK} < async enters",
            f"an async def in the place of the lambda, with {SLEEP}, given to {PUSHED}, or {BLOCK}{plain('enters')}",
        ),
        (
            f"gen held < contextlib:__exit__ < {ASYNC_STACK} < async enters_and_awaits",
            f"an @asynccontextmanager async def `held` with {SLEEP}, {ENTERED}",
        ),
        (
            f"D.__exit__ < {ASYNC_STACK} < async enters_and_awaits",
            f"{BOTH} in the place of `D.__exit__` and its twin, with {SLEEP}, {ENTERED}",
        ),
        (
            f"helper < {ASYNC_STACK} < async enters_and_awaits",
            f"an async def in the place of `helper`, with {SLEEP}, given to push_async_exit in the place of push{OF}",
        ),
        (
            "helper < asyncio.base_events:create_task < asyncio.tasks:gather < async awaiting",
            f"take it out of the task factory `helper`: let it return a task of an async def with {SLEEP}, {THEN}",
        ),
        (
            "helper < asyncio.base_events:call_exception_handler < async awaiting",
            "take it out of `helper`, which asyncio calls and does not await",
        ),
        (
            "gen Ready.__await__ < async waits",
            f"an async def wait with {SLEEP}, and return self.wait().__await__() in `Ready.__await__`",
        ),
        (
            "gen Rows.__iter__ < async loops",
            "await asyncio.to_thread(next, items, None) for each item at app.py:30, with items = iter(...), or an async"
            f" def `__aiter__` with {SLEEP}, read there by async for" + plain("loops"),
        ),
        (
            "Rows.__next__ < async loops",
            "await asyncio.to_thread(next, items, None) for each item at app.py:30, with items = iter(...), or an async"
            f" def `__anext__` with {SLEEP}, read there by async for" + plain("loops"),
        ),
        ("Rows.__iter__ < async loops", "await asyncio.to_thread(iter, ...) at app.py:30" + plain("loops")),
        (
            "Row.__str__ < async reads",
            "await asyncio.to_thread(...) around what calls `Row.__str__` at app.py:34" + plain("reads"),
        ),
        (
            "Basket.total < async dumps",
            "await asyncio.to_thread(...) around what calls `Basket.total` at app.py:37" + plain("dumps"),
        ),
        (
            "Basket.total < functools:__get__ < async dumps",
            "await asyncio.to_thread(...) around what calls `Basket.total` at app.py:37" + plain("dumps"),
        ),
        ("kept < async asks", "await asyncio.to_thread(kept, ...) at app.py:53" + plain("asks")),
        (
            "gen rows < async goes_on",
            "await asyncio.to_thread(next, items, None) for each item at app.py:56, with items = the generator"
            + plain("goes_on"),
        ),
        ("helper < async sorts", "await asyncio.to_thread(sorted, ...) at app.py:40" + plain("sorts")),
        (
            "Row.__str__ < logging:getMessage < logging:error < async logs",
            "await asyncio.to_thread(LOG.error, ...) at app.py:43" + plain("logs"),
        ),
        (
            "@module < importlib._bootstrap:_find_and_load < async imports",
            f"{IMPORTED}, or {TAKEN_OUT}{plain('imports')}",
        ),
    ],
)
def test_what_no_written_call_runs_is_moved_another_way(file: str, spec: str, text: str) -> None:
    assert advised(place_of(f"{spec} < {ROUTE}", file)) == text


@pytest.mark.parametrize(
    ("spec", "call", "text"),
    [
        (
            f"contextlib:_exit_wrapper < {ASYNC_STACK} < async enters_and_awaits",
            "time.sleep",
            "push_async_callback(asyncio.sleep, ...) in the place of callback",
        ),
        (
            f"contextlib:_exit_wrapper < {ASYNC_STACK} < async enters_and_awaits",
            "requests.get",
            "push_async_callback(asyncio.to_thread, requests.get, ...) in the place of callback",
        ),
        (
            f"contextlib:_exit_wrapper < {ASYNC_STACK} < async enters_and_awaits",
            "contextlib.AsyncExitStack",
            "push_async_callback(asyncio.to_thread, ...) in the place of callback",
        ),
        (
            f"contextlib:_exit_wrapper < {STACK} < async enters_and_awaits",
            "time.sleep",
            "push_async_callback(asyncio.sleep, ...) in the place of callback, with an AsyncExitStack",
        ),
        (
            f"{ASYNC_STACK} < async enters_and_awaits",
            "shutil.rmtree",
            "take it out of the exit stack: after its block write await asyncio.to_thread(...)",
        ),
    ],
)
def test_what_an_exit_stack_calls_for_a_coroutine_is_no_call_of_its_line(
    file: str, spec: str, call: str, text: str
) -> None:
    place = place_of(f"{spec} < {ROUTE}", file, blamed=LINES["enters_and_awaits"])
    assert replacement(call, "sync-io", where=place) == text


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        (
            "@module < importlib._bootstrap:_find_and_load",
            f"{IMPORTED}, or {TAKEN_OUT}",
        ),
        (
            "D.__del__ < asyncio.events:_run",
            f"an async def aclose with {SLEEP} in the place of `D.__del__`, awaited before the object goes",
        ),
        (
            "helper < weakref:__call__ < fastapi.routing:run_endpoint_function < async fastapi.routing:app",
            f"an async def aclose with {SLEEP} in the place of `helper`, awaited before the object goes",
        ),
        (
            "gen held < contextlib:__enter__ < contextlib:inner < fastapi.routing:run_endpoint_function",
            f"take it out of the callback `held`: in the endpoint `report` write {SLEEP}",
        ),
        ("Row.__str__ < cache:put < asyncio.events:_run", "take it out of `Row.__str__`, which nobody can await"),
        (
            "helper < anyio._backends._asyncio:wrapper < asyncio.events:_run",
            f"helper {IN_THREAD}, or anyio.from_thread.run(helper, ...) of an async def `helper` with {SLEEP}",
        ),
        (
            "other < helper < anyio._backends._asyncio:wrapper < asyncio.events:_run",
            f"helper {IN_THREAD}",
        ),
        (
            "anyio._backends._asyncio:wrapper < asyncio.events:_run",
            f"time.sleep {IN_THREAD}, or anyio.from_thread.run(asyncio.sleep, ...) in the place of {RUN_SYNC}",
        ),
    ],
)
def test_what_no_coroutine_calls_is_moved_another_way(file: str, spec: str, text: str) -> None:
    assert advised(place_of(spec, file)) == text


def test_an_import_that_computes_names_no_call(file: str) -> None:
    (line, *outer) = frames(f"async imports < {ROUTE}", file)
    exchange = Exchange(1, "GET", "/x", sent=0, completed=10, returned=20)
    place = BlamedLine(line._replace(call=None), (line._replace(call=None), *outer))
    importing = Stall("cpu", exchange, 5, 5, 0, 60_000_000, place, Rule("cpu", ""), Readings(wall=0))
    assert replacement(None, "cpu", where=where(importing)) == IMPORTED


def test_the_line_of_a_session_is_where_the_thread_is_asked(file: str) -> None:
    text = replacement(
        "sqlalchemy.orm.Session.scalars", "sync-network", where=place_of(f"helper < async outer < {ROUTE}", file)
    )
    assert re.search(
        r"await asyncio.to_thread\(...\) at \S+:10 around a function that opens, uses and closes its own", text
    )


def test_a_websocket_has_no_thread(file: str) -> None:
    place = place_of("async thing < fastapi.routing:app", file, method="WEBSOCKET")
    assert (place.role, advised(place)) == ("websocket", SLEEP)


def test_what_a_plain_def_has_for_a_validator_is_no_await(file: str) -> None:
    place = place_of("Model.check < pydantic.main:validate_python", file, endpoint_form="def")
    assert advised(place) == (
        "take it out of the validator `Model.check`, and make the call in the endpoint `report`: a plain def runs in a"
        " thread"
    )


@pytest.mark.parametrize(
    ("spec", "at", "served"),
    [
        (
            "redis.client:incr < async *limits.asgi:Gate.__call__ < async *starlette.middleware.errors:__call__",
            5,
            "the middleware `Gate`",
        ),
        (
            "redis.client:incr < async fastapi.routing:app < async *limits.asgi:Gate.__call__",
            5,
            "the endpoint `report`",
        ),
        ("redis.client:incr < async *starlette.middleware.errors:__call__", 5, "the endpoint `report`"),
        (
            "redis.client:incr < async limits.base:Gate.dispatch < async *starlette.middleware.base:__call__",
            5,
            "the middleware `Gate`",
        ),
        (
            "redis.client:incr < async *limits.asgi:_Inner.__call__ < async *limits.asgi:Gate.__call__",
            5,
            "the middleware `Gate`",
        ),
        ("redis.client:incr < async *metrics:app < async starlette.routing:handle", 5, "the endpoint `report`"),
        ("redis.client:incr", 15, "a background task of GET /x"),
        ("redis.client:incr", 25, "what GET /x left behind"),
    ],
)
def test_where_no_line_of_the_users_ran_what_was_served_is_named(file: str, spec: str, at: int, served: str) -> None:
    assert place_of(spec, file, at=at).served == served


def test_a_function_in_c_that_the_loop_called_is_a_callback(file: str) -> None:
    (loop,) = frames("asyncio.events:_run", file)
    exchange = Exchange(1, "GET", "/x", sent=0, completed=1, returned=2, defined=Frame(file, 2, "thing", user=True))
    place = BlamedLine(exchange.defined, (loop,), "call", call="time.sleep")
    left = Stall("sync-io", exchange, 5, 6, 0, 60_000_000, place, Rule("slept", ""), Readings(wall=0))
    assert left.phase is Phase.DETACHED
    assert advised(where(left)) == f"{LATER}, or {TASK}"


@pytest.mark.parametrize("by", ["asyncio.events:_run", ""], ids=["asyncio", "uvloop"])
def test_a_function_in_c_of_no_request_that_the_loop_called_is_a_callback_too(file: str, by: str) -> None:
    """No `await` can be typed into it, and no endpoint stands for it. uvloop calls it from no frame."""
    stack = frames(by, file) if by else ()
    exchange = Exchange(1, "GET", "/x", sent=0, completed=9, returned=9)
    place = BlamedLine(None, stack, "call", call="time.sleep")
    stall = Stall("sync-io", exchange, 5, 6, 0, 60_000_000, place, Rule("slept", ""), Readings(wall=0), of_app=True)
    assert where(stall).role == "loop callback"
    assert advised(where(stall)) == f"{LATER}, or {TASK}"


def test_what_a_callback_calls_beside_a_sleep_goes_to_a_thread_that_nobody_waits_for(file: str) -> None:
    (loop,) = frames("asyncio.events:_run", file)
    exchange = Exchange(1, "GET", "/x", sent=0, completed=9, returned=9)
    place = BlamedLine(None, (loop,), "call", call="requests.get")
    stall = Stall("sync-io", exchange, 5, 6, 0, 60_000_000, place, Rule("slept", ""), Readings(wall=0))
    text = replacement("requests.get", "sync-network", where=where(stall))
    assert text.startswith(
        "asyncio.get_running_loop().run_in_executor(None, requests.get, ...), which nobody waits for"
    )
