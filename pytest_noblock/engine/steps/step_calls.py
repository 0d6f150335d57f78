"""The known blocking calls of the present step, as the wrappers in `network.known_calls` report them."""

from functools import cached_property
from types import FrameType
from typing import TYPE_CHECKING

from pytest_noblock.engine.network.known_calls import Effect
from pytest_noblock.engine.network.round_trips import RoundTrips
from pytest_noblock.engine.now import now
from pytest_noblock.engine.stacks import current_stack
from pytest_noblock.engine.steps.deductions import Deductions
from pytest_noblock.engine.usercode import UserCode
from pytest_noblock.model.segment import BlockingCall

if TYPE_CHECKING:
    from pytest_noblock.engine.network.mocked_calls import MockedCalls

_MOST_CALLS = 100
"""Further calls of one step are not kept: a loop of calls repeats itself."""


class StepCalls:
    """The calls of one meter. All of it runs on the meter's thread."""

    def __init__(self, user: UserCode, trips: RoundTrips, deductions: Deductions) -> None:
        self.blocking: list[BlockingCall] = []
        """Those that slept or waited for the network."""
        self.answered: list[BlockingCall] = []
        """Those of clients and mocks that did neither: a mock answered."""
        self._user = user
        self._trips = trips
        self._deductions = deductions
        self._network_ended = 0
        """When the last call ended that may have used a socket (ns)."""

    def ended(self, name: str, effect: Effect, began: int, frame: FrameType, asked: int) -> None:
        """See `known_calls.Observer.known_call_ended`."""
        moment = now()
        if effect in ("client", "mock"):
            self._add_answered(name, effect, began, moment, frame)
            return
        if effect != "sleep":
            self._network_ended = moment
        if len(self.blocking) < _MOST_CALLS:
            asked = 0 if self._deductions.excluding else asked  # what an import sleeps is out of the step already
            with self._deductions.excluded():
                if effect != "connect" or self._trips.opened(moment - began):
                    stack = current_stack(frame, self._user)
                    self.blocking.append(BlockingCall(name, effect != "sleep", began, moment, stack, asked))

    def _add_answered(self, name: str, effect: Effect, began: int, ended: int, frame: FrameType) -> None:
        """Add a call of a client or of a mock, if nothing used a socket during the call."""
        if self._network_ended < began and len(self.answered) < _MOST_CALLS:
            with self._deductions.excluded():
                self.answered += self._mocked.calls(effect, name, began, ended, frame)

    @cached_property
    def _mocked(self) -> "MockedCalls":
        from pytest_noblock.engine.network.mocked_calls import MockedCalls  # most requests meet no client and no mock

        return MockedCalls(self._user)

    def clear(self) -> None:
        self.blocking, self.answered = [], []
