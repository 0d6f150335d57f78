"""The names of hosts that this machine knows by itself: to resolve one of them asks no name server."""

import functools
import socket

from pytest_noblock.engine.now import open_file

_FILE = "/etc/hosts"
"""hosts(5). /etc/nsswitch.conf could have name servers asked first (`hosts: dns files`); no distribution does."""
_LOCAL = "localhost"


def known_here(name: str) -> bool:
    """Whether the name is this machine's own, of the domain `localhost` (RFC 6761), or one of those in /etc/hosts."""
    plain = name.rstrip(".").lower()
    return plain == _LOCAL or plain.endswith("." + _LOCAL) or plain in _names()


@functools.cache
def _names() -> frozenset[str]:
    """Read once: who edits the file during a test run is not served."""
    try:
        with open_file(_FILE, encoding="utf-8", errors="replace") as file:
            listed = [name for line in file for name in line.partition("#")[0].split()[1:]]
    except OSError:  # no such file
        listed = []
    return frozenset(name.lower() for name in (*listed, socket.gethostname()))
