"""Turns of a loop that last long while a request is under way, outside of all steps of requests.

In a watched test such a step is nobody's: the test may have made it, or the app in a context of its own. The watchdog
sees it: it wakes twice, and the loop is in the same turn, and does not poll. All of it runs on the watchdog's thread.
"""

import os
from asyncio import events
from collections.abc import Callable, Container, Sequence
from itertools import takewhile
from types import CodeType
from typing import TYPE_CHECKING, NamedTuple

from pytest_noblock.engine.current_frames import current_frames
from pytest_noblock.engine.now import now, read_file
from pytest_noblock.engine.patches import unwrapped
from pytest_noblock.engine.raw_stacks import AT_NO_INSTRUCTION, RawFrame, capture
from pytest_noblock.engine.stacks import as_stack
from pytest_noblock.engine.steps.syscalls import syscall_of
from pytest_noblock.engine.usercode import PACKAGE, UserCode
from pytest_noblock.model.frames import Frame

if TYPE_CHECKING:
    from pytest_noblock.engine.threads.under_way import UnderWay
    from pytest_noblock.model.concurrency import HeldTurn

_MOST = 50
"""Turns of one test that are kept."""
_TURNS = {"_run_once": "select", "unrolled_run": "get_events"}
"""The functions that make the turns of a loop, and those in which it rests meanwhile: of asyncio's loops and their
selectors (CPython 3.4 to 3.14), and of trio (0.22 to 0.33). What stands above them runs in the turn."""
_CALLS = "Scheduled.__call__"
"""Ours, see `steps.wrapped_callbacks`: of a loop whose turns nobody sees, each callback counts as a turn."""
_RUNS = "_run"
"""The method of its handles that calls a callback (CPython 3.4 to 3.14)."""
_ASYNCIO = os.path.dirname(events.__file__)
_RUN = unwrapped(events.Handle._run).__code__
_IN_C: RawFrame = (_RUN, _RUN.co_firstlineno, AT_NO_INSTRUCTION, vars(events))
"""Stands for the handle of another loop than asyncio's, which calls what is written in C."""


class LoopThread(NamedTuple):
    """A loop thread as it is now."""

    native: int
    turn: int
    """The number of its turn; 0 where nobody counts."""


class _Look(NamedTuple):
    """What was seen of one turn so far; times in ns."""

    at: int
    cpu: int
    """The thread's CPU time so far."""
    queued: int
    """Its run-queue delay so far."""
    held: int = 0
    """How long the turn was held from its first look on, at least."""


class _Held(NamedTuple):
    exchange: int
    ns: int
    frames: list[RawFrame]
    polls: bool


class HeldTurns:
    """The long turns of one test's loops. Each is looked at whenever the watchdog wakes."""

    def __init__(self, thread_of: Callable[[int], LoopThread | None], stepping: Container[int]) -> None:
        """`thread_of`: by `threading.get_ident()`; `stepping`: the identities of threads in a step of a request."""
        self._thread_of = thread_of
        self._stepping = stepping
        self._looks: dict[int, _Look] = {}
        """By number of the turn: those that run now."""
        self._held: dict[int, _Held] = {}
        """By number of the turn: the longest that was seen of it."""

    def look(self, under_way: Sequence["UnderWay"]) -> bool:
        """The watchdog is awake, while these requests are under way; returns whether a turn may be held."""
        running: dict[int, _Look] = {}
        for ident in {each.ident for each in under_way}:
            thread = self._thread_of(ident)
            if thread is None or not thread.turn or ident in self._stepping:
                continue
            frames, polls = _in_turn(ident)
            if frames:
                look = running[thread.turn] = _looked(thread.native, self._looks.get(thread.turn))
                request = next(each for each in under_way if each.ident == ident)
                self._note(thread.turn, _Held(request.record.number, look.held, frames, polls))
        self._looks = running
        return bool(running)

    def _note(self, turn: int, held: _Held) -> None:
        if held.ns > 0 and (turn in self._held or len(self._held) < _MOST):
            self._held[turn] = held

    def longer_than(self, least: int) -> bool:
        """Whether a turn was held longer than so many ns."""
        return any(each.ns >= least for each in self._held.values())

    def turns(self, user: UserCode) -> "tuple[HeldTurn, ...]":
        """Those in which a callback ran, once the test is over; not those in which the loop did its own work."""
        from pytest_noblock.model.concurrency import HeldTurn

        held = (
            HeldTurn(each.exchange, each.ns, as_stack(each.frames, user), each.polls) for each in self._held.values()
        )
        return tuple(each for each in held if any(_is_callback(frame) for frame in each.stack))


def _is_callback(frame: Frame) -> bool:
    """Whether somebody's callback runs: their code, or `Handle._run` itself, which calls what is written in C."""
    return frame.function == _RUNS if frame.file == events.__file__ else not frame.file.startswith(_ASYNCIO)


def _in_turn(ident: int) -> tuple[list[RawFrame], bool]:
    """The stack of the loop thread in its turn, innermost first; empty where the loop polls, or does not turn.

    A signal handler, or a finalizer, may run while it polls: of these, what stands above the poll, and True.
    """
    top = frame = current_frames().get(ident)
    called: list[CodeType] = []
    while frame is not None and not _makes_turns(frame.f_code):
        called.append(frame.f_code)
        frame = frame.f_back
    if frame is None:
        return [], False
    poll = _poll(called, _TURNS.get(frame.f_code.co_name))
    if poll is not None and called[0] is poll:
        return [], False
    outer = poll or frame.f_code
    inner = list(takewhile(lambda each: each[0] is not outer, capture(top)))
    if all(code.co_filename.startswith(PACKAGE) for code, *_ in inner):
        return ([_IN_C] if _is_call(frame.f_code) else []), False
    return inner, poll is not None


def _poll(called: Sequence[CodeType], rest: str | None) -> CodeType | None:
    """The function in which the loop rests, of all that its turn has called, innermost first.

    Wrappers of ours may stand around it: two of them while another thread is in a step of a request.
    """
    around = takewhile(lambda code: code.co_name == rest or code.co_filename.startswith(PACKAGE), reversed(called))
    return next((code for code in reversed(list(around)) if code.co_name == rest), None)


def _makes_turns(code: CodeType) -> bool:
    return code.co_name in _TURNS or _is_call(code)


def _is_call(code: CodeType) -> bool:
    return code.co_qualname == _CALLS and code.co_filename.startswith(PACKAGE)


def _looked(native: int, before: _Look | None) -> _Look:
    """At the thread of a turn. `before`: the last look at this turn.

    The kernel counts a wait for a processor once it is over. A thread that can run may wait for one at this moment: no
    more than its CPU counts then.
    """
    look = _Look(now(), *_counters(native))
    if before is None:
        return look
    passed = look.at - before.at - (look.queued - before.queued)
    if syscall_of(native) == "running":
        passed = min(passed, look.cpu - before.cpu)
    return look._replace(held=before.held + max(0, passed))


def _counters(native: int) -> tuple[int, int]:
    """CPU time and run-queue delay of a thread so far (ns); 0 where the kernel does not tell, or it has ended."""
    try:
        cpu, delay, *_ = map(int, read_file(f"/proc/self/task/{native}/schedstat").split())
    except (OSError, ValueError):
        return 0, 0
    return cpu, delay
