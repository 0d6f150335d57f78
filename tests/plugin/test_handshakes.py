"""A TLS handshake on a socket that the loop connected: no counter tells of it. It is red by the call that made it."""

import shutil
from pathlib import Path

import pytest

from tests.plugin import three_clients

HERE = Path(__file__).parent
SHOP = """
import asyncio
import socket
import ssl

from advised_services import CONTEXT, SECURE
from fastapi import FastAPI

app = FastAPI()

async def connected(*, blocking=True):
    client = socket.socket()
    client.setblocking(False)
    await asyncio.get_running_loop().sock_connect(client, SECURE)
    client.setblocking(blocking)
    return client

async def secured():
    return await asyncio.to_thread(CONTEXT.wrap_socket, await connected())

@app.get("/wrapped")
async def wrapped():
    client = await connected()
    CONTEXT.wrap_socket(client).close()  # /wrapped

@app.get("/by-hand")
async def by_hand():
    client = CONTEXT.wrap_socket(await connected(), do_handshake_on_connect=False)
    client.do_handshake()  # /by-hand
    client.close()

@app.get("/blocking-for-once")
async def blocking_for_once():
    client = CONTEXT.wrap_socket(await connected(blocking=False), do_handshake_on_connect=False)
    client.do_handshake(block=True)  # /blocking-for-once
    client.close()

@app.get("/sent-first")
async def sent_first():
    client = CONTEXT.wrap_socket(await connected(), do_handshake_on_connect=False)
    client.sendall(b"?")  # /sent-first
    client.close()

@app.get("/unwrapped")
async def unwrapped():
    client = await secured()
    client.unwrap().close()  # /unwrapped

@app.get("/free/sent-later")
async def sent_later():
    client = await secured()
    client.do_handshake()
    client.sendall(b"?")
    client.close()

@app.get("/free/in-steps")
async def in_steps():
    loop = asyncio.get_running_loop()
    client = CONTEXT.wrap_socket(await connected(blocking=False), do_handshake_on_connect=False)
    while True:
        try:
            client.do_handshake()
            break
        except ssl.SSLWantReadError:
            readable = asyncio.Event()
            loop.add_reader(client, readable.set)
            await readable.wait()
            loop.remove_reader(client)
    client.close()

@app.get("/free/awaited")
async def awaited():
    _, writer = await asyncio.open_connection(*SECURE, ssl=CONTEXT)
    writer.close()

@app.get("/free/started")
async def started():
    _, writer = await asyncio.open_connection(*SECURE)
    await writer.start_tls(CONTEXT)
    writer.close()
"""
BLOCKING = ["/wrapped", "/by-hand", "/blocking-for-once", "/sent-first", "/unwrapped"]
FREE = [f"/free/{each}" for each in ("sent-later", "in-steps", "awaited", "started")]


def test_a_handshake_on_the_loop_is_red_and_its_twin_green(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(shop=SHOP)
    shutil.copy(HERE / "advised_services.py", pytester.path)
    result, checks = three_clients.ask(pytester, BLOCKING + FREE)

    result.assert_outcomes(failed=3 * len(BLOCKING), passed=3 * len(FREE))
    for check in checks:
        lines = three_clients.lines(SHOP, check["request"].removeprefix("GET "))
        assert [(each["kind"], each["line"]) for each in check["findings"]] == [("sync-network", n) for n in lines]
        assert all("asyncio.open_connection(..., ssl=context)" in each["replacement"] for each in check["findings"])
