"""Frames of a stack: a frame is one line of code at the moment at which the stack was read."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

Form = Literal["def", "async def", "generator", "async generator", "template"]
"""How the code of a frame is written; a lambda is a `def`. `template`: a line of a template of Jinja or Mako."""


_COMPREHENSIONS = frozenset({"<genexpr>", "<listcomp>", "<setcomp>", "<dictcomp>"})


class Frame(NamedTuple):
    """One line of a stack."""

    file: str
    """Absolute in an Observation; relative to rootdir in a Finding."""
    line: int
    """Counts from 1."""
    function: str
    """`co_name` of the frame's code object."""
    call: str | None = None
    """The call that the line was making, `requests.get`; None where it is not known."""
    user: bool = False
    """Whether the line is in the user's code."""
    asgi: bool = False
    """Whether the function is an ASGI app: it takes scope, receive and send."""
    name: str | None = None
    """The function's own public name, `fastapi.encoders.jsonable_encoder`; None where it has none, or where a frame of
    the user's lies further in."""

    form: Form | None = None
    """None where nobody asked for it."""
    module: str | None = None
    """`__name__` of the function's module; None where it has none."""
    qualname: str | None = None
    """`co_qualname` of the frame's code object, `Audit.dispatch`; None where nobody asked for it."""

    may_be_operator: bool = False
    """Whether an operator of the same line may have computed, and not `call`."""

    @property
    def written_in(self) -> str:
        """The function that the line is written in: a comprehension's own frame is a detail of the Python that runs it.

        In Python 3.12 a list comprehension has none any more, and a generator expression takes turns with who reads it.
        """
        around = (self.qualname or self.function).split(".")
        while len(around) > 1 and around[-1] in _COMPREHENSIONS:
            around = [*around[:-1]] if around[-2] != "<locals>" else around[:-2]
        return around[-1]

    @property
    def may_await(self) -> bool:
        """Whether an `await` may stand on the line."""
        return self.form in ("async def", "async generator")

    def named(self, file: str) -> "Frame":
        """The same line under another name of its file."""
        return self._replace(file=file)


Stack = tuple[Frame, ...]
"""Innermost frame first."""


def user_frame(stack: Stack) -> Frame | None:
    """The innermost frame in the user's code; None where there is none."""
    return next((frame for frame in stack if frame.user), None)


_EXIT_STACKS = ("ExitStack.__exit__", "AsyncExitStack.__aexit__")


def exit_stack_at(inner: Sequence[Frame]) -> int | None:
    """The place of the innermost frame of an exit stack, `contextlib.ExitStack` or its async twin, that is being left.

    `inner`: what the frame called that leaves it. None where it called something else.
    """
    at = len(inner)
    while at and inner[at - 1].module == "contextlib":
        at -= 1
    return at if any(each.qualname in _EXIT_STACKS for each in inner[at:]) else None


def surely_named(stack: Stack) -> Stack:
    """The stack of a computation: without the call that an operator may have computed in the place of."""
    return tuple(each._replace(call=None) if each.may_be_operator else each for each in stack)
