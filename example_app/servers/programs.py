"""What the servers have in common: a foreign program that runs as long as somebody wants it."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from types import MappingProxyType

START_S = 60.0
ATTEMPTS = 3
NOBODY = 65534


class Unavailable(Exception):
    """Why this machine cannot have the service, in one line."""


def serve(service: Callable[[], AbstractContextManager[str]]) -> None:
    """Say where it is, and keep it until standard input ends, or somebody asks this process to end."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # by way of the service's own end
    try:
        with service() as address:
            say(address)
            until_input_ends()
    except Unavailable as reason:
        say(f"unavailable: {reason}")


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def until_input_ends() -> None:
    sys.stdin.read()


def end_with_input() -> None:
    """For servers that wait for something else, and leave nothing behind."""

    def end() -> None:
        until_input_ends()
        os._exit(0)

    Thread(target=end, daemon=True).start()


@contextmanager
def running(
    command: Callable[[int, str], list[str | Path]],
    *,
    stop: signal.Signals = signal.SIGKILL,
    user: int | None = None,
    environment: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[int]:
    """The port of a program that is to listen there and to keep its data in that folder."""
    with TemporaryDirectory(prefix="example-app-", ignore_cleanup_errors=True) as folder:
        if user is not None:
            os.chown(folder, user, user)
        for attempt in range(1, ATTEMPTS + 1):
            port = free_port()
            with started(command(port, folder), folder, stop, user, environment) as program:
                if listens(program, port):
                    yield port
                    return
            if attempt == ATTEMPTS:  # else: somebody may have taken the port meanwhile
                raise Unavailable(last_words(Path(folder, "log")))


@contextmanager
def started(
    command: list[str | Path], folder: str, stop: signal.Signals, user: int | None, environment: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    with Path(folder, "log").open("wb") as log:
        program = subprocess.Popen(  # noqa: S603  # it is ours
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=folder,
            env={**os.environ, "HOME": folder, **environment},
            start_new_session=True,  # so that what it starts can be ended with it
            user=user,
            group=user,
            extra_groups=None if user is None else [],
        )
    try:
        yield program
    finally:
        end(program, stop)


def end(program: subprocess.Popen[bytes], stop: signal.Signals) -> None:
    program.send_signal(stop)
    with suppress(subprocess.TimeoutExpired):
        program.wait(10)
    with suppress(ProcessLookupError):
        os.killpg(program.pid, signal.SIGKILL)
    program.wait()


def listens(program: subprocess.Popen[bytes], port: int) -> bool:
    until = time.monotonic() + START_S
    while program.poll() is None and time.monotonic() < until:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return program.poll() is None
        time.sleep(0.02)
    return False


def last_words(log: Path) -> str:
    lines = log.read_text(errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "it ended without a word")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
