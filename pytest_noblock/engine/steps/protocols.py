"""The methods of a protocol, on a loop that calls them without having been asked to (uvloop, rloop).

Such a loop asks the protocol for its methods when it is connected, so that what the instance has by then is called. An
instance that takes no attributes (it has slots, or is written in C) stays as it is: what its methods do, nobody meters.
"""

from collections.abc import Callable
from functools import partial
from types import FunctionType
from typing import Any, TypeVar
from weakref import ref

from pytest_noblock.engine.guard import guarded

T = TypeVar("T")

Call = Callable[..., Any]
"""`call(function, protocol, *arguments)` calls the function as a step of its own."""

_METHODS = (
    "connection_made",
    "data_received",
    "get_buffer",
    "buffer_updated",
    "eof_received",
    "connection_lost",
    "datagram_received",
    "error_received",
    "pipe_data_received",
    "pipe_connection_lost",
    "process_exited",
)
"""Those that asyncio's documentation names, but for `pause_writing` and `resume_writing`, which a step itself calls."""


def made_by(factory: Callable[[], T], call: Call) -> T:
    """What the factory makes, with its methods called by `call`."""
    protocol = factory()
    guarded(with_steps, protocol, call)
    return protocol


def with_steps(protocol: Any, call: Call) -> None:
    """The instance has its methods from here on as attributes of its own. They do not keep it alive.

    No attribute of it is asked for: a property, or a `__getattr__`, is the user's code.
    """
    try:
        own, itself = object.__getattribute__(protocol, "__dict__"), ref(protocol)
    except (AttributeError, TypeError):
        return
    if type(own) is dict:
        functions = _functions(type(protocol))
        own.update({name: partial(_called, itself, each, call) for name, each in functions.items() if name not in own})


def _functions(kind: type) -> dict[str, FunctionType]:
    """The methods that are written in Python."""
    contents: dict[str, object] = {}
    for base in reversed(kind.__mro__):
        contents |= vars(base)
    return {name: each for name in _METHODS if type(each := contents.get(name)) is FunctionType}


def _called(itself: "ref[Any]", function: FunctionType, call: Call, *args: Any) -> Any:
    __tracebackhide__ = True
    return call(function, itself(), *args)
