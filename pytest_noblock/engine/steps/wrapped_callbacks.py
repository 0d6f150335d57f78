"""The steps of a loop that has no handles of asyncio's (uvloop, rloop): each callback is wrapped when it is scheduled.

Tasks and futures of asyncio's schedule their steps and callbacks by `loop.call_soon` (CPython 3.11 to 3.15), so that
the methods of the loop see all of them, timers and bare callbacks included. What such a loop calls without having been
asked to, the methods of a protocol (`data_received`), is seen where it is given the protocol: `steps.protocols`.
"""

import asyncio
import contextvars
import functools
import threading
from collections.abc import Callable
from typing import Any

from pytest_noblock.engine.callbacks import WRAPPED
from pytest_noblock.engine.exchange import CURRENT, OURS, LiveExchange
from pytest_noblock.engine.guard import guarded, noted
from pytest_noblock.engine.raw_stacks import border
from pytest_noblock.engine.steps.driven import Driven
from pytest_noblock.engine.steps.meter import STEPPING, StepMeter
from pytest_noblock.engine.steps.protocols import made_by, with_steps
from pytest_noblock.engine.steps.thread_starts import without_first_turn

border(__file__, inside=("_resume",))

Whose = Callable[[LiveExchange | None], tuple[StepMeter, LiveExchange] | None]
"""What meters a step, and whose the step is, by the request that its context names; None where nothing meters it."""

_MANY = 64
"""Callbacks that are kept before the cancelled ones are looked for: each `asyncio.timeout` leaves one."""


class Scheduled:
    """A callback as the loop is given it. Its fields are called as those of asyncio's handle, which `callbacks` reads.

    In the loop's own messages it shows itself as the callback.
    """

    __slots__ = ("_args", "_callback", "_context", "_handle", "_kept", "_whose")

    def __init__(self, callback: Any, args: tuple[Any, ...], context: contextvars.Context | None, whose: Whose) -> None:
        self._callback = callback
        self._args = args
        self._context = context
        self._whose = whose
        self._kept: dict[int, Any] | None = None
        self._handle: Any = None

    def __repr__(self) -> str:
        return repr(self._callback)

    def __call__(self, *args: Any) -> Any:
        __tracebackhide__ = True
        if self._kept is not None:
            self.forget()
        step = guarded(self._whose, CURRENT.get())
        if step is None:
            try:
                return self._callback(*args)
            finally:
                if STEPPING and (meter := STEPPING.get(threading.get_ident())) is not None:
                    guarded(meter.end)  # a request entered the app in this very step
        meter, owner = step
        try:
            meter.begin(owner)
        except Exception as error:  # noqa: BLE001  # ours, and not the user's; see `guard`
            noted(error)
        try:
            return self._callback(*args)
        finally:
            guarded(meter.end)

    def keep(self, kept: "dict[int, Any]", handle: Any) -> None:
        self._kept, self._handle = kept, handle
        kept[id(self)] = self

    def forget(self) -> None:
        """It runs, or nobody asks any more. Handle and callback know each other: the circle ends here."""
        if self._kept is not None:
            self._kept.pop(id(self), None)
        self._kept = self._handle = None

    def cancelled(self) -> bool:
        return self._handle is None or bool(self._handle.cancelled())


class Timer(Scheduled):
    """One that has a time."""

    __slots__ = ("due",)
    due: float
    """By the clock of the loop (s)."""

    def when(self) -> float:
        return self.due


class Spawning(Driven[Any]):
    """The start of a child process. In its first step libuv waits until the child runs: see `without_first_turn`."""

    _begun = False

    def _resume(self, resume: Callable[..., Any], *given: Any) -> Any:
        __tracebackhide__ = True
        if self._begun:
            return resume(*given)
        self._begun = True
        return without_first_turn(resume)(*given)


class Callbacks:
    """Schedules the callbacks of one loop, each wrapped; keeps those of requests until they run or are cancelled."""

    def __init__(self, loop: asyncio.AbstractEventLoop, whose: Whose) -> None:
        self._time = loop.time
        self._whose = whose
        self.ready: dict[int, Scheduled] = {}
        self.timers: dict[int, Timer] = {}
        self._most = _MANY

    def soon(self, original: Callable[..., Any], callback: Any, *args: Any, context: Any = None) -> Any:
        context = contextvars.copy_context() if context is None else context
        scheduled = Scheduled(callback, args, context, self._whose)
        handle = original(scheduled, *args, context=context)
        if _of_request(context):
            scheduled.keep(self.ready, handle)
        return handle

    def later(self, original: Callable[..., Any], delay: float, callback: Any, *args: Any, context: Any = None) -> Any:
        return self._timer(original, delay, self._time() + delay, callback, args, context)

    def at(self, original: Callable[..., Any], when: float, callback: Any, *args: Any, context: Any = None) -> Any:
        return self._timer(original, when, when, callback, args, context)

    def _timer(
        self, original: Callable[..., Any], given: float, when: float, callback: Any, args: Any, context: Any
    ) -> Any:
        context = contextvars.copy_context() if context is None else context
        timer = Timer(callback, args, context, self._whose)
        timer.due = when
        handle = original(given, timer, *args, context=context)
        if _of_request(context):
            if len(self.timers) >= self._most:
                self._drop_cancelled()
            timer.keep(self.timers, handle)
        return handle

    def whenever(self, original: Callable[..., Any], source: Any, callback: Any, *args: Any, **more: Any) -> Any:
        """A reader, a writer or a signal handler. It is none of what `detached` waits for: it may never run."""
        return original(source, Scheduled(callback, args, None, self._whose), *args, **more)

    def spawning(self, original: Callable[..., Any], protocol_factory: Any, *args: Any, **options: Any) -> Any:
        return Spawning(self.connecting(original, protocol_factory, *args, **options))

    def connecting(self, original: Callable[..., Any], protocol_factory: Any, *args: Any, **options: Any) -> Any:
        return original(functools.partial(made_by, protocol_factory, self._step), *args, **options)

    def upgrading(self, original: Callable[..., Any], transport: Any, protocol: Any, *args: Any, **options: Any) -> Any:
        guarded(with_steps, protocol, self._step)
        return original(transport, protocol, *args, **options)

    def _step(self, function: Callable[..., Any], *args: Any) -> Any:
        """Call the method of a protocol: a step of its own, unless a step of a request calls it."""
        __tracebackhide__ = True
        if STEPPING and threading.get_ident() in STEPPING:
            return function(*args)
        return Scheduled(function, args, None, self._whose)(*args)

    def _drop_cancelled(self) -> None:
        for each in [each for each in self.timers.values() if each.cancelled()]:
            each.forget()
        self._most = max(_MANY, 2 * len(self.timers))

    def close(self) -> None:
        """Nobody asks any more; those that are scheduled still run."""
        for each in [*self.ready.values(), *self.timers.values()]:
            each.forget()


_METHODS: dict[str, Callable[..., Any]] = {
    "call_soon": Callbacks.soon,
    "call_soon_threadsafe": Callbacks.soon,
    "call_later": Callbacks.later,
    "call_at": Callbacks.at,
    "add_reader": Callbacks.whenever,
    "add_writer": Callbacks.whenever,
    "add_signal_handler": Callbacks.whenever,
    "subprocess_exec": Callbacks.spawning,
    "subprocess_shell": Callbacks.spawning,
    "create_connection": Callbacks.connecting,
    "create_datagram_endpoint": Callbacks.connecting,
    "create_server": Callbacks.connecting,
    "create_unix_connection": Callbacks.connecting,
    "create_unix_server": Callbacks.connecting,
    "connect_accepted_socket": Callbacks.connecting,
    "connect_read_pipe": Callbacks.connecting,
    "connect_write_pipe": Callbacks.connecting,
    "start_tls": Callbacks.upgrading,
}


def wrap(loop: asyncio.AbstractEventLoop, whose: Whose) -> Callable[[], None] | None:
    """Wrap the callbacks of a loop that somebody else has made. Returns what undoes it; None where it takes no wrapper.

    A loop whose class has slots takes none.
    """
    if not hasattr(loop, "__dict__"):
        return None
    made = Callbacks(loop, whose)
    wrappers = {name: functools.partial(how, made, getattr(loop, name)) for name, how in _METHODS.items()}
    vars(loop).update({WRAPPED: made, **wrappers})

    def undo() -> None:
        for name, wrapper in wrappers.items():
            if vars(loop).get(name) is wrapper:
                del vars(loop)[name]
        vars(loop).pop(WRAPPED, None)
        made.close()

    return undo


def wrapping(kind: type[asyncio.AbstractEventLoop], whose: Whose) -> type[asyncio.AbstractEventLoop]:
    """A class of loops as `kind` that wrap their callbacks from the start: the fixture's own."""

    def __init__(loop: Any) -> None:
        super(made, loop).__init__()
        vars(loop)[WRAPPED] = Callbacks(loop, whose)

    methods = {name: _method(getattr(kind, name), how) for name, how in _METHODS.items()}
    made: type[asyncio.AbstractEventLoop] = type(kind.__name__, (kind,), {"__init__": __init__, **methods})
    return made


def _method(original: Callable[..., Any], how: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def method(loop: Any, *args: Any, **options: Any) -> Any:
        return how(vars(loop)[WRAPPED], functools.partial(original, loop), *args, **options)

    return method


def _of_request(context: contextvars.Context) -> bool:
    owner = context.get(CURRENT)
    return owner is not None and owner is not OURS
