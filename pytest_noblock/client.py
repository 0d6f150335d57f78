"""What the `noblock` fixture gives: an httpx-like client whose requests must not block anybody."""

import difflib
import inspect
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx

from pytest_noblock.checks import probe_paths
from pytest_noblock.checks.checker import Checker, Plan
from pytest_noblock.engine.observe import Request
from pytest_noblock.model import units
from pytest_noblock.model.finding import Check

_HTTPX = set(inspect.signature(httpx.AsyncClient.request).parameters) - {"self", "method", "url"}


class Noblock:
    """Sends requests to the app on its own event loop, with probes beside them.

    `get`, `post` and the others return the response and fail the test when the request
    blocked the loop; `check` returns the Check and never fails the test. Besides httpx's
    own keywords they take `max_block`, `probe`, `concurrency`, `warmup` and `confirm`.
    """

    def __init__(
        self, checker: Checker, id: str, plan: Plan, seen: Callable[[Check], Check], failed: Callable[[Check], None]
    ) -> None:
        self._checker = checker
        self._id = id
        self._plan = plan
        self._seen = seen
        self._failed = failed

    @property
    def client(self) -> httpx.AsyncClient:
        """The httpx client behind it: set headers, cookies and auth here."""
        return self._checker.client

    def get(self, url: str, **arguments: Any) -> httpx.Response:
        __tracebackhide__ = True
        return self.request("GET", url, **arguments)

    def post(self, url: str, **arguments: Any) -> httpx.Response:
        __tracebackhide__ = True
        return self.request("POST", url, **arguments)

    def put(self, url: str, **arguments: Any) -> httpx.Response:
        __tracebackhide__ = True
        return self.request("PUT", url, **arguments)

    def patch(self, url: str, **arguments: Any) -> httpx.Response:
        __tracebackhide__ = True
        return self.request("PATCH", url, **arguments)

    def delete(self, url: str, **arguments: Any) -> httpx.Response:
        __tracebackhide__ = True
        return self.request("DELETE", url, **arguments)

    def request(self, method: str, url: str, **arguments: Any) -> httpx.Response:
        """The response, once it is complete and the background tasks have ended; fails the test if it blocked."""
        __tracebackhide__ = True
        check = self.check(method, url, **arguments)
        self._failed(check)
        if check.response is None:  # then the check was inconclusive and has failed the test already
            raise RuntimeError(f"{check.request} has no response")
        return check.response

    def check(self, method: str, url: str, **arguments: Any) -> Check:
        """Raises TypeError or ValueError for a wrong argument, and nothing else."""
        __tracebackhide__ = True
        plan = _plan(self._plan, arguments)
        _valid_timeout(arguments.get("timeout"))
        unknown = sorted(set(arguments) - _HTTPX)
        if unknown:
            raise TypeError(_unknown(unknown[0]))
        return self._seen(self._checker.check(self._id, Request(method.upper(), str(url), arguments), plan))


_OURS: dict[str, Callable[[Plan, Any], Plan]] = {
    "max_block": lambda plan, value: replace(plan, limits=plan.limits._replace(max_block=units.parse(value))),
    "probe": lambda plan, value: replace(plan, probes=probe_paths.of(value)),
    "concurrency": lambda plan, value: replace(plan, concurrency=_positive(value)),
    "warmup": lambda plan, value: replace(plan, warmup=_truth("warmup", value)),
    "confirm": lambda plan, value: replace(plan, confirm=_truth("confirm", value)),
}


def _plan(plan: Plan, arguments: dict[str, Any]) -> Plan:
    """Takes our own keywords out of `arguments`; one that is None says nothing."""
    __tracebackhide__ = True
    for name in _OURS.keys() & arguments.keys():
        value = arguments.pop(name)
        if value is not None:
            plan = _with(plan, name, value)
    return plan


def _with(plan: Plan, name: str, value: object) -> Plan:
    __tracebackhide__ = True
    problem = ""
    try:
        return _OURS[name](plan, value)
    except ValueError as error:
        problem = str(error)
    raise ValueError(problem)  # outside the except block: no frames of ours


def _positive(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"concurrency={value!r} is not a positive whole number")
    return value


def _truth(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{name}={value!r} is neither True nor False")  # noqa: TRY004  # as for the other arguments
    return value


def _valid_timeout(value: object) -> None:
    """httpx takes anything; a request that must end needs a number."""
    given = value.read if isinstance(value, httpx.Timeout) else value
    if given is None or (isinstance(given, int | float) and not isinstance(given, bool) and given > 0):
        return
    raise ValueError(f"timeout={value!r} is not a positive number of seconds")


def _unknown(name: str) -> str:
    known = sorted(_HTTPX | _OURS.keys())
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"it takes {', '.join(known)}"
    return f"noblock has no request argument {name!r}: {hint}"
