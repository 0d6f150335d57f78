"""Everything of ours that is patched into the interpreter, in one place, and taken out again.

`asyncio.events.Handle._run` (CPython 3.4 to 3.14, the stdlib loops) is wrapped while
a meter is active. Each callback carries the context of whoever scheduled it, so one
ContextVar names the request behind every step: child tasks, timers, streams,
background tasks. A loop without such handles (uvloop) is not metered by this.
"""

import gc
import threading
from asyncio import events
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from pytest_noblock.engine import calls
from pytest_noblock.engine.exchange import CURRENT
from pytest_noblock.engine.meter import StepMeter

_meters: dict[int, StepMeter] = {}
_lock = threading.Lock()
_undo: list[Callable[[], None]] = []
_ident = threading.get_ident


@contextmanager
def metered(meter: StepMeter) -> Iterator[None]:
    """Meter the steps of this thread; with the last meter the last patch goes."""
    with _lock:
        if not _meters:
            _undo.extend((_wrap_steps(), _wrap_collect(), calls.install(_saw)))
            gc.callbacks.append(_collection)
        _meters[meter.ident] = meter
    try:
        yield
    finally:
        with _lock:
            del _meters[meter.ident]
            if not _meters:
                gc.callbacks.remove(_collection)
                while _undo:
                    _undo.pop()()


def current_meter() -> StepMeter | None:
    """The meter of the calling thread, while one is active."""
    return _meters.get(_ident())


def _wrap_steps() -> Callable[[], None]:
    original = events.Handle._run

    def _run(handle: events.Handle) -> None:
        meter = _meters.get(_ident())
        if meter is None:
            return original(handle)
        meter.begin(handle._context.get(CURRENT))
        try:
            return original(handle)
        finally:
            meter.end()

    events.Handle._run = _run  # type: ignore[method-assign]
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


def _collection(phase: str, _details: dict[str, int]) -> None:
    meter = _meters.get(_ident())
    if meter is not None and not getattr(_asked, "explicitly", False):
        meter.collection(phase)


def _saw(name: str, began: int, frame: FrameType, *, network: bool) -> None:
    meter = _meters.get(_ident())
    if meter is not None:
        meter.saw(name, began, frame, network=network)
