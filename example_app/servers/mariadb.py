"""The machine's MariaDB, with data and a port of its own."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from example_app.servers.programs import Unavailable, running, serve

# No grant tables: then no database has to be made first, which takes longer than all the rest.
OPTIONS = (
    "--no-defaults --skip-grant-tables --skip-name-resolve --skip-networking=0 --bind-address=127.0.0.1 "
    "--innodb-log-file-size=4M --innodb-buffer-pool-size=16M --user=root"
)


def program() -> str | None:
    return shutil.which("mariadbd", path=search_path())


def search_path() -> str:
    """Debian keeps servers where only root looks."""
    return "/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin:/usr/libexec"


@contextmanager
def mariadb() -> Iterator[str]:
    found = program()
    if found is None:
        raise Unavailable("MariaDB: apt-get install mariadb-server, or EXAMPLE_MYSQL=mysql://user:password@host:port")

    def command(port: int, folder: str) -> list[str | Path]:
        own = [f"--datadir={folder}", f"--socket={folder}/socket", f"--pid-file={folder}/pid", f"--port={port}"]
        return [found, *OPTIONS.split(), *own]

    with running(command) as port:
        yield f"mysql://root@127.0.0.1:{port}"


if __name__ == "__main__":
    serve(mariadb)
