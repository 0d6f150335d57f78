"""Whether a look met a loop that waits, of a step that the machine may have made long. It names nothing."""

from collections.abc import Sequence

from pytest_noblock.calls.poll_loops import poll_loop
from pytest_noblock.engine.raw_stacks import RawFrame
from pytest_noblock.engine.usercode import UserCode


def is_polled(frames: Sequence[RawFrame], user: UserCode) -> bool:
    files = ((code.co_filename, line) for code, line, _lasti, _namespace in frames)
    return any(file in user and poll_loop(file, line) is not None for file, line in files)
