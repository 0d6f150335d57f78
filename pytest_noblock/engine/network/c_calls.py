"""Calls of drivers that are written in C, seen where the user's code makes them (CPython 3.12 and later).

A method of a C class cannot be wrapped. `sys.monitoring` tells of each call that a code object makes; we ask for it
only where a C driver is imported, and only for those functions of the user, and of such a driver's own Python modules,
that name one of the methods. A place that calls something else tells it once and never again. Measured on 1,500
modules: 20 ms for the first test, 10 us for each other, 0.2 us for each call in a covered function.

Not seen: a call by a library between the user and the driver that has no row in `driver_calls`; on CPython 3.11, all of
them. The counters of TCP sockets are left for these, see `round_trips`.
"""

import inspect
import sys
import threading
from collections.abc import Hashable, Iterator, Mapping
from types import CodeType, FunctionType, ModuleType
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

from pytest_noblock.engine.guard import guarded
from pytest_noblock.engine.network.known_calls import C_DRIVERS, Effect, Observer
from pytest_noblock.engine.now import now
from pytest_noblock.engine.usercode import UserCode

_QUERIES = frozenset("execute executemany callproc query".split())
"""Methods whose every call is a round trip."""
_OTHERS = frozenset(
    "commit rollback fetchone fetchmany fetchall nextset connect perform copy_from copy_to copy_expert flush poll "
    "consume list_topics ping store_result use_result".split()
)
"""Methods that may be one."""
_NAMES = _QUERIES | _OTHERS
_IN_C = frozenset("builtin_function_or_method method_descriptor cython_function_or_method instancemethod".split())
"""Types of functions that are not written in Python."""
_FUNCTIONS = _IN_C | {"function", "method"}
"""Of anything else that is called, an attribute might do something when it is read."""
_PREFERRED_TOOL = 3
"""Of `sys.monitoring`; 0, 1, 2 and 5 are reserved, and `line_tracers` tries 4 first."""


class _Begun(NamedTuple):
    """A call that has not ended."""

    label: str
    effect: Effect
    began: int
    slept: int


class _Search:
    """The functions in modules of the user's, and of C drivers, that name one of the methods."""

    def __init__(self) -> None:
        self.codes: WeakValueDictionary[int, CodeType] = WeakValueDictionary()
        """By identity."""
        self._modules: WeakValueDictionary[int, ModuleType] = WeakValueDictionary()
        """All that were looked at, by identity."""
        self._imported = 0

    def look_around(self, user: UserCode) -> bool:
        """Search the modules that were imported since; returns whether there were any."""
        if len(sys.modules) == self._imported:
            return False
        self._imported = len(sys.modules)
        present: list[object] = list(sys.modules.copy().values())  # a test may put anything there
        for module in present:
            if type(module) is ModuleType and id(module) not in self._modules:
                self._modules[id(module)] = module
                if _is_searched(module, user):
                    self.codes.update((id(code), code) for code in _codes_of(module))
        return True


class CCalls:
    """Has the observers told of the calls that covered code makes. One for the process; `cover` may be called often."""

    def __init__(self, observers: Mapping[int, Observer]) -> None:
        self._observers = observers
        self._tool: int | None = None
        self._searches: dict[Hashable, _Search] = {}
        """By what counts as the user's code. They outlast the tests: the next one finds the same code."""
        self._covered: WeakValueDictionary[int, CodeType] = WeakValueDictionary()
        """By identity: two equal code objects are two."""
        self._begun: dict[int, list[_Begun]] = {}
        """By thread, the innermost call last."""

    if sys.version_info >= (3, 12):

        def cover(self, user: UserCode) -> None:
            """Cover what is imported by now; nothing where all tools of the interpreter are taken."""
            search = self._searches.setdefault(user.key, _Search())
            if (search.look_around(user) or not self._covered) and self._has_tool():
                for code in list(search.codes.values()):
                    self._cover(code)

        def _has_tool(self) -> bool:
            monitoring = sys.monitoring
            if self._tool is not None:
                return True
            free = [each for each in (_PREFERRED_TOOL, 4) if monitoring.get_tool(each) is None]
            if not free:
                return False
            self._tool = free[0]
            monitoring.use_tool_id(self._tool, "pytest-noblock calls")
            for event, callback in self._callbacks().items():
                monitoring.register_callback(self._tool, event, callback)
            return True

        def _cover(self, code: CodeType) -> None:
            if self._tool is not None and id(code) not in self._covered:
                self._covered[id(code)] = code
                sys.monitoring.set_local_events(self._tool, code, sys.monitoring.events.CALL)

        def give_back(self) -> None:
            """End all of it. The interpreter is as before."""
            if self._tool is None:
                return
            for code in list(self._covered.values()):
                sys.monitoring.set_local_events(self._tool, code, 0)
            for event in self._callbacks():
                sys.monitoring.register_callback(self._tool, event, None)
            sys.monitoring.free_tool_id(self._tool)
            self._tool = None
            self._covered.clear()
            self._begun.clear()

        def _callbacks(self) -> dict[int, Any]:
            events = sys.monitoring.events
            return {events.CALL: self._calls, events.C_RETURN: self._ended, events.C_RAISE: self._ended}

        def _calls(self, _code: CodeType, _offset: int, function: Any, first: Any) -> object:
            return guarded(self._begins, function, first)

        def _ended(self, _code: CodeType, _offset: int, function: Any, first: Any) -> None:
            guarded(self._ends, function, first)

        def _begins(self, function: Any, first: Any) -> object:
            if type(function).__name__ not in _FUNCTIONS or (name := function.__name__) not in _NAMES:
                return sys.monitoring.DISABLE  # ends the events of this one place
            ident = threading.get_ident()
            observer = self._observers.get(ident)
            if observer is not None and (owner := _driver_of(function, first)) is not None:
                effect: Effect = "network" if name in _QUERIES else "exchange"
                slept = observer.exchange_begins() if effect == "exchange" else 0
                self._begun.setdefault(ident, []).append(_Begun(f"{owner}.{name}", effect, now(), slept))
            return None

        def _ends(self, function: Any, first: Any) -> None:
            ident = threading.get_ident()
            begun = self._begun.get(ident)
            if (
                begun
                and type(function).__name__ in _IN_C
                and function.__name__ in _NAMES
                and _driver_of(function, first) is not None
            ):
                call = begun.pop()
                observer = self._observers.get(ident)
                if observer is not None:
                    caller = sys._getframe(3)  # beyond `guarded` and the callback
                    observer.known_call_ended(call.label, call.effect, call.began, caller, 0, call.slept)

    else:

        def cover(self, user: UserCode) -> None:
            """CPython 3.11 has no `sys.monitoring`."""

        def give_back(self) -> None:
            """There is nothing to give back."""


def _driver_of(function: Any, first: Any) -> str | None:
    """The driver's class, or module, whose function in C is called; None for all else.

    `first`: the first argument, which is the object where the function is a method's descriptor.
    """
    if type(function).__name__ not in _IN_C:
        return None
    bound = getattr(function, "__self__", None)
    if isinstance(bound, ModuleType):
        return bound.__name__ if bound.__name__.partition(".")[0] in C_DRIVERS else None
    owner = getattr(function, "__objclass__", None) or type(first if bound is None else bound)
    for each in owner.__mro__:
        if each.__module__.partition(".")[0] in C_DRIVERS:
            return None if _is_asynchronous(first if bound is None else bound) else str(each.__name__)
    return None


def _is_asynchronous(cursor: Any) -> bool:
    """Whether it is of a psycopg2 connection in asynchronous mode (as aiopg's), which blocks nobody."""
    connection = getattr(cursor, "connection", cursor)
    return bool(getattr(connection, "async_", 0))


def _is_searched(module: ModuleType, user: UserCode) -> bool:
    file = vars(module).get("__file__")
    if not isinstance(file, str):
        return False
    return file in user or module.__name__.partition(".")[0] in C_DRIVERS


def _codes_of(module: ModuleType) -> Iterator[CodeType]:
    """The code of all functions that a module holds, decorated ones, methods and nested ones included."""
    seen: set[int] = set()
    waiting: list[object] = list(vars(module).values())
    while waiting:
        value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if type(value) is FunctionType:  # `isinstance` would ask a proxy for what it stands for
            yield from _with_nested(value.__code__)
        if issubclass(type(value), type):
            if vars(value).get("__module__") == module.__name__:
                waiting += vars(value).values()
        else:
            waiting += _inside(value)


def _with_nested(code: CodeType) -> Iterator[CodeType]:
    """The code objects that name one of the methods."""
    if not _NAMES.isdisjoint(code.co_names):
        yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _with_nested(constant)


def _inside(value: object) -> list[object]:
    """What a decorator has hidden: wrapped functions, those in a closure, those of methods and properties."""
    if type(value) in (staticmethod, classmethod):
        return [value.__func__]  # type: ignore[attr-defined]
    if type(value) is property:
        return [value.fget, value.fset]
    found = [inspect.getattr_static(value, "__wrapped__", None)]  # a proxy is not asked for what it stands for
    for cell in (type(value) is FunctionType and value.__closure__) or ():
        try:
            found.append(cell.cell_contents)
        except ValueError:  # empty
            continue
    return [each for each in found if type(each) in (FunctionType, staticmethod, classmethod, property)]
