"""Ways to block the loop, 60 ms and more each, and their repaired twins; each blocking line ends with `# <kind>`.

Knows no framework: every app of this folder calls `blocks(kind)` or awaits `awaits(kind)` in its endpoint.
"""

import asyncio
import hashlib
import json
import os
import re
import socket
import sqlite3
import subprocess
import tempfile
import threading
import time
import urllib.request
from concurrent.futures import Future
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import requests

SECONDS = 0.06


def _sized(work, size):
    """So that `work(size)` takes twice SECONDS of CPU here, at this machine's best."""
    best = min(_cpu(work, size) for _ in range(10))
    return round(size * 2 * SECONDS / best)


def _cpu(work, size):
    began = time.thread_time()
    work(size)
    return time.thread_time() - began


def _squares(count):
    total = 0
    for number in range(count):  # loop
        total += number * number  # loop
    return total


def _dump(count):
    return json.dumps([{"a": 1.5, "b": "text", "c": None}] * count)  # dumps


def _derive(rounds):
    return hashlib.pbkdf2_hmac("sha256", b"secret", b"salt", rounds)  # derive


def _select(count):
    query = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < ?) SELECT sum(n) FROM c"
    with sqlite3.connect(":memory:") as connection:
        return connection.execute(query, (count,)).fetchone()  # sqlite


COUNT = _sized(_squares, 100_000)
ROUNDS = _sized(_derive, 10_000)
SIZE = _sized(_dump, 5_000)
ROWS = _sized(_select, 20_000)
LETTERS = next(n for n in range(12, 40) if _cpu(lambda n: re.search(r"(a|a)+$", "a" * n + "b"), n) > 2 * SECONDS)


class _Slow(BaseHTTPRequestHandler):
    def do_GET(self):
        time.sleep(SECONDS)
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *args):
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True


_server = _Server(("127.0.0.1", 0), _Slow)
threading.Thread(target=_server.serve_forever, daemon=True).start()
ADDRESS = ("127.0.0.1", _server.server_port)
URL = f"http://127.0.0.1:{_server.server_port}/"


def _later(call, *args):
    """Call it from another thread, three times SECONDS from now: a busy machine's caller begins to wait late."""

    def run():
        time.sleep(3 * SECONDS)
        call(*args)

    threading.Thread(target=run, daemon=True).start()


def sleep():
    time.sleep(SECONDS)  # sleep


def requests_get():
    requests.get(URL)  # requests


def urllib_urlopen():
    urllib.request.urlopen(URL).read()  # urllib


def raw_socket():
    connection = socket.create_connection(ADDRESS)  # socket
    connection.sendall(b"GET / HTTP/1.0\r\n\r\n")  # socket
    connection.recv(100)  # socket
    connection.close()


def sqlite():
    _select(ROWS)


def fifo():
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/fifo"
        os.mkfifo(path)
        _later(Path(path).write_bytes, b"")
        with open(path, "rb"):  # noqa: PTH123  # fifo
            pass


def loop():
    _squares(COUNT)


def dumps():
    _dump(SIZE)


def derive():
    _derive(ROUNDS)


def regex():
    re.search(r"(a|a)+$", "a" * LETTERS + "b")  # regex


def lock():
    held = threading.Lock()
    held.acquire()
    _later(held.release)
    held.acquire()  # lock


def future():
    result = Future()
    _later(result.set_result, None)
    result.result()  # future


def event():
    happened = threading.Event()
    _later(happened.set)
    happened.wait()  # event


def join():
    thread = threading.Thread(target=time.sleep, args=(3 * SECONDS,))
    thread.start()
    thread.join()  # join


def process():
    subprocess.run(["sleep", str(2 * SECONDS)], check=False)  # process


async def slowly():
    sleep()


async def task():
    await asyncio.create_task(slowly())


async def callback():
    loop, done = asyncio.get_running_loop(), asyncio.Event()

    def called():
        sleep()
        done.set()

    loop.call_later(0.001, called)
    await done.wait()


KEEP_THE_GIL = {"dumps": dumps, "regex": regex}
LET_GO = {
    "sleep": sleep,
    "requests": requests_get,
    "urllib": urllib_urlopen,
    "socket": raw_socket,
    "sqlite": sqlite,
    "fifo": fifo,
    "loop": loop,
    "derive": derive,
    "lock": lock,
    "future": future,
    "event": event,
    "join": join,
    "process": process,
}
LATER = {"task": task, "callback": callback}
ELSEWHERE = {"stream", "middleware", "background"}
"""Kinds of which the endpoint itself does nothing: the app calls `around` there."""


async def work(kind, how, pool=asyncio.to_thread):
    """Blocks the loop, or has the same done by the framework's `pool` of threads; what keeps the GIL is not done."""
    if kind in ELSEWHERE:
        return
    if how == "awaits":
        await pool(LET_GO.get(kind, sleep))
    elif kind in LATER:
        await LATER[kind]()
    elif kind == "gil":
        await pool(dumps)  # gil
    else:
        (LET_GO | KEEP_THE_GIL)[kind]()


async def around(how):
    """Of a middleware, a stream, or a background task."""
    await work("sleep", how)


async def stream(how):
    """The body of a streamed response."""
    yield b"begun, "
    await around(how)
    yield b"done"
