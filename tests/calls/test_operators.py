"""A call is not named for what an operator of the same expression may have computed."""

import dis
import textwrap
import types
from collections.abc import Callable

import pytest

from pytest_noblock.calls.operators import may_compute

pytestmark = pytest.mark.every_python

Write = Callable[[str], types.CodeType]


@pytest.fixture
def function(write: Write) -> Callable[[str], types.CodeType]:
    def of(line: str) -> types.CodeType:
        module = write("def endpoint(a, b, rows, f):\n" + textwrap.indent(line, "    "))
        return next(each for each in module.co_consts if isinstance(each, types.CodeType))

    return of


def last_call(code: types.CodeType) -> int:
    """The offset of the last call, the outermost of one expression."""
    return [each.offset for each in dis.get_instructions(code) if each.opname.startswith("CALL")][-1]


@pytest.mark.parametrize(
    ("line", "doubtful"),
    [
        ("return (a ** b).bit_length()", True),
        ("return min(a ** b, 5)", True),
        ("return str(rows == f)", True),
        ("return str(a in rows)", True),
        ("return f'{rows}'.encode()", True),
        ("return min(a * (b + 1), 5)", True),
        ("return rows.sort()", False),
        ("return rows[a].strip()", False),
        ("return min(f(a ** b), 5)", False),  # a look would have come after `f`
        ("x = a ** b\nreturn f(a)", False),
    ],
)
def test_the_call_that_a_look_shows(function: Callable[[str], types.CodeType], line: str, doubtful: bool) -> None:
    code = function(line)
    assert may_compute(code, 2, last_call(code)) is doubtful


@pytest.mark.parametrize(
    ("line", "doubtful"),
    [
        ("return (a ** b).bit_length()", True),
        ("return f(a) ** b", True),
        ("return f(a)", False),
        ("return rows[a].strip()", False),
        ("return sum([a * b for a in rows])", False),  # the call waits for the whole of it
    ],
)
def test_the_call_of_a_line_that_counters_show(
    function: Callable[[str], types.CodeType], line: str, doubtful: bool
) -> None:
    assert may_compute(function(line), 2, None) is doubtful


def test_an_instruction_that_calls_nothing_is_in_no_doubt(function: Callable[[str], types.CodeType]) -> None:
    code = function("return a ** b")
    offset = next(each.offset for each in dis.get_instructions(code) if each.opname.startswith("BINARY_OP"))
    assert may_compute(code, 2, offset) is False
