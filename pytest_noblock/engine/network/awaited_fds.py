"""Descriptors that an event loop has waited on: their traffic is asynchronous, whatever one step shows.

Drivers such as psycopg's async one register their socket with the loop only while they wait. So it is not enough to
read the epoll sets at the end of a step. The wrapper of `register` notes each call that asyncio makes.
"""

import selectors
import sys
from collections.abc import Callable
from typing import Any

from pytest_noblock.engine.guard import noted
from pytest_noblock.engine.now import status_of_fd
from pytest_noblock.engine.patches import Patch


class AwaitedDescriptors:
    """A container of descriptor numbers. A number counts while it means the same file: the inode tells."""

    def __init__(self) -> None:
        self._inodes: dict[int, int] = {}

    def add(self, fd: int) -> None:
        self._inodes[fd] = status_of_fd(fd).st_ino

    def __contains__(self, fd: object) -> bool:
        try:
            return isinstance(fd, int) and fd in self._inodes and status_of_fd(fd).st_ino == self._inodes[fd]
        except OSError:  # closed
            return False


AWAITED = AwaitedDescriptors()
"""Of this process. Never emptied: a loop registers a descriptor once, and may outlive a test. It stays small: the
kernel gives the lowest free number, so there is one entry for each descriptor that was ever open at once."""


def patch() -> Patch:
    """See each registration with the selector that asyncio uses."""
    return Patch(selectors.DefaultSelector, "register", _wrapper)


def _wrapper(original: Callable[..., selectors.SelectorKey]) -> Callable[..., selectors.SelectorKey]:
    def register(self: selectors.BaseSelector, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        key = original(self, fileobj, events, data)
        try:
            caller = sys._getframe(1).f_globals.get("__name__")
            if type(caller) is str and caller.startswith("asyncio."):  # psycopg's sync `connect` waits so, too
                AWAITED.add(key.fd)
        except Exception as error:  # noqa: BLE001  # ours, and not the user's; see `guard`
            noted(error)
        return key

    return register
