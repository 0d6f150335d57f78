"""Known blocking calls on the loop thread that something else than a socket answered."""

from types import CodeType, FrameType

from pytest_noblock.engine.patches import beneath
from pytest_noblock.engine.stacks import here, outwards
from pytest_noblock.engine.usercode import UserCode
from pytest_noblock.frames import Stack, user_frame
from pytest_noblock.observation import BlockingCall

_MOST_CALLS = 20
_MOST_SITES = 1000


class Answered:
    """`calls` are those of the present step; of one without a line of the user's there is nothing to say."""

    def __init__(self, user: UserCode) -> None:
        self.calls: list[BlockingCall] = []
        self._user = user
        self._harmless: set[tuple[CodeType, int]] = set()
        """Where mocks stand in for what stops nobody: looked at once."""

    def client(self, name: str, began: int, ended: int, frame: FrameType) -> None:
        """A call of a client, which leaves the machine in production."""
        stack = here(frame, self._user)
        if user_frame(stack) is not None:
            self._add(BlockingCall(name, network=True, began=began, ended=ended, stack=stack))

    def mock(self, name: str, began: int, ended: int, frame: FrameType) -> None:
        """A call of a mock: the line that makes it tells what it stands for."""
        mine = next((each for each in outwards(frame) if each.f_code.co_filename in self._user), None)
        if mine is None or (mine.f_code, mine.f_lasti) in self._harmless:
            return
        stack = here(frame, self._user)
        network = _stands_for_network(stack, frame.f_locals.get("self"))
        if network is not None:
            self._add(BlockingCall(name, network, began, ended, stack))
        elif len(self._harmless) < _MOST_SITES:
            self._harmless.add((mine.f_code, mine.f_lasti))

    def _add(self, call: BlockingCall) -> None:
        if len(self.calls) < _MOST_CALLS:
            self.calls.append(call)


def _stands_for_network(stack: Stack, mock: object) -> bool | None:
    """None where the mock is not at the place of what blocks wherever it runs, but somewhere inside it."""
    from pytest_noblock.naming.paths import found_at  # most runs meet no mock
    from pytest_noblock.remedies import known

    frame = user_frame(stack)
    entry = known(frame.call) if frame else None
    if frame is None or entry is None or not entry.blocks_anywhere:
        return None
    there = beneath(found_at(frame.call or ""))
    return entry.network if mock is there or mock is getattr(there, "mock", None) else None
