"""Descriptors that an event loop has waited on: their traffic is asynchronous, whatever one step shows.

Drivers such as psycopg's async one register their socket only while they wait, so the
set of an epoll descriptor is not enough; every `register` of a stdlib selector is seen.
The inode tells whether a number still means the same socket.
"""

import os
import selectors
import sys
from collections.abc import Callable
from typing import Any

from pytest_noblock.engine.patches import Patch


class AwaitedDescriptors:
    """A container of descriptor numbers."""

    def __init__(self) -> None:
        self._inodes: dict[int, int] = {}

    def add(self, fd: int) -> None:
        self._inodes[fd] = os.fstat(fd).st_ino

    def __contains__(self, fd: object) -> bool:
        try:
            return isinstance(fd, int) and fd in self._inodes and os.fstat(fd).st_ino == self._inodes[fd]
        except OSError:
            return False


AWAITED = AwaitedDescriptors()


def patch() -> Patch:
    """See every registration with the selectors that asyncio uses."""
    return Patch(selectors.DefaultSelector, "register", _wrapper)


def _wrapper(original: Callable[..., selectors.SelectorKey]) -> Callable[..., selectors.SelectorKey]:
    def register(self: selectors.BaseSelector, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        key = original(self, fileobj, events, data)
        caller = sys._getframe(1).f_globals.get("__name__", "")
        if caller.startswith("asyncio."):  # psycopg's sync `connect` waits with a selector, too
            AWAITED.add(key.fd)
        return key

    return register
