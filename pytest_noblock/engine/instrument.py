"""Everything of ours that is patched into the interpreter, in one place, and taken out again.

`asyncio.events.Handle._run` (CPython 3.4 to 3.14, the stdlib loops) is wrapped while
a meter is active. Each callback carries the context of whoever scheduled it, so one
ContextVar names the request behind every step: child tasks, timers, streams,
background tasks. A loop without such handles (uvloop, trio) is metered by `loops`.
"""

import functools
import gc
import importlib
import subprocess
import threading
from asyncio import events
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from pytest_noblock.engine import calls, descriptors, starlette
from pytest_noblock.engine.exchange import CURRENT
from pytest_noblock.engine.meter import SHORT_NS, StepMeter
from pytest_noblock.engine.now import now

_meters: dict[int, StepMeter] = {}
_lock = threading.Lock()
_users = 0
_undo: list[Callable[[], None]] = []
_ident = threading.get_ident


@contextmanager
def installed() -> Iterator[None]:
    """The patches, as long as anybody needs them."""
    global _users  # noqa: PLW0603  # the interpreter has one Handle class, so there is one count
    with _lock:
        _users += 1
    try:
        with _lock:
            _install()
        yield
    finally:
        with _lock:
            _users -= 1
            if not _users:
                while _undo:
                    _undo.pop()()


def _install() -> None:
    if not _undo:
        gc.callbacks.append(_collection)
        _undo.append(lambda: gc.callbacks.remove(_collection))
        patches = (
            _wrap_steps,
            _wrap_collect,
            _wrap_imports,
            lambda: _wrap_first_turn(threading.Thread, "start"),
            lambda: _wrap_first_turn(subprocess.Popen, "_execute_child"),
            lambda: calls.install(_saw),
            descriptors.install,
        )
        _undo.extend(patch() for patch in patches)
    if not starlette.installed():  # it may have been imported since
        _undo.append(starlette.install())


@contextmanager
def metered(meter: StepMeter) -> Iterator[None]:
    """Meter the steps of the thread that made the meter."""
    with installed():
        register(meter)
        try:
            yield
        finally:
            unregister(meter)


def register(meter: StepMeter) -> None:
    _meters[meter.ident] = meter


def unregister(meter: StepMeter) -> None:
    """A later thread may have got the same identity, and a meter of its own."""
    if _meters.get(meter.ident) is meter:
        del _meters[meter.ident]


def current_meter() -> StepMeter | None:
    """The meter of the calling thread, while one is active."""
    return _meters.get(_ident())


def _wrap_steps() -> Callable[[], None]:
    original = events.Handle._run

    def _run(handle: events.Handle) -> None:
        meter = _meters.get(_ident())
        owner = None if meter is None else handle._context.get(CURRENT)  # type: ignore[attr-defined]
        if meter is not None and owner is not None:
            meter.begin(owner)
        began = now()
        try:
            return original(handle)
        finally:
            meter = _meters.get(_ident())  # a request may have entered in this very step
            if meter is not None:
                if meter.owner is not None:
                    meter.end()
                elif now() - began > SHORT_NS:
                    meter.stale = True

    events.Handle._run = _run  # type: ignore[method-assign, assignment]
    return lambda: setattr(events.Handle, "_run", original)


_asked = threading.local()


def _wrap_collect() -> Callable[[], None]:
    """An explicit `gc.collect()` is the request's own work, unlike a collection that just falls due."""
    original = gc.collect

    def collect(*args: Any, **kwargs: Any) -> int:
        _asked.explicitly = True
        try:
            return original(*args, **kwargs)
        finally:
            _asked.explicitly = False

    gc.collect = collect
    return lambda: setattr(gc, "collect", original)


def _wrap_imports() -> Callable[[], None]:
    """A module is imported once: what that costs a request is a first-use cost.

    CPython (3.3 and later) looks `_find_and_load` up on this module for every import
    that `sys.modules` does not answer, the import statement's included.
    """
    imports: Any = importlib._bootstrap  # noqa: SLF001
    original = imports._find_and_load

    def _find_and_load(name: str, import_: Any) -> Any:
        meter = _meters.get(_ident())
        if meter is None or meter.owner is None:
            return original(name, import_)
        with meter.importing():
            return original(name, import_)

    imports._find_and_load = _find_and_load
    return lambda: setattr(imports, "_find_and_load", original)


def _wrap_first_turn(owner: Any, name: str) -> Callable[[], None]:
    """Leave out waiting until a new thread or process has had its first turn.

    `Thread.start` and `Popen` do; beside busy processes how long is the machine's doing.
    """
    original = getattr(owner, name)

    @functools.wraps(original)
    def first_turn(*args: Any, **kwargs: Any) -> Any:
        meter = _meters.get(_ident())
        if meter is None or meter.owner is None:
            return original(*args, **kwargs)
        with meter.own_work():  # a new worker may take the interpreter lock with its first turn, and keep it
            start = functools.partial(original, *args, **kwargs)
            return start() if meter.gaps is None else meter.gaps.around(start)

    setattr(owner, name, first_turn)
    return lambda: setattr(owner, name, original)


def _collection(phase: str, _details: dict[str, int]) -> None:
    meter = _meters.get(_ident())
    if meter is not None and not getattr(_asked, "explicitly", False):
        meter.collection(phase)


def _saw(name: str, effect: calls.Effect, began: int, frame: FrameType) -> None:
    meter = _meters.get(_ident())
    if meter is not None:
        meter.saw(name, effect, began, frame)
