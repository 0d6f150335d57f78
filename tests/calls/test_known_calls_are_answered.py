"""What users are told to write instead of blocking calls that are really made.

The names in the table of calls are those that the engine finds.
"""

import inspect
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from pytest_noblock.report.failure import failure

blocking_endpoints = pytest.importorskip("tests.blocking_endpoints")  # it needs every client there is
SECONDS, app = blocking_endpoints.SECONDS, blocking_endpoints.app

DEF = ", or make the endpoint a plain def"
OWN = "await asyncio.to_thread(...) around a function that opens, uses and closes its own "
SMALLER = "or smaller pieces with await asyncio.sleep(0) between them"

INSTEAD = {
    "time.sleep": "await asyncio.sleep(...)" + DEF,
    "requests.get": "httpx.AsyncClient().get, or await asyncio.to_thread(requests.get, ...)" + DEF,
    "requests.Session.post": "httpx.AsyncClient().post, or await asyncio.to_thread(session.post, ...)" + DEF,
    "httpx.get": "httpx.AsyncClient().get, or await asyncio.to_thread(httpx.get, ...)" + DEF,
    "httpx.Client.put": "httpx.AsyncClient().put, or await asyncio.to_thread(client.put, ...)" + DEF,
    "httpx2.Client.get": "httpx2.AsyncClient().get, or await asyncio.to_thread(client.get, ...)" + DEF,
    "urllib.request.urlopen": (
        "httpx.AsyncClient().get, or await asyncio.to_thread(urllib.request.urlopen, ...)" + DEF
    ),
    "botocore.client.S3.get_object": "aioboto3.Session().client, or await asyncio.to_thread(s3.get_object, ...)" + DEF,
    "psycopg.connect": ("psycopg.AsyncConnection (or asyncpg), or await asyncio.to_thread(psycopg.connect, ...)" + DEF),
    "psycopg2.connect": "asyncpg, or psycopg.AsyncConnection, or await asyncio.to_thread(psycopg2.connect, ...)" + DEF,
    "pymysql.connect": "asyncmy (or aiomysql), or await asyncio.to_thread(pymysql.connect, ...)" + DEF,
    "sqlalchemy.orm.Session.scalars": f"sqlalchemy.ext.asyncio.AsyncSession, or {OWN}session" + DEF,
    "sqlalchemy.Engine.connect": f"sqlalchemy.ext.asyncio.AsyncEngine, or {OWN}connection" + DEF,
    "redis.Redis.get": "redis.asyncio.Redis().get, or await asyncio.to_thread(f, ...), where f does all of this line"
    + DEF,
    "smtplib.SMTP": (
        "aiosmtplib.send, or await asyncio.to_thread(...) around a function that connects, uses and closes it" + DEF
    ),
    "socket.create_connection": (
        "asyncio.open_connection, or await asyncio.to_thread(socket.create_connection, ...)" + DEF
    ),
    "socket.getaddrinfo": (
        "await asyncio.get_running_loop().getaddrinfo(...), or await asyncio.to_thread(socket.getaddrinfo, ...)" + DEF
    ),
    "celery.Task.delay": "await asyncio.to_thread(report.delay, ...)" + DEF,
    "celery.Task.AsyncResult().get": (
        "an answer of 202 and a route that tells the task's state, or "
        "await asyncio.to_thread(f, ...), where f does all of this line" + DEF
    ),
    "logging.Logger.warning": (
        "a logging.handlers.QueueHandler, whose QueueListener writes in a thread of its own" + DEF
    ),
    "subprocess.run": "await asyncio.create_subprocess_exec(...), or await asyncio.to_thread(subprocess.run, ...)"
    + DEF,
    "open": (
        "aiofiles.open (or anyio.open_file), or "
        "await asyncio.to_thread(...) around a function that opens, uses and closes the file" + DEF
    ),
    "pathlib.Path.read_text": (
        "anyio.Path().read_text (or aiofiles.open), or await asyncio.to_thread(path.read_text, ...)" + DEF
    ),
    "shutil.copyfileobj": (
        "in pieces, with aiofiles.open (or anyio.open_file), or await asyncio.to_thread(shutil.copyfileobj, ...)" + DEF
    ),
    "sqlite3.Connection.execute": f"aiosqlite, or {OWN}connection" + DEF,
    "threading.Lock.acquire": (
        "asyncio.Lock, where only the loop takes it, or "
        "await asyncio.to_thread(...) around a function that takes and releases it" + DEF
    ),
    "queue.Queue.get": "asyncio.Queue, or await asyncio.to_thread(letters.get, ...)" + DEF,
    "concurrent.futures.Future.result": "await asyncio.wrap_future(...)" + DEF,
    "hashlib.pbkdf2_hmac": "await asyncio.to_thread(hashlib.pbkdf2_hmac, ...), which lets go of the GIL" + DEF,
    "json.dumps": (
        "orjson.dumps (5 to 10 times as fast, though it keeps the GIL too), or fewer items at once (a page), or bytes"
        f" that are made once and kept, {SMALLER}"
    ),
    "json.loads": (
        "orjson.loads (up to twice as fast, though it keeps the GIL too), or one line or item at a time (JSON Lines,"
        f" ijson), {SMALLER}"
    ),
    "pydantic.TypeAdapter.validate_json": SMALLER.removeprefix("or "),
}


@pytest.fixture(scope="module", autouse=True)
def silent() -> Iterator[None]:
    """A server that accepts, says nothing, and hangs up after a while."""
    with socket.create_server(("127.0.0.1", 0)) as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("NOBLOCK_SILENT", str(server.getsockname()[1]))
        threading.Thread(target=_accept, args=(server,), daemon=True).start()
        yield


def _accept(server: socket.socket) -> None:
    while True:
        try:
            connection, _address = server.accept()
        except OSError:
            return
        threading.Thread(target=_hang_up_later, args=(connection,), daemon=True).start()


def _hang_up_later(connection: socket.socket) -> None:
    time.sleep(SECONDS)
    connection.close()


@pytest.fixture
def noblock_app() -> object:
    return app


@pytest.mark.parametrize(("call", "instead"), INSTEAD.items())
def test_a_blocking_call_is_named_and_answered(noblock, call: str, instead: str) -> None:
    check = noblock.check("GET", f"/{call}", warmup=False, max_block="10 ms")

    text = failure(check)
    assert check.outcome == "failed", text
    line, code = _blocking_line(call)
    assert f"tests/blocking_endpoints.py:{line} in " in text
    assert f"\n              {code}\n" in text
    told = next(line for line in text.splitlines() if line.startswith("  instead "))
    without_cpu = told.partition("; and for the ")[0]  # a first query may compute more than the limit as well
    assert without_cpu == f"  instead {instead}"


def _blocking_line(call: str) -> tuple[int, str]:
    """The last line of the endpoint that makes the call."""
    route = next(route for route in app.routes if route.path == f"/{call}")
    lines, first = inspect.getsourcelines(route.endpoint)
    making = [(number, line) for number, line in enumerate(lines, first) if f"{call.rpartition('.')[2]}(" in line]
    number, line = making[-1]
    return number, line.strip()


def test_every_endpoint_is_asked() -> None:
    asked = {route.path for route in app.routes if route.endpoint.__module__ == blocking_endpoints.__name__}

    assert asked == {f"/{call}" for call in INSTEAD}
