"""Answers of test clients that call no ASGI app: what the app returns is the whole response.

Few tests have such a client (BlackSheep's, Django's, Sanic's): `entry_points` imports this module for the first one.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

from pytest_noblock.engine.asgi.boundary import entered_as, in_steps
from pytest_noblock.engine.asgi.client_side import ClientSide, Watcher
from pytest_noblock.engine.exchange import CURRENT, Message, Scope
from pytest_noblock.engine.guard import guarded
from pytest_noblock.engine.raw_stacks import border

if TYPE_CHECKING:
    from pytest_noblock.engine.frameworks.noting import Streams

border(__file__)

T = TypeVar("T")

_END: Message = {"type": "http.response.body"}
"""The response is complete."""


class AnsweringSide(ClientSide):
    """The side of a client to which nothing passes the border until the app answers."""

    def answered(self, answer: object) -> None:
        """The app has returned its answer, whose status has one of two names."""
        status = getattr(answer, "status_code", None) or getattr(answer, "status", None)
        self.passed({"type": "http.response.start", "status": status})

    def pause(self) -> None:
        """What follows is the test's, until it reads on."""
        self._leave()

    async def parts(self, given: AsyncIterator[Any]) -> AsyncIterator[Any]:
        """The body of the answer: the request goes on whenever the test reads a part, and ends with the last one."""
        try:
            while True:
                self._return(self.record, self.record)
                try:
                    part = await in_steps(anext(given), self.meter)
                except StopAsyncIteration:
                    self.passed(_END)
                    return
                self._leave()
                yield part
        except BaseException as error:
            self.record.error = None if isinstance(error, GeneratorExit) else error
            raise
        finally:
            self.left()


async def handle(
    watcher: Watcher, app: object, scope: Scope, call: Callable[[], Awaitable[T]], streams: "Streams | None" = None
) -> T:
    """Await `call`, by which a test client has `app` answer without ASGI, and record the request.

    Nothing passes the border until the app answers: the answer is the whole response, but for a body that is made as
    the test reads it (`streams`).
    """
    __tracebackhide__ = True
    client = entered_as(AnsweringSide, watcher, app, scope, _nothing, _nothing) if CURRENT.get() is None else None
    if client is None:
        return await call()
    try:
        answer = await in_steps(call(), client.meter)
    except BaseException as error:
        client.record.error = error
        client.left()
        raise
    guarded(client.answered, answer)
    if streams is not None and guarded(streams, answer, client.parts):
        client.pause()
    else:
        client.passed(_END)
        client.left()
    return answer


async def _nothing(*_args: object) -> Any:
    """In the place of `receive` and `send`, which nobody calls."""
