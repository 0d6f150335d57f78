"""asyncio's handles: each runs a step of whoever its context names, or of nobody.

Each callback carries the context of whoever scheduled it, so one ContextVar names the request behind every step: child
tasks, timers, streams, background tasks. `other_loops` meters a loop without such handles (uvloop, trio).
"""

import functools
import threading
from asyncio import base_events, events
from collections.abc import Callable

from pytest_noblock.engine.exchange import CURRENT, OURS, LiveExchange
from pytest_noblock.engine.guard import guarded, noted
from pytest_noblock.engine.now import thread_cpu
from pytest_noblock.engine.raw_stacks import border
from pytest_noblock.engine.steps.meter import STEPPING, StepMeter

border(__file__)

_Step = Callable[[events.Handle], None]
_Turn = Callable[[base_events.BaseEventLoop], None]

METERS: dict[int, StepMeter] = {}
"""The registered meters by `threading.get_ident()` of their threads."""
APPS: dict[int, LiveExchange] = {}
"""By the same ident: whose the steps are that carry no request. Only the fixture's loop has such an owner: there all
steps but our own are the app's. In a watched test they are the test's."""
_ident = threading.get_ident


def adopt(meter: StepMeter, app: LiveExchange) -> None:
    """Until `unregister`, the steps of the meter's thread that carry no request are charged to `app`."""
    APPS[meter.ident] = app


def current_meter() -> StepMeter | None:
    """The registered meter of the calling thread, or of a thread that had its ident before."""
    return METERS.get(_ident())


def whose_step(owner: LiveExchange | None) -> tuple[StepMeter, LiveExchange] | None:
    """What meters a step on the calling thread, and whose it is, where no handle of asyncio's runs it.

    `owner`: by its context. The same rule as in `_run`, which has it in line. Called right before the step.
    """
    if owner is None:
        owner = APPS.get(_ident())
    meter = METERS.get(_ident())
    if meter is None:
        return None
    meter.look_between_steps()
    return None if owner is None or owner is OURS else (meter, owner)


def run_wrapper(original: _Step) -> _Step:
    """`Handle._run`, which meters the step (CPython 3.4 to 3.14)."""
    # Locals, because every step of every loop looks these up, and most steps belong to no request.
    meters, apps, ident, current, stepping, ours = METERS, APPS, _ident, CURRENT, STEPPING, OURS

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


def _run_unmetered(original: _Step, handle: events.Handle, owner: LiveExchange | None) -> None:
    """A step of our own, or of a thread that has no meter."""
    began = thread_cpu() if owner is OURS else 0
    try:
        original(handle)
    finally:
        handle = None  # type: ignore[assignment]  # as in `_run`
    if began and (meter := METERS.get(_ident())) is not None:
        meter.deductions.ever += thread_cpu() - began  # the client's own, as to encode what it uploads
    if STEPPING and (meter := STEPPING.get(_ident())) is not None:
        guarded(meter.end)  # as in `_run`


def run_once_wrapper(
    original: Callable[[base_events.BaseEventLoop], None],
) -> Callable[[base_events.BaseEventLoop], None]:
    """Note the turns of the loop: `run_forever` calls `self._run_once` for each (CPython 3.4 to 3.14)."""

    @functools.wraps(original)
    def _run_once(loop: base_events.BaseEventLoop) -> None:
        meter = METERS.get(_ident())
        if meter is not None:
            meter.polled = True
        original(loop)

    return _run_once
