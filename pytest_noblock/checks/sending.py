"""Sends the requests of a test, or of a sweep, into the loop of a running app."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from pytest_noblock.engine.asgi.app_thread import AppThread, LoopBlocked, LoopEnded
from pytest_noblock.engine.asgi.transport import AppTransport
from pytest_noblock.engine.exchange import LiveExchange
from pytest_noblock.engine.frameworks.http_client import httpx
from pytest_noblock.engine.many.flights import Many, ManyRun
from pytest_noblock.engine.now import now
from pytest_noblock.engine.observe import Request, Run, RunContext, observe
from pytest_noblock.engine.observe_many import observe_many
from pytest_noblock.model.limits import Limits, sample_after
from pytest_noblock.model.observation import Observation

GIVE_UP_S = 30.0
"""Seconds that a request may take where neither the request nor the client has a timeout."""

_GRACE_S = 5
"""Seconds that the test's thread waits for the loop thread, after the loop thread should have given up the request."""

_MANY_S = 3600.0
"""Seconds that a run of many requests may take. Each request has limits of its own: this is the last resort."""


class Sender:
    """Sends with one client to one running app."""

    def __init__(self, app: AppThread, context: RunContext) -> None:
        self._app = app
        self._context = context

    def send(self, request: Request, run: Run, limits: Limits) -> tuple[Observation, httpx.Response | None]:
        """One run of the request: what was recorded, and the response. Raises what kept it from being observed."""
        seconds = self.seconds(request)
        run = replace(
            run,
            give_up_after=round(seconds * 1e9),
            sample_after=sample_after(limits.max_block),
            linger=limits.linger,
        )
        sent: list[LiveExchange] = []
        return self._app.call(
            observe,
            self._context,
            run,
            sent,
            timeout_s=seconds + limits.linger / 1e9 + _GRACE_S,
            overdue=lambda: _all_over(sent, run),
        )

    def send_again(self, request: Request, run: Run, limits: Limits) -> Observation:
        """Sends the request for its observation only: the client's cookies stay as they were."""
        client = self._context.client
        cookies = httpx.Cookies(client.cookies)
        try:
            return self.send(request, run, limits)[0]
        finally:
            client.cookies = cookies

    def send_many(self, transport: AppTransport, run: ManyRun, many: Many, overdue: Callable[[], bool]) -> Observation:
        """Sends many requests at once. `overdue`: called now and then; whether somebody took the loop for good.

        Raises LoopBlocked and LoopEnded; then the app is not used again, and `many` knows who did it.
        """
        try:
            observation = self._app.call(
                observe_many, self._context, transport, run, many, timeout_s=_MANY_S, overdue=overdue
            )
        except KeyboardInterrupt:
            many.ended.wait(_GRACE_S)
            raise
        except LoopBlocked:
            many.culprit = many.holder(0)
            self._app.abandon()
            raise
        except LoopEnded:
            many.culprit = self._app.last_owner
            self._app.usable = False
            raise
        if observation is None:
            raise RuntimeError("a run ended without an observation")
        return observation

    def seconds(self, request: Request) -> float:
        """Seconds that a request may take: the `read` of httpx's timeout; `GIVE_UP_S` where it has none."""
        timeout = httpx.Timeout(request.arguments.get("timeout", self._context.client.timeout))
        return timeout.read or GIVE_UP_S


def _all_over(sent: Sequence[LiveExchange], run: Run) -> bool:
    """Whether the app has answered all requests of the run so long ago that what they left is waited for no more."""
    ends = [each.returned for each in list(sent)]
    latest = now() - run.linger - round(_GRACE_S * 1e9)
    return len(ends) >= len(run.requests) and all(end is not None and end < latest for end in ends)
