"""The known blocking calls of the present step, as the wrappers in `network.known_calls` report them."""

from functools import cached_property
from types import FrameType
from typing import TYPE_CHECKING

from pytest_noblock.engine.clocks import voluntary_switches
from pytest_noblock.engine.network.known_calls import Effect
from pytest_noblock.engine.network.round_trips import RoundTrips
from pytest_noblock.engine.now import now
from pytest_noblock.engine.raw_stacks import line_of, walk_out
from pytest_noblock.engine.stacks import current_stack
from pytest_noblock.engine.steps.deductions import Deductions
from pytest_noblock.engine.usercode import UserCode
from pytest_noblock.model.frames import Stack, user_frame
from pytest_noblock.model.segment import MOST_CALLS, BlockingCall

if TYPE_CHECKING:
    from pytest_noblock.engine.network.mocked_calls import MockedCalls


class StepCalls:
    """The calls of one meter. All of it runs on the meter's thread."""

    _network_ended = 0
    """When the last call ended that may have used a socket (ns)."""
    _local_ended = 0
    """When the last call ended that received from a Unix socket (ns)."""

    def __init__(
        self, user: UserCode, trips: RoundTrips, deductions: Deductions, *, counts_sleeps: bool = False
    ) -> None:
        """`counts_sleeps`: whether the platform counts how often a thread goes to sleep."""
        self.blocking: list[BlockingCall] = []
        """Those that slept or waited for the network."""
        self.answered: list[BlockingCall] = []
        """Those of clients and mocks that did neither: a mock answered."""
        self._user = user
        self._trips = trips
        self._deductions = deductions
        self._sleeps = voluntary_switches if counts_sleeps else _unknown

    def exchange_begins(self) -> int:
        """See `known_calls.Observer`. What other calls and threads sent so far is not this call's."""
        with self._deductions.excluded():
            self._trips.count_now()
        return self._sleeps()

    def ended(self, name: str, effect: Effect, began: int, frame: FrameType, asked: int, slept: int = 0) -> None:
        """See `known_calls.Observer.known_call_ended`."""
        moment = now()
        if effect == "local":
            self._local_ended = moment
        elif effect == "mock" or (effect == "client" and self._local_ended < began):
            self._add_answered(name, effect, began, moment, frame)
        elif self._counts(effect, moment - began, slept):
            network = effect not in ("sleep", "wait")
            if network:
                self._network_ended = moment
            asked = 0 if self._deductions.excluding else asked  # what an import sleeps is out of the step already
            with self._deductions.excluded():
                call = BlockingCall(name, network, began, moment, (), asked)
                self._add(call, frame, known=name if effect == "sleep" else None)

    def _counts(self, effect: Effect, took: int, slept: int) -> bool:
        """Whether the call slept or used a socket: whether it blocked."""
        if effect == "exchange":
            if self._sleeps() > slept:
                return True
            with self._deductions.excluded():
                return self._trips.exchanged(took)
        if effect == "connect":
            self._network_ended = now()
            with self._deductions.excluded():
                return self._trips.opened(took)
        return True

    def _add(self, call: BlockingCall, frame: FrameType, *, known: str | None) -> None:
        """Keep the call; calls that it made itself, for the same user line, are parts of it. `known`: its name."""
        inner = len(self.blocking)
        while inner and self.blocking[inner - 1].began >= call.began:
            inner -= 1
        parts = self.blocking[inner:]
        if parts and self._at_the_line_of(parts[0], frame) and len({_place(each) for each in parts}) == 1:
            network = any(each.network for each in (call, *parts))
            asked = call.asked + sum(each.asked for each in parts)
            self.blocking[inner:] = [call._replace(network=network, asked=asked, stack=parts[0].stack)]
        elif len(self.blocking) >= MOST_CALLS:
            self._count(call, frame)
        else:
            self.blocking.append(call._replace(stack=self._stack_of(call, frame, known)))

    def _stack_of(self, call: BlockingCall, frame: FrameType, known: str | None) -> Stack:
        """That of the last call, where this one was made at the same lines: to name what a line calls takes 1 ms.

        What is `known` is not looked for: that would take 30 ms, once, of what the app waits for.
        """
        last = self.blocking[-1] if self.blocking else None
        if last is not None and last.name == call.name and _is_stack_of(frame, last.stack):
            return last.stack
        return current_stack(frame, self._user, call=known)

    def _count(self, call: BlockingCall, frame: FrameType) -> None:
        """No more are kept: one at the line of the last one stands for both."""
        last = self.blocking[-1]
        if last.name == call.name and self._at_the_line_of(last, frame):
            self.blocking[-1] = call._replace(stack=last.stack, times=last.times + 1)

    def _at_the_line_of(self, call: BlockingCall, frame: FrameType) -> bool:
        mine = next((each for each in walk_out(frame) if each.f_code.co_filename in self._user), None)
        return _place(call) == (None if mine is None else (mine.f_code.co_filename, line_of(mine)))

    def _add_answered(self, name: str, effect: Effect, began: int, ended: int, frame: FrameType) -> None:
        """Add a call of a client or of a mock, if nothing used a socket during the call."""
        if self._network_ended < began and len(self.answered) < MOST_CALLS:
            with self._deductions.excluded():
                self.answered += self._mocked.calls(effect, name, began, ended, frame)

    @cached_property
    def _mocked(self) -> "MockedCalls":
        from pytest_noblock.engine.network.mocked_calls import MockedCalls  # most requests meet no client and no mock

        return MockedCalls(self._user)

    def clear(self) -> None:
        self.blocking, self.answered = [], []


def _unknown() -> int:
    return 0


def _is_stack_of(frame: FrameType, stack: Stack) -> bool:
    here = [(each.f_code.co_filename, line_of(each)) for each in walk_out(frame)]
    return here == [(each.file, each.line) for each in stack]


def _place(call: BlockingCall) -> tuple[str, int] | None:
    frame = user_frame(call.stack)
    return (frame.file, frame.line) if frame is not None else None
