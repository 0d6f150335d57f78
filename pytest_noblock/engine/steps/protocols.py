"""The methods of a protocol, on a loop that calls them without having been asked to (uvloop, rloop).

Such a loop asks the protocol for its methods when it is connected, so that what the instance has by then is called. An
instance that takes no attributes (it has slots, or is written in C) stays as it is: what its methods do, nobody meters.
"""

from collections.abc import Callable
from functools import partial
from types import FunctionType, MethodType
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
    """The instance has its methods from here on as attributes of its own. They do not keep it alive."""
    own = getattr(protocol, "__dict__", None)
    try:
        itself = ref(protocol)
    except TypeError:
        return
    if type(own) is dict:
        methods = {name: getattr(protocol, name, None) for name in _METHODS if name not in own}
        own.update({name: partial(_called, itself, each, call) for name, each in _functions(protocol, methods)})


def _functions(protocol: Any, methods: dict[str, Any]) -> list[tuple[str, FunctionType]]:
    """Those that are methods of this instance, in Python; not what a stand-in has there."""
    return [
        (name, each.__func__)
        for name, each in methods.items()
        if type(each) is MethodType and each.__self__ is protocol and type(each.__func__) is FunctionType
    ]


def _called(itself: "ref[Any]", function: FunctionType, call: Call, *args: Any) -> Any:
    __tracebackhide__ = True
    return call(function, itself(), *args)
