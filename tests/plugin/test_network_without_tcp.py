"""Round trips that no counter of a TCP socket shows: red by the call that made them, at any speed."""

import re

import pytest

from tests.plugin import three_clients

SHOP = """
import asyncio
import http.client
import queue
import select
import selectors
import socket
import threading

import httpx
from fastapi import FastAPI

app = FastAPI()
addresses = {}

def asked():
    client = socket.socket(type=socket.SOCK_DGRAM)
    client.settimeout(10)
    client.sendto(b"?", addresses["udp"])
    return client

@app.get("/udp")
async def udp():
    with asked() as client:
        client.recvfrom(10)  # /udp

@app.get("/udp-recvmsg")
async def recvmsg():
    with asked() as client:
        client.recvmsg(10)  # /udp-recvmsg

@app.get("/selector")
async def own_selector():
    with asked() as client, selectors.DefaultSelector() as selector:
        client.setblocking(False)
        selector.register(client, selectors.EVENT_READ)
        selector.select(10)  # /selector

@app.get("/unix")
async def by_unix_socket():
    with httpx.Client(transport=httpx.HTTPTransport(uds=addresses["unix"])) as client:
        client.get("http://docker/")  # /unix

class ToUnix(http.client.HTTPConnection):
    def connect(self):
        self.sock = to_service()

def to_service():
    client = socket.socket(socket.AF_UNIX)
    client.connect(addresses["unix"])
    return client

@app.get("/unix-http")
async def by_http_client():
    client = ToUnix("docker")
    client.request("GET", "/")
    client.getresponse().read()  # /unix-http

@app.get("/unix-raw")
async def by_hand():
    with to_service() as client:
        client.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
        while client.recv(1000): pass  # /unix-raw

@app.get("/unix-select")
async def unix_select():
    with to_service() as client:
        client.setblocking(False)
        client.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
        select.select([client.fileno()], [], [])  # /unix-select

@app.get("/free/pair")
async def pair():
    here, there = socket.socketpair()
    with here, there:
        here.sendall(b"?")
        threading.Thread(target=lambda: there.sendall(there.recv(1))).start()
        here.recv(1)

@app.get("/free/notice")
async def notice():
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
        client.connect(addresses["log"])
        client.send(b"READY=1")

@app.get("/free/datagrams")
async def datagrams():
    loop = asyncio.get_running_loop()
    with asked() as client:
        client.setblocking(False)
        await loop.sock_recv(client, 10)

@app.get("/free/worker")
async def in_worker():
    with asked() as client:
        await asyncio.to_thread(client.recvfrom, 10)

@app.get("/free/unix")
async def awaits_unix_socket():
    async with httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(uds=addresses["unix"])) as client:
        await client.get("http://docker/")

@app.get("/free/looks")
async def looks_once():
    with asked() as client, selectors.DefaultSelector() as selector:
        selector.register(client, selectors.EVENT_READ)
        selector.select(0)

@app.get("/free/name")
async def own_name():
    socket.getaddrinfo(socket.gethostname(), 80)
"""
SERVERS = """
import http.server
import os
import socket
import socketserver
import tempfile
import threading

import pytest

class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        self.request[1].sendto(b"!", self.client_address)

class Web(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(204)
        self.end_headers()
    def address_string(self):
        return ""
    def log_message(self, *_): pass

class UnixServer(socketserver.ThreadingUnixStreamServer):
    pass

@pytest.fixture(scope="module", autouse=True)
def servers():
    from shop import addresses
    with tempfile.TemporaryDirectory() as folder:
        unix, log = os.path.join(folder, "socket"), os.path.join(folder, "log")
        servers = socketserver.ThreadingUDPServer(("127.0.0.1", 0), Echo), UnixServer(unix, Web)
        addresses.update(udp=servers[0].server_address, unix=unix, log=log)
        journal = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        journal.bind(log)
        threads = [threading.Thread(target=each.serve_forever, args=(0.01,)) for each in servers]
        for each in threads:
            each.start()
        yield
        for each in servers:
            each.shutdown()
            each.server_close()
        for each in threads:
            each.join()
        journal.close()
"""
BLOCKING = ["/udp", "/udp-recvmsg", "/selector", "/unix", "/unix-http", "/unix-raw", "/unix-select"]
FREE = [f"/free/{each}" for each in ("datagrams", "worker", "unix", "pair", "notice", "looks", "name")]


def test_a_call_that_waited_for_the_network_is_red_and_its_twin_green(pytester):
    pytester.makepyfile(shop=SHOP)
    result, checks = three_clients.ask(pytester, BLOCKING + FREE, fixtures=SERVERS)

    result.assert_outcomes(failed=3 * len(BLOCKING), passed=3 * len(FREE))
    for check in checks:
        lines = three_clients.lines(SHOP, check["request"].removeprefix("GET "))
        assert [(each["kind"], each["line"]) for each in check["findings"]] == [("sync-network", n) for n in lines]


@pytest.mark.one_python
def test_a_queue_to_another_process_is_seen_by_the_portable_rules(pytester):
    pytester.makepyfile("""
        import multiprocessing
        import threading

        from fastapi import FastAPI
        from fastapi.testclient import TestClient

        app = FastAPI()
        tokens = multiprocessing.get_context("spawn").Queue()

        @app.get("/")
        async def next_token():
            threading.Timer(0.3, tokens.put, ["token"]).start()  # a busy machine may take as long to begin the request
            return tokens.get(timeout=10)  # here

        def test_it():
            assert TestClient(app).get("/").json() == "token"
    """)
    result = pytester.runpytest_subprocess("--noblock", "-onoblock_meter=portable")
    told = result.stdout.str()  # where the watchdog itself woke late, these rules tell it as unsettled
    red = "GET / blocked the event loop " in told and "return tokens.get(timeout=10)  # here" in told
    assert red or re.search(r"unsettled  sync-io, \d+ ms at test_\w+\.py:13:", told), told
