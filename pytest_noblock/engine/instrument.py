"""Everything of ours that is patched into the interpreter: installed here, and uninstalled here.

`asyncio.events.Handle._run` (CPython 3.4 to 3.14, the loops of the stdlib) is wrapped
while anybody needs a meter: `steps.handles`.

The interpreter has one Handle class, so installs are counted: each `install` needs one
`uninstall`, and the last `uninstall` removes the patches. A test may hand its patches
over to the next test. The next test then calls `catch_up`; the first test does not call
`uninstall`, and the next one does not call `install`.
"""

import asyncio
import gc
import sys
import threading
from asyncio import base_events, events
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pytest_noblock.engine.frameworks import others, starlette
from pytest_noblock.engine.network import awaited_fds, known_calls
from pytest_noblock.engine.network.call_shapes import sees_polls_of
from pytest_noblock.engine.patches import Patch, Patches
from pytest_noblock.engine.raw_stacks import border
from pytest_noblock.engine.steps import (
    child_processes,
    closing_loops,
    collector,
    first_uses,
    handles,
    import_hook,
    other_loops,
    thread_starts,
)
from pytest_noblock.engine.steps.handles import APPS, METERS
from pytest_noblock.engine.steps.meter import POLLING, STEPPING, StepMeter

if TYPE_CHECKING:
    from pytest_noblock.engine.network.c_calls import CCalls
    from pytest_noblock.engine.usercode import UserCode

border(__file__, inside=("_install_at_once",))

_imported: set[str] = set()
"""The modules that were imported, or imported again, since the last `catch_up`."""
_lock = threading.RLock()
_users: Counter[Patches] = Counter()
"""By set of patches: how many `install` calls no `uninstall` has ended yet."""
_c_calls: "CCalls | None" = None
"""Made when the first C driver is imported."""


def _python_patches() -> Iterator[Patch]:
    yield Patch(events.Handle, "_run", handles.run_wrapper)
    yield closing_loops.patch()
    yield from collector.patches()
    yield import_hook.patch(_imported.add, _install_at_once)
    yield from thread_starts.patches()
    yield from child_processes.patches()
    yield awaited_fds.patch()
    yield from known_calls.patches(STEPPING, POLLING)


_PYTHON = Patches(_python_patches, known_calls.MODULES, at_once=known_calls.MODULES)
_STARLETTE: Patches = Patches(
    lambda: starlette.patches(_STARLETTE.join),
    starlette.MODULES,
    at_once=("starlette.applications", "fastapi"),  # once one of these is imported, so is all that is patched
)
_OTHERS = Patches(others.patches, others.MODULES, at_once=others.MODULES)
_FIRST_USES = Patches(first_uses.patches, first_uses.MODULES, at_once=first_uses.MODULES)
_RUN_ONCE = Patches(lambda: [Patch(base_events.BaseEventLoop, "_run_once", handles.run_once_wrapper)])
"""In only once a loop has come whose selector nobody sees, as Windows' proactor."""


def install(entry_points: Patches | None = None) -> None:
    """Install all patches, and those of `asgi.entry_points` where they are given; ended by one `uninstall`.

    Where it raises, it has put nothing in.
    """
    with _lock:
        if not _users:
            gc.callbacks.append(collector.collection)
        _users.update(_sets(entry_points))
        try:
            for each in _sets(entry_points):
                each.install()
        except BaseException:
            uninstall(entry_points)
            raise


def catch_up(entry_points: Patches | None = None) -> bool:
    """Patch what was imported since the patches were put in. The caller knows that no wrapper was replaced.

    Returns whether anything was imported.
    """
    if not _imported:
        return False
    _imported.clear()
    with _lock:
        for each in _sets(entry_points):
            each.catch_up()
    return True


def uninstall(entry_points: Patches | None = None) -> None:
    """End one `install` that had the same argument."""
    with _lock:
        for each in reversed(_sets(entry_points)):
            _users[each] -= 1
            if not _users[each]:
                del _users[each]
                each.uninstall()
        if not _users:
            gc.callbacks.remove(collector.collection)
            _RUN_ONCE.uninstall()
            if _c_calls is not None:
                _c_calls.give_back()


def cover_c_calls(user: "UserCode") -> None:
    """Have calls of C drivers seen in all code of the user's that is imported by now, until the last `uninstall`."""
    global _c_calls  # noqa: PLW0603  # the interpreter has one set of tools
    if sys.modules.keys().isdisjoint(known_calls.C_DRIVERS):  # walks these, and not all of `sys.modules`
        return
    with _lock:
        if _c_calls is None:
            from pytest_noblock.engine.network.c_calls import CCalls  # most processes have no such driver

            _c_calls = CCalls(STEPPING)
        if _users:
            _c_calls.cover(user)


def _sets(entry_points: Patches | None) -> tuple[Patches, ...]:
    ours = (_PYTHON, _STARLETTE, _OTHERS, _FIRST_USES)
    return ours if entry_points is None else (*ours, entry_points)


def _install_at_once(module: str) -> None:
    """Patch `module`, which was imported just now. A fixture, or the test, may be the first to import the app."""
    if any(module in each.at_once for each in tuple(_users)):
        with _lock:
            for each in _users:
                if module in each.at_once:
                    each.install()


@contextmanager
def metered(meter: StepMeter) -> Iterator[None]:
    """Meter the steps of the thread that made the meter."""
    install()
    register(meter, other_loops.running_loop())
    try:
        yield
    finally:
        if not meter.closed:  # by `give_up`
            unregister(meter)
            uninstall()


def give_up(ident: int) -> None:
    """End what `metered` began on this thread, which holds its step for good. Called on another thread."""
    meter = METERS.get(ident)
    if meter is not None:
        meter.give_up()
        unregister(meter)
        uninstall()


def look_at(ident: int) -> None:
    """Called on another thread, which has the GIL now: see `StepMeter.look_from_outside`."""
    meter = METERS.get(ident)
    if meter is not None:
        meter.look_from_outside()


def register(meter: StepMeter, loop: asyncio.AbstractEventLoop | None) -> None:
    """The steps of its thread are metered from now on, while the patches are installed. Called on that thread.

    `loop`: the one that the thread runs.
    """
    METERS[meter.ident] = meter
    if loop is not None:
        count_turns(meter, loop)


def count_turns(meter: StepMeter, loop: asyncio.AbstractEventLoop | None) -> None:
    """The turns of the loop, which runs on the meter's thread, are counted until `unregister`."""
    if not other_loops.turns_as_usual(loop):
        return
    meter.loop, meter.polled = loop, True  # the present turn has begun already
    selector = getattr(loop, "_selector", None)  # private (CPython 3.4 to 3.14)
    with _lock:
        if sees_polls_of(selector):
            POLLING.tell(meter, selector)
        elif _users:
            _RUN_ONCE.install()


def unregister(meter: StepMeter) -> None:
    """End what `register` began. The meter of a later thread stays, which may have got the same ident."""
    if METERS.get(meter.ident) is meter:
        del METERS[meter.ident]
        APPS.pop(meter.ident, None)
    POLLING.stop(meter)
    if STEPPING.get(meter.ident) is meter:
        del STEPPING[meter.ident]
