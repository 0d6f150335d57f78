"""Everything of ours that is patched into the interpreter: installed here, and uninstalled here.

`asyncio.events.Handle._run` (CPython 3.4 to 3.14, the loops of the stdlib) is wrapped
while anybody needs a meter. Each callback carries the context of whoever scheduled it,
so one ContextVar names the request behind every step: child tasks, timers, streams,
background tasks. `steps.other_loops` meters a loop without such handles (uvloop, trio).

The interpreter has one Handle class, so installs are counted: each `install` needs one
`uninstall`, and the last `uninstall` removes the patches. A test may hand its patches
over to the next test. The next test then calls `catch_up`; the first test does not call
`uninstall`, and the next one does not call `install`.
"""

import asyncio
import functools
import gc
import sys
import threading
from asyncio import base_events, events
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pytest_noblock.engine.exchange import CURRENT, OURS, LiveExchange
from pytest_noblock.engine.frameworks import others, starlette
from pytest_noblock.engine.guard import guarded, noted
from pytest_noblock.engine.network import awaited_fds, known_calls
from pytest_noblock.engine.network.call_shapes import sees_polls_of
from pytest_noblock.engine.now import thread_cpu
from pytest_noblock.engine.patches import Patch, Patches
from pytest_noblock.engine.raw_stacks import border
from pytest_noblock.engine.steps import (
    child_processes,
    closing_loops,
    collector,
    first_uses,
    import_hook,
    other_loops,
    thread_starts,
)
from pytest_noblock.engine.steps.meter import POLLING, STEPPING, StepMeter

if TYPE_CHECKING:
    from pytest_noblock.engine.network.c_calls import CCalls
    from pytest_noblock.engine.usercode import UserCode

border(__file__, inside=("_install_at_once",))

_meters: dict[int, StepMeter] = {}
"""The registered meters by `threading.get_ident()` of their threads."""
_apps: dict[int, LiveExchange] = {}
"""By the same ident: whose the steps are that carry no request. Only the fixture's loop has such an owner: there all
steps but our own are the app's. In a watched test they are the test's."""
_imported: set[str] = set()
"""The modules that were imported, or imported again, since the last `catch_up`."""
_lock = threading.RLock()
_users: Counter[Patches] = Counter()
"""By set of patches: how many `install` calls no `uninstall` has ended yet."""
_ident = threading.get_ident
_c_calls: "CCalls | None" = None
"""Made when the first C driver is imported."""


def _python_patches() -> Iterator[Patch]:
    yield Patch(events.Handle, "_run", _run)
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
_RUN_ONCE = Patches(lambda: [Patch(base_events.BaseEventLoop, "_run_once", _run_once)])
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
    meter = _meters.get(ident)
    if meter is not None:
        meter.give_up()
        unregister(meter)
        uninstall()


def look_at(ident: int) -> None:
    """Called on another thread, which has the GIL now: see `StepMeter.look_from_outside`."""
    meter = _meters.get(ident)
    if meter is not None:
        meter.look_from_outside()


def register(meter: StepMeter, loop: asyncio.AbstractEventLoop | None) -> None:
    """The steps of its thread are metered from now on, while the patches are installed. Called on that thread.

    `loop`: the one that the thread runs.
    """
    _meters[meter.ident] = meter
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
    if _meters.get(meter.ident) is meter:
        del _meters[meter.ident]
        _apps.pop(meter.ident, None)
    POLLING.stop(meter)
    if STEPPING.get(meter.ident) is meter:
        del STEPPING[meter.ident]


def adopt(meter: StepMeter, app: LiveExchange) -> None:
    """Until `unregister`, the steps of the meter's thread that carry no request are charged to `app`."""
    _apps[meter.ident] = app


def current_meter() -> StepMeter | None:
    """The registered meter of the calling thread, or of a thread that had its ident before."""
    return _meters.get(_ident())


def whose_step(owner: LiveExchange | None) -> tuple[StepMeter, LiveExchange] | None:
    """What meters a step on the calling thread, and whose it is, where no handle of asyncio's runs it.

    `owner`: by its context. The same rule as in `_run`, which has it in line. Called right before the step.
    """
    if owner is None:
        owner = _apps.get(_ident())
    meter = _meters.get(_ident())
    if meter is None:
        return None
    meter.look_between_steps()
    return None if owner is None or owner is OURS else (meter, owner)


def _run(original: Callable[[events.Handle], None]) -> Callable[[events.Handle], None]:
    # Locals, because every step of every loop looks these up, and most steps belong to no request.
    meters, apps, ident, current, stepping, ours = _meters, _apps, _ident, CURRENT, STEPPING, OURS

    def _run(handle: events.Handle) -> None:
        owner = handle._context.get(current)  # type: ignore[attr-defined]
        if owner is None and not apps:  # nearly all steps: a test's client takes fifty for one request
            try:
                original(handle)
            finally:
                handle = None  # type: ignore[assignment]  # as in CPython's: what a callback raised keeps this frame
            if stepping and (meter := stepping.get(ident())) is not None:
                guarded(meter.end)  # a request entered the app in this very step
            return
        if (
            (owner is None and (owner := apps.get(ident())) is None)
            or owner is ours
            or (meter := meters.get(ident())) is None
        ):
            try:
                _run_unmetered(original, handle, owner)
            finally:
                handle = None  # type: ignore[assignment]
            return
        try:
            meter.begin(owner)
        except Exception as error:  # noqa: BLE001  # ours, and not the user's; see `guard`
            noted(error)
        try:
            original(handle)
        finally:
            handle = None  # type: ignore[assignment]
            try:
                meter.end()
            except Exception as error:  # noqa: BLE001  # as above
                noted(error)

    return _run


def _run_unmetered(
    original: Callable[[events.Handle], None], handle: events.Handle, owner: LiveExchange | None
) -> None:
    """A step of our own, or of a thread that has no meter."""
    began = thread_cpu() if owner is OURS else 0
    try:
        original(handle)
    finally:
        handle = None  # type: ignore[assignment]  # as in `_run`
    if began and (meter := _meters.get(_ident())) is not None:
        meter.deductions.ever += thread_cpu() - began  # the client's own, as to encode what it uploads
    if STEPPING and (meter := STEPPING.get(_ident())) is not None:
        guarded(meter.end)  # as in `_run`


def _run_once(original: Callable[[base_events.BaseEventLoop], None]) -> Callable[[base_events.BaseEventLoop], None]:
    """Note the turns of the loop: `run_forever` calls `self._run_once` for each (CPython 3.4 to 3.14)."""

    @functools.wraps(original)
    def _run_once(loop: base_events.BaseEventLoop) -> None:
        meter = _meters.get(_ident())
        if meter is not None:
            meter.polled = True
        original(loop)

    return _run_once
