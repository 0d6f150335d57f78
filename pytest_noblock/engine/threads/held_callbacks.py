"""What holds a loop that does not say when it turns (uvloop), outside of all steps of requests: a callback that sleeps.

Such a loop calls the methods of a protocol without having been asked to, and those of one that takes no wrapper (see
`steps.protocols`) nobody sees. The watchdog does: it wakes twice, and the loop's thread is asleep in a callback, and
has not run in between. It sees nothing of one that computes. All of it but `runner_of` runs on the watchdog's thread.
"""

import asyncio
from collections.abc import Container, Sequence
from itertools import takewhile
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any

from pytest_noblock.engine.current_frames import current_frames
from pytest_noblock.engine.now import now, read_file
from pytest_noblock.engine.raw_stacks import RawFrame, capture
from pytest_noblock.engine.stacks import as_stack
from pytest_noblock.engine.steps.syscalls import syscall_of
from pytest_noblock.engine.usercode import PACKAGE, UserCode

if TYPE_CHECKING:
    from pytest_noblock.engine.threads.under_way import UnderWay
    from pytest_noblock.model.concurrency import HeldTurn

_MOST = 50
"""Callbacks of one loop that are kept."""


def runner_of(loop: asyncio.AbstractEventLoop) -> CodeType | None:
    """On the loop's thread, in a task: the function that runs the loop. What stands above it runs in a callback."""
    coroutine: Any = getattr(asyncio.current_task(loop), "get_coro", lambda: None)()
    frame: FrameType | None = getattr(coroutine, "cr_frame", None)
    frame = frame.f_back if frame is not None else None
    while frame is not None and frame.f_code.co_filename.startswith(PACKAGE):
        frame = frame.f_back
    return frame.f_code if frame is not None else None


class HeldCallbacks:
    """Those of one loop."""

    def __init__(self, ident: int, native: int, runner: CodeType, stepping: Container[int]) -> None:
        """`ident`, `native`: of the loop's thread; `stepping`: the identities of threads in a step of a request."""
        self._ident = ident
        self._native = native
        self._runner = runner
        self._stepping = stepping
        self._runs = b""
        """How often the thread had got a processor, when it was seen asleep in a callback; empty: it was not."""
        self._since = 0
        """When that was at first (ns)."""
        self._held: dict[bytes, tuple[int, int, list[RawFrame]]] = {}
        """By `_runs`: the number of the exchange that was under way, ns, the stack."""

    def look(self, under_way: "Sequence[UnderWay]") -> bool:
        """The watchdog is awake, while these requests are under way; returns whether a callback may be held."""
        request = next((each for each in under_way if each.ident == self._ident), None)
        frames = self._in_callback() if request is not None and self._ident not in self._stepping else []
        runs = _runs(self._native) if frames else b""
        if runs != self._runs or not runs:
            self._runs, self._since = runs, now()
        elif request is not None and (runs in self._held or len(self._held) < _MOST):
            self._held[runs] = request.record.number, now() - self._since, frames
        return bool(runs)

    def _in_callback(self) -> list[RawFrame]:
        """The stack above what runs the loop, innermost first; empty where the loop polls, or is not run."""
        stack = capture(current_frames().get(self._ident))
        inner = list(takewhile(lambda each: each[0] is not self._runner, stack))
        ours = all(code.co_filename.startswith(PACKAGE) for code, *_ in inner)
        return [] if ours or len(inner) == len(stack) else inner

    def longer_than(self, least: int) -> bool:
        """Whether a callback was held longer than so many ns."""
        return any(ns >= least for _number, ns, _frames in self._held.values())

    def turns(self, user: UserCode) -> "Sequence[HeldTurn]":
        """Once the test is over."""
        from pytest_noblock.model.concurrency import HeldTurn

        return [HeldTurn(number, ns, as_stack(frames, user)) for number, ns, frames in self._held.values()]


def _runs(native: int) -> bytes:
    """How often a thread that sleeps has got a processor so far. Empty: it runs or queues, or nobody counts.

    A thread that waits for the GIL wakes every 5 ms, and so gets one again and again.
    """
    if syscall_of(native) in ("running", "unknown"):
        return b""
    try:
        return read_file(f"/proc/self/task/{native}/schedstat").split()[2]
    except (OSError, IndexError):
        return b""
