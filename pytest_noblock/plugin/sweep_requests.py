"""The requests of a sweep: made of the user's values and the app's schemas, changed by the hook of a conftest.py."""

from collections.abc import Callable
from functools import cached_property
from typing import Any

import pytest

from pytest_noblock.checks.plan import Plan
from pytest_noblock.checks.sendable import sendable
from pytest_noblock.engine.frameworks.http_client import httpx
from pytest_noblock.engine.observe import Request as Sent
from pytest_noblock.model import shown
from pytest_noblock.sweep.given import Values
from pytest_noblock.sweep.harvest import Harvest
from pytest_noblock.sweep.outcome import RouteResult
from pytest_noblock.sweep.request import Request
from pytest_noblock.sweep.requests import Missing, request_for

_OPTIONAL = ("params", "data", "files", "content")


class SweepRequests:
    """See `sweep.run.MakesRequests`."""

    def __init__(
        self,
        config: pytest.Config,
        values: Values,
        plan: Plan,
        progress: Callable[[int, int], None],
        told: Any,
        harvest: Harvest,
    ) -> None:
        """`told`: says in words what the user's code raised."""
        self._hook = config.hook
        self._values = values
        self._plan = plan
        self.progress = progress
        self._told = told
        self._harvest = harvest
        self._made: dict[str, object] = {}
        """By a route's name: where its request went, before the hook changed it."""

    def request_of(self, result: RouteResult) -> Sent | None:
        """The hook may change the request, or say why the route is left out."""
        route = result.route
        made = request_for(route, self._values, self._harvest)
        request = made.request if isinstance(made, Missing) else made
        self._made[route.name] = _goes_to(request)
        try:
            said = self._hook.pytest_noblock_request(route=route, request=request)
        except Exception as error:  # noqa: BLE001  # the user's code
            result.mistake = f"the hook pytest_noblock_request raised {self._told(error)} for {route.name}"
            result.leave_out("excluded", "its hook raised")
            return None
        if said is not None:
            result.leave_out("excluded", shown.one_line(str(said)))
            return None
        if isinstance(made, Missing) and not made.mended(route):
            result.leave_out(made.reason, made.words)
            return None
        return self._sendable(result, request)

    def knows_more(self, result: RouteResult) -> bool:
        """Whether answers have told other values for the route by now."""
        made = request_for(result.route, self._values, self._harvest)
        now = _goes_to(made.request if isinstance(made, Missing) else made)
        return now != self._made.get(result.route.name, now)

    def _sendable(self, result: RouteResult, request: Request) -> Sent | None:
        mistake = ""
        try:
            return sendable(self._client, result.route.method, request.url, _arguments(request), self._plan)
        except (ValueError, TypeError, AttributeError) as error:
            mistake = str(error)
        result.mistake = self._values.hidden(f"{result.route.name} cannot be sent: {mistake}")
        result.leave_out("no-value", "its request cannot be sent")
        return None

    @cached_property
    def _client(self) -> httpx.AsyncClient:
        """Builds requests, and sends none: httpx's own transport would read all certificates of the machine."""
        return httpx.AsyncClient(transport=httpx.AsyncBaseTransport(), base_url="http://testserver")

    def learn(self, result: RouteResult, response: httpx.Response) -> None:
        """A list of objects tells the ids of the routes below it, a page what it links to."""
        kind = response.headers.get("content-type", "")
        if "html" in kind:
            self._harvest.learn_page(str(response.request.url), response.text)
        if "json" not in kind:
            return
        try:
            answer = response.json()
        except (ValueError, RecursionError):
            return
        self._harvest.learn(result.route, answer)


def _goes_to(request: Request) -> object:
    return request.url, dict(request.params)


def _arguments(request: Request) -> dict[str, Any]:
    """httpx's. Cookies go in their header: httpx warns of those of a single request, and keeps them."""
    arguments = {name: value for name in _OPTIONAL if (value := getattr(request, name))}
    if request.json is not None:
        arguments["json"] = request.json
    headers = {str(name): str(value) for name, value in request.headers.items()}
    if request.cookies:
        headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in request.cookies.items())
    return {**arguments, "headers": headers, "follow_redirects": False}
