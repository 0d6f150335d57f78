"""Starts and stops an app by its ASGI lifespan, as uvicorn does; a failure is one sentence. It runs on the loop thread.

An app that raises before it asks for a message, or returns at once, has no lifespan and works without one.
"""

import asyncio
from collections.abc import Awaitable, Sequence

from pytest_noblock.engine.asgi.messages import ExchangeRecorder, cut_segment
from pytest_noblock.engine.exchange import ASGIApp, LiveExchange, Message, Receive, Scope, Send, owned
from pytest_noblock.engine.raw_stacks import RawFrame, border
from pytest_noblock.engine.stacks import as_stack, describe_error
from pytest_noblock.engine.steps.python_threads import app_starts
from pytest_noblock.engine.threads.await_chains import await_chain_through_tasks
from pytest_noblock.engine.usercode import UserCode
from pytest_noblock.model.frames import user_frame
from pytest_noblock.model.observation import LIFESPAN

border(__file__, sending=("_receive", "_send"))

LIMIT_S = 30
"""Seconds that the startup may take, and seconds that the shutdown may take. Chosen, not measured: an app under test
needs far less."""


class LifespanFailed(Exception):
    """The app did not start or did not stop; the message is a whole sentence."""


class Lifespan:
    """The one lifespan call of an app: `start`, then `stop`. Both raise LifespanFailed."""

    def __init__(self, app: ASGIApp, user: UserCode) -> None:
        self._app = app
        self._user = user
        self._state: dict[str, object] = {}
        self.record = LiveExchange(
            LIFESPAN,
            "",
            {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self._state},
        )
        self._recorder = ExchangeRecorder(self.record, asks_for_tasks=False)
        self._messages: asyncio.Queue[Message] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None
        self._asked = False
        """Whether the app has asked for a message, or sent one."""
        self._failure: str | None = None
        """What the app said in `lifespan.startup.failed` or `lifespan.shutdown.failed`."""
        self._answers: dict[str, asyncio.Future[None]] = {}
        """By stage: done when the app has answered its message."""

    async def start(self) -> ASGIApp:
        """The app as requests must be given to it; the app itself where it has no lifespan."""
        self._messages.put_nowait({"type": "lifespan.startup"})
        with owned(self.record), app_starts():
            self._task = asyncio.get_running_loop().create_task(self._run())
            await self._until_answered("startup", self._task)
        if _ended_at_once(self._task) and not self._asked:
            return self._app
        self._raise_failure("startup", self._task)
        return _with_copies_of(self._state, self._app)

    async def stop(self) -> None:
        """An app whose lifespan call has ended already is not asked any more, as under uvicorn."""
        task = self._task
        if task is None or (task.done() and not self._asked):
            return
        if not task.done():
            self._messages.put_nowait({"type": "lifespan.shutdown"})
            await self._until_answered("shutdown", task)
        self._raise_failure("shutdown", task)

    async def _run(self) -> None:
        with self._recorder:
            await _without_exiting(self._app(self.record.scope, self._receive, self._send))

    async def _receive(self) -> Message:
        self._asked = True
        message = self._recorder.told(await self._messages.get())
        cut_segment()
        return message

    async def _send(self, message: Message) -> None:
        stage, answer = _parts(message)
        self._asked = True
        self._recorder.passed(message)
        cut_segment()
        if answer == "failed":
            lines = str(message.get("message") or "").strip().splitlines()
            self._failure = lines[-1] if lines else "no message"
        answered = self._answers.get(stage)
        if answered is not None and not answered.done():
            answered.set_result(None)

    async def _until_answered(self, stage: str, task: "asyncio.Task[None]") -> None:
        answered = self._answers[stage] = asyncio.get_running_loop().create_future()
        done, _pending = await asyncio.wait({answered, task}, timeout=LIMIT_S, return_when=asyncio.FIRST_COMPLETED)
        if not done:
            raise LifespanFailed(not_finished(stage, await_chain_through_tasks(task), self._user))

    def _raise_failure(self, stage: str, task: "asyncio.Task[None]") -> None:
        """What the app raised says more than what it reported: it has a line."""
        error = task.exception() if task.done() and not task.cancelled() else None
        if error is None and self._failure is not None:
            error = RuntimeError(self._failure)
        if error is not None:
            raise LifespanFailed(f"the app's lifespan {stage} failed: {describe_error(error, self._user)}") from error


def not_finished(stage: str, frames: Sequence[RawFrame], user: UserCode) -> str:
    """The sentence for a stage that is over its limit; `frames`: where it sits, innermost first."""
    return f"the app's lifespan {stage} did not finish within {LIMIT_S} s{sits_at(frames, user)}"


def sits_at(frames: Sequence[RawFrame], user: UserCode) -> str:
    """`, it sits at api.py:7 in lifespan`, by the innermost user line; empty where there is none."""
    frame = user_frame(as_stack(frames, user))
    return f", it sits at {user.relative(frame.file)}:{frame.line} in {frame.function}" if frame else ""


def _ended_at_once(task: "asyncio.Task[None]") -> bool:
    """Also where it raised: what the app raised before it asked for a message says only that it has no lifespan."""
    if not task.done():
        return False
    if not task.cancelled():
        task.exception()  # it is retrieved: asyncio would log it
    return True


def _parts(message: Message) -> tuple[str, str]:
    """`startup` and `complete`. Raises RuntimeError for a message of another protocol, as a server does."""
    lifespan, _, rest = str(message["type"]).partition(".")
    stage, _, answer = rest.partition(".")
    if lifespan != "lifespan" or stage not in ("startup", "shutdown") or answer not in ("complete", "failed"):
        raise RuntimeError(f"Unexpected ASGI message '{message['type']}' during the lifespan.")
    return stage, answer


def _with_copies_of(state: dict[str, object], app: ASGIApp) -> ASGIApp:
    """Each request has a copy of the lifespan's state: what one request writes into it, the next does not see."""

    async def with_state(scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"] = state.copy()
        await app(scope, receive, send)

    return with_state


async def _without_exiting(call: Awaitable[None]) -> None:
    """Raise an ordinary exception where the app exits or cancels itself: either would end the event loop.

    A cancellation that comes from outside goes on as one.
    """
    try:
        await call
    except (SystemExit, KeyboardInterrupt, asyncio.CancelledError) as error:
        task = asyncio.current_task()
        if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
            raise
        raise _Exited(repr(error)).with_traceback(error.__traceback__) from error


class _Exited(Exception):
    """Its `repr` is that of the exception which the app raised."""

    def __repr__(self) -> str:
        return str(self)
