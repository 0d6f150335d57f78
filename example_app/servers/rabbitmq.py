"""The machine's RabbitMQ, with data, ports and a port mapper of its own."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from example_app.servers.programs import Unavailable, free_port, running, serve

DEBIAN = Path("/usr/lib/rabbitmq/lib")


def program() -> str | None:
    """The script itself: the one on the PATH would change to RabbitMQ's own user, who has other folders."""
    return next((str(path) for path in DEBIAN.glob("rabbitmq_server-*/sbin/rabbitmq-server")), None)


@contextmanager
def rabbitmq() -> Iterator[str]:
    found, mapper = program(), shutil.which("epmd")
    if found is None or mapper is None:
        raise Unavailable("RabbitMQ: apt-get install rabbitmq-server, or EXAMPLE_RABBITMQ=amqp://...")
    # Erlang would start one that outlives it.
    with running(lambda port, _: [mapper, "-port", str(port), "-address", "127.0.0.1"]) as names:
        own = {
            "ERL_EPMD_PORT": str(names),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_NODENAME": "example@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        }

        def command(port: int, folder: str) -> list[str | Path]:
            place = {"MNESIA_BASE": "mnesia", "LOG_BASE": "logs", "ENABLED_PLUGINS_FILE": "plugins", "PID_FILE": "pid"}
            folders = [f"RABBITMQ_{name}={folder}/{value}" for name, value in place.items()]
            return ["/usr/bin/env", f"RABBITMQ_NODE_PORT={port}", *folders, found]

        with running(command, environment=own) as port:
            yield f"amqp://guest:guest@127.0.0.1:{port}//"


if __name__ == "__main__":
    serve(rabbitmq)
