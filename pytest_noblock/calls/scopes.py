"""Whose a name on a line is, by Python's rules of scope: of code objects and of the source alone."""

import ast
import dis
import inspect
import types
from functools import cached_property
from typing import Literal

from pytest_noblock.calls.bindings import names_around, names_on
from pytest_noblock.calls.sources import FRAME_OF, OWN_FRAME

Place = Literal["local", "local or global", "unseen", "elsewhere", "global"]
"""Where the value of a name is to be found.

- `local`: a variable of the frame, or of a function around it.
- `local or global`: a name that a class body binds; until it does, the global one counts.
- `unseen`: a variable whose value is not known any more, or is another frame's; the source may tell what it is.
- `elsewhere`: a parameter of a lambda or a target of a comprehension that runs in another frame.
- `global`: of the module, or a builtin.
"""


class Scope:
    """Of the frame of `code` at one line. `later`: the names are read after the line has ended."""

    def __init__(self, code: types.CodeType, line: int, *, later: bool) -> None:
        self._code = code
        self._line = line
        self._later = later
        self._on_line = names_on(code, line)

    def place(self, name: ast.Name) -> Place:
        binder = self._on_line.binders.get(name)
        if binder is not None and not self._runs(binder):
            return "elsewhere"
        if name.id in self._own:
            return self._own_place(name.id)
        if name.id in self._on_line.rebound or (self._is_expression and name.id in self._around):
            return "unseen"
        return "global"

    def _own_place(self, name: str) -> Place:
        if self._later and name in self._on_line.rebound:  # `row = row.next()`: the name has its new value
            return "unseen"
        return "local" if self._code.co_flags & inspect.CO_OPTIMIZED else "local or global"

    def _runs(self, expression: ast.expr) -> bool:
        """Whether the lambda or comprehension runs in this frame."""
        return isinstance(expression, FRAME_OF.get(self._code.co_name, ())) or not isinstance(expression, OWN_FRAME)

    @property
    def _is_expression(self) -> bool:
        """Whether the frame runs a part of the line only: the rest of the names are of the frames around it."""
        return self._code.co_name in FRAME_OF

    @cached_property
    def _around(self) -> frozenset[str]:
        return names_around(self._code.co_filename, self._line)

    @cached_property
    def _own(self) -> frozenset[str]:
        code = self._code
        names = {*code.co_varnames, *code.co_cellvars, *code.co_freevars}
        if not code.co_flags & inspect.CO_OPTIMIZED and code.co_name != "<module>":  # a class body
            names |= {each.argval for each in dis.get_instructions(code) if each.opname == "STORE_NAME"}
        return frozenset(names)
