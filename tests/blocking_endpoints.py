"""One endpoint for every blocking call that people hit: the path names the call, each line is the call itself.

NOBLOCK_SILENT is the port of a server that accepts, says nothing and hangs up after a while: every
client waits for it, whatever it speaks.
"""

import contextlib
import hashlib
import json
import logging
import logging.handlers
import os
import pathlib
import queue
import shutil
import smtplib
import socket
import sqlite3
import subprocess
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import Future

import boto3
import celery
import httpx
import httpx2
import psycopg
import psycopg2
import pydantic
import pymysql
import redis
import requests
import sqlalchemy
import sqlalchemy.orm
from botocore.config import Config
from fastapi import FastAPI

SECONDS = 0.08


class Row(pydantic.BaseModel):
    number: int
    words: list[str]


def port() -> int:
    return int(os.environ["NOBLOCK_SILENT"])


def url() -> str:
    return f"http://127.0.0.1:{port()}/"


app = FastAPI()
silence = contextlib.suppress(Exception)
ROWS = b"[" + b",".join([b'{"number": 1, "words": ["a", "b"]}'] * 120_000) + b"]"
TABLE = [{"number": 1.5, "words": ["a", None]}] * 150_000
adapter = pydantic.TypeAdapter(list[Row])
tasks = celery.Celery(broker_transport_options={"max_retries": 0}, task_publish_retry=False)
log = logging.getLogger("noblock.remote")
log.propagate = False


@tasks.task
def report() -> None:
    """A task."""


def later(call: Callable[[], object]) -> None:
    threading.Timer(4 * SECONDS, call).start()


@contextlib.contextmanager
def fifo() -> Iterator[pathlib.Path]:
    """A slow disk at will."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "fifo")
        os.mkfifo(path)
        later(lambda: _write(path))
        yield path


def _write(path: pathlib.Path) -> None:
    with contextlib.suppress(BrokenPipeError):  # who only opens it may have closed it again
        path.write_text("a")


@app.get("/time.sleep")
async def sleep():
    time.sleep(SECONDS)


@app.get("/requests.get")
async def requests_get():
    with silence:
        requests.get(url())


@app.get("/requests.Session.post")
async def requests_session():
    with silence, requests.Session() as session:
        session.post(url())


@app.get("/httpx.get")
async def httpx_get():
    with silence:
        httpx.get(url(), trust_env=False)


@app.get("/httpx.Client.put")
async def httpx_client():
    with silence, httpx.Client(trust_env=False) as client:
        client.put(url())


@app.get("/httpx2.Client.get")
async def httpx2_client():
    with silence, httpx2.Client(trust_env=False) as client:
        client.get(url())


@app.get("/urllib.request.urlopen")
async def urlopen():
    with silence:
        urllib.request.urlopen(url())


s3 = boto3.client(
    "s3", region_name="eu-west-1", aws_access_key_id="a", aws_secret_access_key="b",
    endpoint_url="http://127.0.0.1:1", config=Config(retries={"max_attempts": 0}),
)  # fmt: skip


@app.get("/botocore.client.S3.get_object")
async def boto3_call():
    s3._endpoint.host = url()
    with silence:
        s3.get_object(Bucket="shop", Key="logo")


@app.get("/psycopg.connect")
async def psycopg_connect():
    with silence:
        psycopg.connect(host="127.0.0.1", port=port(), user="a")


@app.get("/psycopg2.connect")
async def psycopg2_connect():
    with silence:
        psycopg2.connect(host="127.0.0.1", port=port(), user="a")


@app.get("/pymysql.connect")
async def pymysql_connect():
    with silence:
        pymysql.connect(host="127.0.0.1", port=port(), user="a")


def engine() -> sqlalchemy.Engine:
    return sqlalchemy.create_engine(f"mysql+pymysql://a@127.0.0.1:{port()}/shop")


@app.get("/sqlalchemy.orm.Session.scalars")
async def session_scalars():
    with silence, sqlalchemy.orm.Session(engine()) as session:
        session.scalars(sqlalchemy.text("SELECT 1"))


@app.get("/sqlalchemy.Engine.connect")
async def engine_connect():
    with silence:
        engine().connect()


@app.get("/redis.Redis.get")
async def redis_get():
    with silence:
        redis.Redis(port=port(), retry=None, protocol=2).get("key")


@app.get("/smtplib.SMTP")
async def smtp():
    with silence:
        smtplib.SMTP("127.0.0.1", port())


@app.get("/socket.create_connection")
async def create_connection():
    socket.create_connection(("127.0.0.1", port())).close()


@app.get("/socket.getaddrinfo")
async def getaddrinfo():
    with silence:
        socket.getaddrinfo("noblock.invalid", 80)


@app.get("/celery.Task.delay")
async def delay():
    tasks.conf.broker_url = f"redis://127.0.0.1:{port()}/0"
    with silence:
        report.delay()


@app.get("/celery.Task.AsyncResult().get")
async def result_get():
    tasks.conf.result_backend = "cache+memory://"
    with silence:
        report.AsyncResult("1").get(timeout=SECONDS)


@app.get("/logging.Logger.warning")
async def warning():
    log.handlers = [logging.handlers.HTTPHandler(f"127.0.0.1:{port()}", "/log")]
    log.warning("ordered")


@app.get("/subprocess.run")
async def run():
    subprocess.run(["sleep", str(SECONDS)], check=False)


@app.get("/open")
async def opened():
    with fifo() as path, contextlib.ExitStack() as stack:
        stack.enter_context(open(path))  # noqa: PTH123  # as people write it


@app.get("/pathlib.Path.read_text")
async def read_text():
    with fifo() as path:
        path.read_text()


@app.get("/shutil.copyfileobj")
async def copyfileobj():
    reader, writer = os.pipe()
    later(lambda: os.close(writer))
    with os.fdopen(reader) as source, pathlib.Path(os.devnull).open("w") as target:
        shutil.copyfileobj(source, target)


@app.get("/sqlite3.Connection.execute")
async def sqlite_locked():
    with tempfile.TemporaryDirectory() as folder:
        first, second = (sqlite3.connect(f"{folder}/db", timeout=SECONDS, isolation_level=None) for _ in "ab")
        first.execute("BEGIN EXCLUSIVE")
        with silence:
            second.execute("BEGIN EXCLUSIVE")
        first.close()
        second.close()


@app.get("/threading.Lock.acquire")
async def acquire():
    lock = threading.Lock()
    lock.acquire()
    later(lock.release)
    lock.acquire()


@app.get("/queue.Queue.get")
async def queue_get():
    letters: queue.Queue[str] = queue.Queue()
    later(lambda: letters.put("a"))
    letters.get()


@app.get("/concurrent.futures.Future.result")
async def future_result():
    future: Future[None] = Future()
    later(lambda: future.set_result(None))
    future.result()


@app.get("/hashlib.pbkdf2_hmac")
async def pbkdf2():
    hashlib.pbkdf2_hmac("sha256", b"secret", b"salt", 400_000)


@app.get("/json.dumps")
async def dumps():
    json.dumps(TABLE)


@app.get("/json.loads")
async def loads():
    json.loads(ROWS)


@app.get("/pydantic.TypeAdapter.validate_json")
async def validate_json():
    adapter.validate_json(ROWS)
