# ruff: noqa: B008  # FastAPI reads defaults
"""An app that blocks in many places: each line that ends with `# name` blocks the route `/name`."""

import asyncio
import contextlib
import hashlib
import logging
import logging.handlers
import socket
import time
import urllib.request
from typing import Annotated

import anyio.from_thread
import anyio.to_process  # a repaired twin of this app has a process compute
import jinja2
from advised_services import CONTEXT, LINES, SECURE, SLOW
from fastapi import BackgroundTasks, Depends, FastAPI, Query, Request
from fastapi.responses import JSONResponse, PlainTextResponse, StreamingResponse
from graphql import GraphQLField, GraphQLObjectType, GraphQLSchema, GraphQLString, graphql
from pydantic import BaseModel, field_serializer, field_validator
from starlette.endpoints import HTTPEndpoint

ROUNDS = 400_000
LISTENER = socket.create_server(("127.0.0.1", 0))
SERVER = LISTENER.getsockname()
app = FastAPI()


@app.get("/here")
async def here():
    time.sleep(0.06)  # here


@app.get("/here-network")
async def here_network():
    socket.create_connection(SERVER)  # here-network


@app.get("/here-handshake")
async def here_handshake():
    loop, connected = asyncio.get_running_loop(), socket.socket()
    connected.setblocking(False)
    await loop.sock_connect(connected, SECURE)
    connected.setblocking(True)
    CONTEXT.wrap_socket(connected)  # here-handshake


FILE = socket.create_connection(LINES).makefile("rwb")
FILE.readline()


@app.get("/here-lines")
async def here_lines():
    FILE.write(b"?")
    FILE.flush()
    return FILE.readline()  # here-lines


def line_asked():
    FILE.write(b"?")
    FILE.flush()
    return FILE.readline()  # below-lines


@app.get("/below-lines")
async def below_lines():
    return line_asked()


@app.get("/here-read")
async def here_read():
    return len(urllib.request.urlopen(SLOW).read())  # here-read


@app.get("/here-read-beside")
async def here_read_beside():
    return len(urllib.request.urlopen(SLOW).read()) + await asyncio.sleep(0, 1)  # here-read-beside


@app.get("/here-read-half")
async def here_read_half():
    return len((await asyncio.to_thread(urllib.request.urlopen, SLOW)).read())  # here-read-half


@app.get("/here-loop")
async def here_loop():
    for line in urllib.request.urlopen(SLOW):  # here-loop
        assert line


@app.get("/here-loop-beside")
async def here_loop_beside():
    for line in urllib.request.urlopen(SLOW):  # here-loop-beside
        await asyncio.sleep(0, line)


@app.get("/here-block")
async def here_block():
    with urllib.request.urlopen(SLOW + "at-once") as answer:  # here-block
        return answer.status


@app.get("/here-hash")
async def here_hash():
    hashlib.pbkdf2_hmac("sha256", b"", b"", ROUNDS)  # here-hash


@app.get("/awaits")
async def awaits():
    await asyncio.sleep(0)
    time.sleep(0.06)  # awaits


def load(seconds):
    time.sleep(seconds)  # below


@app.get("/below")
async def below():
    load(0.06)


def connect(server):
    socket.create_connection(server)  # below-network


@app.get("/below-network")
async def below_network():
    connect(SERVER)


def digest(rounds):
    return hashlib.pbkdf2_hmac("sha256", b"", b"", rounds)  # below-hash


@app.get("/below-hash")
async def below_hash():
    digest(ROUNDS)


def squares(count):
    return sum(number * number for number in range(count))  # below-squares


@app.get("/below-squares")
async def below_squares():
    return squares(1_500_000)


async def current_user():
    time.sleep(0.06)  # dependency


@app.get("/dependency")
def dependency(user=Depends(current_user)):
    return user


async def network_user():
    socket.create_connection(SERVER)  # dependency-network


@app.get("/dependency-network")
def dependency_network(user=Depends(network_user)):
    return {}


class Checker:
    async def __call__(self):
        time.sleep(0.06)  # checker


@app.get("/checker")
def checker(user=Depends(Checker())):
    return user


async def session():
    yield 1
    time.sleep(0.06)  # teardown


@app.get("/teardown")
def teardown(one=Depends(session)):
    return one


class Refused(Exception):
    pass


@app.exception_handler(Refused)
async def refused(request, error):
    time.sleep(0.06)  # handler
    return PlainTextResponse("no")


@app.get("/handler")
def handler():
    raise Refused


@app.middleware("http")
async def audit(request, call_next):
    if request.url.path == "/middleware":
        time.sleep(0.06)  # middleware
    return await call_next(request)


@app.get("/middleware")
def middleware():
    return {}


class Pure:
    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        if scope["path"] == "/pure":
            time.sleep(0.06)  # pure
        await self.app(scope, receive, send)


app.add_middleware(Pure)


@app.get("/pure")
def pure():
    return {}


async def raw(scope, receive, send):
    time.sleep(0.06)  # raw
    await PlainTextResponse("raw")(scope, receive, send)


app.mount("/raw", raw)


async def tokens():
    for number in range(2):
        time.sleep(0.06)  # stream
        yield f"{number}"


@app.get("/stream")
async def stream():
    return StreamingResponse(tokens())


def drawn():
    for number in range(2):
        time.sleep(0.06)  # stream-of-sync
        yield f"{number}"


async def passed_on():
    for token in drawn():
        yield token


@app.get("/stream-of-sync")
async def stream_of_sync():
    return StreamingResponse(passed_on())


class Wanted(BaseModel):
    name: str = "tea"

    @field_validator("name")
    @classmethod
    def in_stock(cls, value):
        time.sleep(0.06)  # validator
        return value


@app.get("/validator")
async def validator(wanted: Annotated[Wanted, Query()]):
    return {}


@app.get("/validator-of-plain")
def validator_of_plain(wanted: Annotated[Wanted, Query()]):
    return {}


class Answered(BaseModel):
    name: str = "tea"

    @field_validator("name")
    @classmethod
    def known(cls, value):
        time.sleep(0.06)  # validated
        return value


@app.get("/validated", response_model=Answered)
async def validated():
    return {"name": "tea"}


class Shown(BaseModel):
    name: str = "tea"

    @field_serializer("name")
    def upper(self, value):
        time.sleep(0.06)  # serializer
        return value.upper()


@app.get("/serializer")
async def serializer() -> Shown:
    return Shown()


class Slow(JSONResponse):
    def render(self, content):
        time.sleep(0.06)  # render
        return b"1"


@app.get("/render", response_class=Slow)
async def render():
    return 1


@app.get("/render-of-plain", response_class=Slow)
def render_of_plain():
    return 1


def looked_up():
    time.sleep(0.06)  # template
    return "tea"


PAGE = jinja2.Template("<p>{{ look() }}</p>")


@app.get("/template")
async def template():
    return PlainTextResponse(PAGE.render(look=looked_up))


def name_of(source, info):
    time.sleep(0.06)  # resolver
    return "tea"


def price():
    time.sleep(0.06)  # resolver-below
    return "1"


def price_of(source, info):
    return price()


FIELDS = {"name": GraphQLField(GraphQLString, resolve=name_of), "price": GraphQLField(GraphQLString, resolve=price_of)}
SCHEMA = GraphQLSchema(GraphQLObjectType("Query", FIELDS))


@app.get("/resolver")
async def resolver():
    return (await graphql(SCHEMA, "{ name }")).data


@app.get("/resolver-below")
async def resolver_below():
    return (await graphql(SCHEMA, "{ price }")).data


class Handler(logging.Handler):
    def emit(self, record):
        time.sleep(0.06)  # logged


LOG = logging.getLogger(__name__)
LOG.propagate = False
LOG.addHandler(Handler())


@app.get("/logged")
async def logged():
    LOG.error("no tea")


async def mail():
    time.sleep(0.06)  # background


@app.get("/background")
def background(tasks: BackgroundTasks):
    tasks.add_task(mail)


async def detached():
    await asyncio.sleep(0)
    time.sleep(0.06)  # detached


@app.get("/detached")
async def detaches():
    app.state.task = asyncio.create_task(detached())
    await asyncio.sleep(0.1)


@app.get("/timer")
async def timer():
    asyncio.get_running_loop().call_later(0.001, lambda: time.sleep(0.06))  # timer
    await asyncio.sleep(0.1)


@app.get("/timer-hash")
async def timer_hash():
    loop = asyncio.get_running_loop()
    loop.call_later(0.001, lambda: hashlib.pbkdf2_hmac("sha256", b"", b"", ROUNDS))  # timer-hash
    await asyncio.sleep(0.1)


@app.get("/done")
async def done():
    future = asyncio.get_running_loop().create_future()
    future.add_done_callback(lambda _: time.sleep(0.06))  # done
    future.set_result(1)
    await future
    await asyncio.sleep(0.02)


class Asked(HTTPEndpoint):
    async def get(self, request):
        time.sleep(0.06)  # classed
        return PlainTextResponse("")


app.add_route("/classed", Asked)


async def starlettes(request: Request):
    time.sleep(0.06)  # starlettes
    return PlainTextResponse("")


app.add_route("/starlettes", starlettes)


class Dropped:
    def __del__(self):
        time.sleep(0.06)  # finalizer


@app.get("/finalizer")
async def finalizer():
    Dropped()
    return 1


@contextlib.contextmanager
def locked():
    yield
    time.sleep(0.06)  # left


@app.get("/left")
async def left():
    with locked():
        pass


@app.get("/left-to-stack")
async def left_to_stack():
    async with contextlib.AsyncExitStack() as stack:  # left-to-stack
        stack.callback(time.sleep, 0.06)


def cleaned():
    time.sleep(0.06)  # left-to-own


@app.get("/left-to-own")
async def left_to_own():
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(cleaned)


class Held:
    def __enter__(self):
        return self

    def __exit__(self, *_):
        time.sleep(0.06)  # left-to-entered


@app.get("/left-to-entered")
async def left_to_entered():
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(Held())


def made_slowly(loop, coroutine, **named):
    time.sleep(0.06)  # task-factory
    return asyncio.Task(coroutine, loop=loop, **named)


@app.get("/task-factory")
async def task_factory():
    loop = asyncio.get_running_loop()
    loop.set_task_factory(made_slowly)
    try:
        await asyncio.gather(asyncio.sleep(0))
    finally:
        loop.set_task_factory(None)


class Guard:
    def __enter__(self):
        return self

    def __exit__(self, *error):
        time.sleep(0.06)  # guard


@app.get("/guard")
async def guard():
    with Guard():
        pass


class Ready:
    def __await__(self):
        time.sleep(0.06)  # awaitable
        yield from asyncio.sleep(0).__await__()


@app.get("/awaitable")
async def awaitable():
    await Ready()


class Rows:
    def __iter__(self):
        for number in range(2):
            time.sleep(0.06)  # iterated
            yield f"{number}"


@app.get("/iterated")
async def iterated():
    for row in Rows():
        print(row)


class Basket:
    @property
    def total(self):
        time.sleep(0.06)  # property
        return 1


@app.get("/property")
async def property_read():
    return str(Basket().total)


def weight(item):
    time.sleep(0.06)  # key
    return item


@app.get("/key")
async def key():
    return sorted([1], key=weight)


@app.get("/from-thread")
def from_thread():  # from-thread
    anyio.from_thread.run_sync(time.sleep, 0.06)


def pause():
    time.sleep(0.06)  # from-thread-own


@app.get("/from-thread-own")
def from_thread_own():
    anyio.from_thread.run_sync(pause)
