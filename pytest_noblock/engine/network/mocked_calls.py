"""Known blocking calls on the loop thread that a mock answered, so that neither a socket nor a sleep shows them."""

from collections.abc import Iterator
from types import CodeType, FrameType

from pytest_noblock.engine.network.known_calls import Effect
from pytest_noblock.engine.patches import unwrapped
from pytest_noblock.engine.raw_stacks import walk_out
from pytest_noblock.engine.stacks import current_stack
from pytest_noblock.engine.usercode import UserCode
from pytest_noblock.model.frames import Stack, user_frame
from pytest_noblock.model.segment import BlockingCall

_MOST_SITES = 1000
"""Call sites that are remembered as harmless; those beyond are judged each time."""


class MockedCalls:
    """Decides whether such a call stands for one that blocks in production. Each meter has one, on the loop thread."""

    def __init__(self, user: UserCode) -> None:
        self._user = user
        self._harmless: set[tuple[CodeType, int]] = set()
        """Code and last instruction of user frames that call a mock of something that blocks nobody: judged once."""

    def calls(self, effect: Effect, name: str, began: int, ended: int, frame: FrameType) -> list[BlockingCall]:
        """The call that `frame` made, as a list of one; empty where it blocks nobody, or no user line made it.

        `effect` is `client` or `mock`; `began` and `ended` in ns.
        """
        found = self._client(frame) if effect == "client" else self._mock(frame)
        return [BlockingCall(name, network, began, ended, stack) for stack, network in found]

    def _client(self, frame: FrameType) -> Iterator[tuple[Stack, bool]]:
        """A client's call leaves the machine in production."""
        stack = current_stack(frame, self._user)
        if user_frame(stack) is not None:
            yield stack, True

    def _mock(self, frame: FrameType) -> Iterator[tuple[Stack, bool]]:
        """A mock stands for what the user line calls."""
        mine = next((each for each in walk_out(frame) if each.f_code.co_filename in self._user), None)
        if mine is None or (mine.f_code, mine.f_lasti) in self._harmless:
            return
        stack = current_stack(frame, self._user)
        network = _stands_for_network(stack, frame.f_locals.get("self"))
        if network is not None:
            yield stack, network
        elif len(self._harmless) < _MOST_SITES:
            self._harmless.add((mine.f_code, mine.f_lasti))


def _stands_for_network(stack: Stack, mock: object) -> bool | None:
    """Whether the call that the mock stands for uses the network; None where it blocks nobody.

    A mock that is called inside a blocking call does not replace that call, which may do other things first.
    """
    from pytest_noblock.calls.known import known
    from pytest_noblock.calls.public_names import found_at  # imported late: most runs meet no mock

    frame = user_frame(stack)
    entry = known(frame.call) if frame else None
    if frame is None or entry is None or not entry.blocks_anywhere:
        return None
    there = unwrapped(found_at(frame.call or ""))
    return entry.network if mock is there or mock is getattr(there, "mock", None) else None
