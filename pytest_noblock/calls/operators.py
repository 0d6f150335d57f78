"""Whether an operator may have computed what a call seems to have: `(7 ** n).bit_length()`.

Both run in C. A thread that computes in C hands the GIL over once it has made its next call, so that a look at its
stack shows this call; and the counters of a line show the line alone.
"""

import itertools
import opcode
import types
from collections.abc import Iterable, Iterator

from pytest_noblock.calls.callsites import Position, call_sites, parts, spans
from pytest_noblock.calls.sources import COMPREHENSIONS

_OPERATORS = ("BINARY_OP", "COMPARE_OP", "CONTAINS_OP", "FORMAT_")
_SUBSCRIPT = 26
"""The argument of BINARY_OP that stands for `a[b]` (CPython 3.14), which is cheap."""
_HANDING_OVER = ("CALL", "RESUME", "JUMP_BACKWARD")
"""After these the interpreter hands the GIL over, if another thread asked for it."""
_CACHE = "CACHE"

_Span = tuple[Position, Position]


def may_compute(code: types.CodeType, line: int, lasti: int | None) -> bool:
    """Whether an operator may have computed, and not the call that `names.called` names with the same arguments."""
    return _stands_on(code, line) if lasti is None else _ran_for(code, lasti)


def _stands_on(code: types.CodeType, line: int) -> bool:
    """Whether an operator stands on the line; a call waits for the comprehension that it reads."""
    inside = parts(call_sites(code, line), COMPREHENSIONS)
    here = [each for each in _operators(code, range(0, len(code.co_code), 2)) if each[0][0] <= line <= each[1][0]]
    return any(not any(spans(each, *operator) for each in inside) for operator in here)


def _ran_for(code: types.CodeType, lasti: int) -> bool:
    """Whether the call at this instruction takes what an operator made after the last call."""
    while lasti > 1 and _name(code, lasti) == _CACHE:  # 3.11 and 3.12 stand here while Python code is called
        lasti -= 2
    call = next(_spans(code, [lasti]), None)
    if call is None or not _name(code, lasti).startswith("CALL"):
        return False
    before = range(lasti - 2, -1, -2)
    since = itertools.takewhile(lambda at: not _name(code, at).startswith(_HANDING_OVER), before)
    return any(call[0] <= begin and end <= call[1] for begin, end in _operators(code, since))


def _operators(code: types.CodeType, offsets: Iterable[int]) -> Iterator[_Span]:
    named = (at for at in offsets if _name(code, at).startswith(_OPERATORS))
    return _spans(code, [at for at in named if not _is_subscript(code, at)])


def _is_subscript(code: types.CodeType, at: int) -> bool:
    return _name(code, at) == "BINARY_OP" and code.co_code[at + 1] == _SUBSCRIPT


def _name(code: types.CodeType, at: int) -> str:
    return opcode.opname[code.co_code[at]]


def _spans(code: types.CodeType, offsets: list[int]) -> Iterator[_Span]:
    places = list(code.co_positions()) if offsets else []
    for first, last, begin, end in (places[at // 2] for at in offsets):
        if first is not None and last is not None and begin is not None and end is not None:
            yield (first, begin), (last, end)
