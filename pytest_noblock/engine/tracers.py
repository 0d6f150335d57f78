"""Is a tracer or a profiler on (coverage, a debugger, cProfile)? It makes Python code slower, whoever's code that is.

Measured with coverage 7.17, its C tracer, line and branch, on Python 3.12 and 3.13: loops, calls and generators in
traced files took 2 to 10 times their CPU, `jsonable_encoder`, in a file that is not traced, 5 to 24 times; the tracer
in Python 15 to 70 times. cProfile took 2 to 7 times on 3.11 to 3.13, a function of one line in `sys.setprofile` 2 to
10 times. `json.loads` took 1.0 times. All of them took 1.0 to 1.1 times with `COVERAGE_CORE=sysmon`.
"""

import sys
import threading
from collections.abc import Iterator

_IN_C = 25
_IN_PYTHON = 80
_FAST = ("coverage", "pytest-noblock")
"""How the names of tools of `sys.monitoring` begin that slow nothing down."""
_DEBUGGERS = ("pydevd", "debugpy", "bdb")
"""The same, of those that ask for lines in a few functions only: a stop at a line is not seen in their events."""


_TOOLS = range(6)
"""The numbers of the tools of `sys.monitoring`."""
_harmless: set[str | None] = {None}
"""What stands at a number where none is, and the names so far of tools that slow nothing down: one of ours is on."""


def slowdown() -> int:
    """How many times slower a tracer or a profiler makes Python code at most; 1 where there is none.

    Those of the calling thread count, and those that new threads get.
    """
    if sys.gettrace() is threading.gettrace() is sys.getprofile() is threading.getprofile() is None and not _has_tool():
        return 1
    return max((_factor(each) for each in _on()), default=1)


def _on() -> Iterator[object]:
    """What is on: functions, and names of tools of `sys.monitoring` (3.12 and later)."""
    given = (sys.gettrace(), threading.gettrace(), sys.getprofile(), threading.getprofile())
    yield from (each for each in given if each is not None)
    if sys.version_info >= (3, 12):
        yield from _tools()


if sys.version_info >= (3, 12):

    def _has_tool() -> bool:
        return not _harmless.issuperset(map(sys.monitoring.get_tool, _TOOLS))  # asked of each request

    def _tools() -> Iterator[str]:
        """The tools that ask for events of all code. What asks for those of single functions is not worth a doubt."""
        for number in _TOOLS:
            name = sys.monitoring.get_tool(number)
            if name is None or name.startswith(_FAST):
                _harmless.add(name)
                continue
            if name.startswith(_DEBUGGERS) or sys.monitoring.get_events(number):
                yield name


else:

    def _has_tool() -> bool:
        return False


def _factor(given: object) -> int:
    return _IN_C if _name(given) in ("CTracer", "Profile", "Profiler", "cProfile") else _IN_PYTHON


def _name(given: object) -> str:
    """Coverage gives new threads a method of its collector, which knows the tracer that they will have."""
    if isinstance(given, str):
        return given
    collector = getattr(given, "__self__", None)
    return str(getattr(getattr(collector, "_trace_class", type(given)), "__name__", ""))
