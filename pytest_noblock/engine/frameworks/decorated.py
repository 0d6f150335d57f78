"""Does the function inside a decorated endpoint begin? A decorator may answer by itself: a cache, a limit, a login.

Python 3.12 tells (`sys.monitoring`, PY_START of this one code object). 3.11 does not, nor where both free tool ids are
taken, nor for a function without code of its own: then the decorator counts as the endpoint.
"""

import functools
import inspect
import sys
from collections import Counter
from types import CodeType

from pytest_noblock.engine.endpoints import code_of, is_plain, undecorated
from pytest_noblock.engine.exchange import CURRENT, LiveExchange

_IN_PIECES = inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR
_TOOL_IDS = (4, 3)
"""Of `sys.monitoring`; 0, 1, 2 and 5 are reserved for debugger, coverage, profiler and optimizer."""


def innermost(endpoint: object) -> object:
    """The function that all decorators of the endpoint wrap, by `functools.partial` and `functools.wraps`."""
    if is_plain(endpoint):
        return endpoint
    while isinstance(endpoint, functools.partial):
        endpoint = endpoint.func
    return undecorated(endpoint) if callable(endpoint) else endpoint


def is_generator(function: object) -> bool:
    """Whether the function gives its answer in pieces, asynchronous or not."""
    code = code_of(function)
    return code is not None and bool(code.co_flags & _IN_PIECES)


def raised_in(code: CodeType | None, error: BaseException | None) -> bool:
    """Whether the exception, or one that it was made of, was raised while the code ran. True for no code."""
    seen: set[int] = set()
    while error is not None and code is not None and id(error) not in seen:
        seen.add(id(error))
        trace = error.__traceback__
        while trace is not None:
            if trace.tb_frame.f_code is code:
                return True
            trace = trace.tb_next
        error = error.__cause__ or error.__context__
    return code is None


class Watch:
    """Waits for one code object to begin within one request; `end` must be called."""

    def __init__(self, code: CodeType) -> None:
        self._code = code
        _begin(code)

    def end(self, record: LiveExchange) -> bool:
        """Whether the code began in this request."""
        _end(self._code)
        return record.began_inside


def watch(record: LiveExchange, endpoint: object) -> Watch | None:
    """Wait for the function inside to begin; None where the endpoint is not decorated, or where nobody can tell.

    In the fixture only: a test that watches its own requests says itself what answer it wants.
    """
    if sys.version_info < (3, 12) or record.task is None:
        return None
    inner = innermost(endpoint)
    code = code_of(inner)
    if code is None or inner is endpoint or is_generator(inner):
        return None
    return Watch(code) if _has_tool() else None


_watched: Counter[CodeType] = Counter()
"""How many requests wait for each code."""
_tools: list[int] = []
"""The tool that this module has; empty while nobody waits."""

if sys.version_info >= (3, 12):
    _EVENT = sys.monitoring.events.PY_START

    def _has_tool() -> bool:
        free = [each for each in _TOOL_IDS if sys.monitoring.get_tool(each) is None]
        if not _tools and free:
            _tools.append(free[0])
            sys.monitoring.use_tool_id(free[0], "pytest-noblock endpoints")
            sys.monitoring.register_callback(free[0], _EVENT, _began)
        return bool(_tools)

    def _began(code: CodeType, _offset: int) -> None:
        record = CURRENT.get()
        if record is not None and code in _watched:
            record.began_inside = True

    def _begin(code: CodeType) -> None:
        _watched[code] += 1
        sys.monitoring.set_local_events(_tools[0], code, _EVENT)

    def _end(code: CodeType) -> None:
        _watched[code] -= 1
        if not _watched[code]:
            del _watched[code]
            sys.monitoring.set_local_events(_tools[0], code, 0)
        if not _watched:
            sys.monitoring.register_callback(_tools[0], _EVENT, None)
            sys.monitoring.free_tool_id(_tools.pop())

else:

    def _has_tool() -> bool:
        return False

    def _begin(code: CodeType) -> None:
        """Nobody can tell."""

    def _end(code: CodeType) -> None:
        """Nobody can tell."""
