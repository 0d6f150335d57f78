"""Blocking code at every place where a request's code can run. `?how=` chooses sleep, cpu or network.

Each blocking line ends with `# blocks` and the way it does.
"""

import asyncio
import contextlib
import hashlib
import time
from collections.abc import AsyncIterator
from types import SimpleNamespace

import redis
from fastapi import BackgroundTasks, Depends, FastAPI
from fastapi.responses import StreamingResponse
from starlette.middleware.base import BaseHTTPMiddleware

from tests.soak import blocking_app
from tests.soak.blocking_app import ROUNDS, SLEEP_S

kept = SimpleNamespace()


@contextlib.asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    kept.redis = redis.Redis(port=blocking_app.services.redis)
    yield
    kept.redis.close()


app = FastAPI(lifespan=lifespan)
KEY = ("sha256", b"secret", b"salt", ROUNDS)


def way_of(scope) -> str:
    return scope["query_string"].decode().rpartition("=")[2]


class PureMiddleware:
    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        if scope.get("path") == "/pure-middleware":
            how = way_of(scope)
            if how == "sleep":
                time.sleep(SLEEP_S)  # blocks sleep
            elif how == "cpu":
                hashlib.pbkdf2_hmac(*KEY)  # blocks cpu
            elif how == "network":
                kept.redis.get("key")  # blocks network
        await self.app(scope, receive, send)


class Dispatching(BaseHTTPMiddleware):
    async def dispatch(self, request, call_next):
        response = await call_next(request)
        if request.url.path == "/dispatch":
            how = way_of(request.scope)
            if how == "sleep":
                time.sleep(SLEEP_S)  # blocks sleep
            elif how == "cpu":
                hashlib.pbkdf2_hmac(*KEY)  # blocks cpu
            elif how == "network":
                kept.redis.get("key")  # blocks network
        return response


app.add_middleware(PureMiddleware)
app.add_middleware(Dispatching)


@app.get("/pure-middleware")
@app.get("/dispatch")
async def innocent(how: str):
    return {"how": how}


@app.get("/swallowed")
async def swallowed(how: str):
    try:
        if how == "sleep":
            time.sleep(SLEEP_S)  # blocks sleep
        elif how == "cpu":
            hashlib.pbkdf2_hmac(*KEY)  # blocks cpu
        else:
            kept.redis.get("key")  # blocks network
        raise ValueError(how)
    except Exception:
        return {}


def third(how: str):
    if how == "sleep":
        time.sleep(SLEEP_S)  # blocks sleep
    elif how == "cpu":
        hashlib.pbkdf2_hmac(*KEY)  # blocks cpu
    else:
        kept.redis.get("key")  # blocks network


def second(how: str):
    third(how)


def first(how: str):
    second(how)


@app.get("/three-down")
async def three_down(how: str):
    first(how)
    return {}


def settings_of(how: str) -> str:
    """A dependency elsewhere, where it runs in a thread; called directly it blocks."""
    if how == "sleep":
        time.sleep(SLEEP_S)  # blocks sleep
    elif how == "cpu":
        hashlib.pbkdf2_hmac(*KEY)  # blocks cpu
    else:
        kept.redis.get("key")  # blocks network
    return how


async def user_of(how: str) -> str:
    return settings_of(how)


@app.get("/dependency")
async def dependency(user: str = Depends(user_of)):
    return {"user": user}


@app.get("/dependency-caller")
async def dependency_caller(how: str, settings: str = Depends(lambda: "")):
    return {"settings": settings_of(how)}


async def child(how: str):
    await asyncio.sleep(0)
    if how == "sleep":
        time.sleep(SLEEP_S)  # blocks sleep
    elif how == "cpu":
        hashlib.pbkdf2_hmac(*KEY)  # blocks cpu
    else:
        kept.redis.get("key")  # blocks network


@app.get("/create-task")
async def create_task(how: str):
    await asyncio.create_task(child(how))
    return {}


@app.get("/task-group")
async def task_group(how: str):
    async with asyncio.TaskGroup() as group:
        group.create_task(child(how))
        group.create_task(asyncio.sleep(0.001))
    return {}


@app.get("/call-later")
async def call_later(how: str):
    done = asyncio.get_running_loop().create_future()

    def later():
        if how == "sleep":
            time.sleep(SLEEP_S)  # blocks sleep
        elif how == "cpu":
            hashlib.pbkdf2_hmac(*KEY)  # blocks cpu
        else:
            kept.redis.get("key")  # blocks network
        done.set_result(None)

    asyncio.get_running_loop().call_later(0.002, later)
    await done
    return {}


@app.get("/stream")
async def stream(how: str):
    async def lines():
        yield "first\n"
        await asyncio.sleep(0.001)
        if how == "sleep":
            time.sleep(SLEEP_S)  # blocks sleep
        elif how == "cpu":
            hashlib.pbkdf2_hmac(*KEY)  # blocks cpu
        else:
            kept.redis.get("key")  # blocks network
        yield "second\n"

    return StreamingResponse(lines())


async def write_log(how: str):
    if how == "sleep":
        time.sleep(SLEEP_S)  # blocks sleep
    elif how == "cpu":
        hashlib.pbkdf2_hmac(*KEY)  # blocks cpu
    else:
        kept.redis.get("key")  # blocks network


@app.get("/background")
async def background(how: str, tasks: BackgroundTasks):
    tasks.add_task(write_log, how)
    return {}
