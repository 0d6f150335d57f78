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
from typing import Any

from pytest_noblock.engine.exchange import CURRENT
from pytest_noblock.engine.frameworks import starlette
from pytest_noblock.engine.network import awaited_fds, known_calls
from pytest_noblock.engine.now import now
from pytest_noblock.engine.patches import Patch, Patches
from pytest_noblock.engine.stacks import border
from pytest_noblock.engine.steps.meter import STEPPING, StepMeter

border(__file__)

_meters: dict[int, StepMeter] = {}
_imports: set[str] = set()
"""What was imported, or imported anew, while the patches were on."""
_lock = threading.Lock()
_users = 0
_ident = threading.get_ident


def _wanted() -> Iterator[Patch]:
    yield Patch(events.Handle, "_run", _run)
    yield Patch(gc, "collect", _collect)
    yield Patch(importlib._bootstrap, "_find_and_load", _find_and_load)
    yield Patch(threading.Thread, "start", lambda original: _first_turn(_born(original)))
    yield Patch(subprocess.Popen, "_execute_child", _first_turn)
    yield awaited_fds.patch()
    yield from known_calls.patches(STEPPING)


_always = Patches(_wanted, known_calls.MODULES)
_with_starlette: Patches = Patches(lambda: starlette.patches(_with_starlette.join), starlette.MODULES)


def install() -> None:
    """Every time is ended by one `take_off`."""
    global _users  # noqa: PLW0603  # the interpreter has one Handle class, so there is one count
    with _lock:
        _users += 1
        if _users == 1:
            gc.callbacks.append(_collection)
        _always.install()
        _with_starlette.install()


def catch_up() -> bool:
    """What has been imported since the patches were put on may want more of them; False if nothing has."""
    if not _imports:
        return False
    _imports.clear()
    with _lock:
        _always.catch_up()
        _with_starlette.catch_up()
    return True


def uninstall() -> None:
    global _users  # noqa: PLW0603  # see above
    with _lock:
        _users -= 1
        if not _users:
            _with_starlette.uninstall()
            _always.uninstall()
            gc.callbacks.remove(_collection)


def starlette_came() -> None:
    """It was imported while the patches are on."""
    with _lock:
        if _users:
            _with_starlette.install()


@contextmanager
def metered(meter: StepMeter) -> Iterator[None]:
    """Meter the steps of the thread that made the meter."""
    install()
    register(meter)
    try:
        yield
    finally:
        unregister(meter)
        uninstall()


def register(meter: StepMeter) -> None:
    _meters[meter.ident] = meter


def unregister(meter: StepMeter) -> None:
    """A later thread may have got the same identity, and a meter of its own."""
    if _meters.get(meter.ident) is meter:
        del _meters[meter.ident]
    if STEPPING.get(meter.ident) is meter:
        del STEPPING[meter.ident]


def current_meter() -> StepMeter | None:
    """The meter of the calling thread, while one is active."""
    return _meters.get(_ident())


def _run(original: Callable[[events.Handle], None]) -> Callable[[events.Handle], None]:
    meters, ident, current, stepping = _meters, _ident, CURRENT, STEPPING  # most steps are nobody's: look-ups count

    def _run(handle: events.Handle) -> None:
        owner = handle._context.get(current)  # type: ignore[attr-defined]
        if owner is None or (meter := meters.get(ident())) is None:
            original(handle)
            if stepping and (meter := stepping.get(ident())) is not None:
                meter.end()  # a request entered in this very step
            return
        meter.begin(owner)
        try:
            original(handle)
        finally:
            meter.end()

    return _run


_asked = threading.local()


def _collect(original: Callable[..., int]) -> Callable[..., int]:
    """An explicit `gc.collect()` is the request's own work, unlike a collection that just falls due."""

    def collect(*args: Any, **kwargs: Any) -> int:
        _asked.explicitly = True
        try:
            return original(*args, **kwargs)
        finally:
            _asked.explicitly = False

    return collect


def _find_and_load(original: Callable[..., Any]) -> Callable[..., Any]:
    """A module is imported once: what that costs a request is a first-use cost.

    CPython (3.3 and later) looks `_find_and_load` up on `importlib._bootstrap` for every
    import that `sys.modules` does not answer, the import statement's included.
    """

    def _find_and_load(name: str, import_: Any) -> Any:
        meter = STEPPING.get(_ident())
        try:
            if meter is None:
                return original(name, import_)
            with meter.importing():
                return original(name, import_)
        finally:
            _imports.add(name)

    return _find_and_load


def _born(original: Callable[[threading.Thread], None]) -> Callable[[threading.Thread], None]:
    @functools.wraps(original)
    def start(thread: threading.Thread) -> None:
        thread.noblock_born = now()  # type: ignore[attr-defined]
        original(thread)

    return start


def born_at(thread: threading.Thread) -> int | None:
    """When the thread was started; None where that was before the patches."""
    born: int | None = getattr(thread, "noblock_born", None)
    return born


def _first_turn(original: Callable[..., Any]) -> Callable[..., Any]:
    """Leave out waiting until a new thread or process has had its first turn.

    `Thread.start` and `Popen` do; beside busy processes how long is the machine's doing.
    """

    @functools.wraps(original)
    def first_turn(*args: Any, **kwargs: Any) -> Any:
        meter = STEPPING.get(_ident())
        if meter is None:
            return original(*args, **kwargs)
        with meter.excluded():  # a new worker may take the interpreter lock with its first turn, and keep it
            try:
                return original(*args, **kwargs)
            finally:
                if meter.gaps is not None:
                    meter.gaps.close_interval()

    return first_turn


def _collection(phase: str, _details: dict[str, int]) -> None:
    meter = STEPPING.get(_ident())
    if meter is not None and not getattr(_asked, "explicitly", False):
        meter.collection(phase)
