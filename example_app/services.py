"""What the rows need beside the app: an address from the environment, or a server of our own.

Each is started when it is first asked for, and stops with this process, also after a crash.
"""

import atexit
import os
import sys
import threading
from importlib.util import find_spec
from pathlib import Path
from subprocess import PIPE, Popen
from typing import IO, cast
from urllib.parse import urlsplit

from example_app.servers import mariadb, redis_server
from example_app.servers.programs import Unavailable

ROOT = Path(__file__).parent.parent
LOCK = threading.Lock()
ADDRESSES: dict[tuple[str, ...], str] = {}


def slow_upstream() -> str:
    """The URL of a slow web service."""
    return f"http://127.0.0.1:{address('upstream')}"


def slow_mail_server() -> tuple[int, Path]:
    """The port of a slow mail server, and the Maildir of what it got."""
    port, _, mails = address("mail_server").partition(" ")
    return int(port), Path(mails)


def postgresql() -> str:
    return os.environ.get("EXAMPLE_POSTGRESQL") or address("postgresql")


def mysql() -> str:
    return os.environ.get("EXAMPLE_MYSQL") or address(mysql_program())


def mysql_program() -> str:
    return "mysql" if "EXAMPLE_MYSQL" in os.environ else "mariadb" if mariadb.program() else "mysql_mimic"


def redis() -> str:
    return os.environ.get("EXAMPLE_REDIS") or address(redis_program())


def redis_program() -> str:
    return "redis_server" if "EXAMPLE_REDIS" in os.environ or redis_server.program() else "fake_redis"


def s3() -> str:
    """It is to have `orders.csv` in the bucket `shop`."""
    return os.environ.get("EXAMPLE_S3") or address("s3")


def rabbitmq() -> str:
    return os.environ.get("EXAMPLE_RABBITMQ") or address("rabbitmq")


def celery_worker(broker: str) -> None:
    """A process that takes tasks from there; the results go to Redis, which it asks to run scripts in Lua."""
    if redis_program() == "fake_redis" and find_spec("lupa") is None:
        raise Unavailable(
            "Celery: apt-get install redis-server, or EXAMPLE_REDIS=redis://...; the one in Python has no Lua"
        )
    address("celery_worker", broker, redis())


def late(url: str) -> str:
    """The same server, whose answers come 150 ms later."""
    parts = urlsplit(url)
    port = address("late", str(parts.hostname), str(parts.port))
    return url.replace(f":{parts.port}", f":{port}")


def address(program: str, *arguments: str) -> str:
    """What the server said when it was started, now or before."""
    key = program, *arguments
    with LOCK:
        if key not in ADDRESSES:
            ADDRESSES[key] = started(program, *arguments)
    _, unavailable, reason = ADDRESSES[key].partition("unavailable: ")
    if unavailable:
        raise Unavailable(reason)
    return ADDRESSES[key]


def started(program: str, *arguments: str) -> str:
    process = Popen(command(program, *arguments), stdin=PIPE, stdout=PIPE, cwd=ROOT, start_new_session=True)  # noqa: S603
    atexit.register(process.communicate)  # which closes its input and waits for its end
    said = cast(IO[bytes], process.stdout).readline().decode().strip()
    return said or f"unavailable: {program} did not start"


def command(program: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", f"example_app.servers.{program}", *arguments]
