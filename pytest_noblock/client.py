"""The value of the `noblock` fixture: it has httpx's methods, and fails the test when a request blocks anybody."""

import difflib
import inspect
from collections.abc import AsyncIterable, Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, Protocol, TypedDict, Unpack

from pytest_noblock.checks.checker import Checker
from pytest_noblock.checks.plan import Plan, expected, probe_paths
from pytest_noblock.checks.sendable import sendable
from pytest_noblock.engine.frameworks.http_client import httpx
from pytest_noblock.engine.observe import Request
from pytest_noblock.model import shown, units
from pytest_noblock.model.check import Check

_Primitive = str | int | float | bool | None


class HttpxArguments(TypedDict, total=False):
    """The keywords of `httpx.AsyncClient.request`, with the types that httpx gives them."""

    content: str | bytes | Iterable[bytes] | AsyncIterable[bytes] | None
    data: Mapping[str, Any] | None
    files: Mapping[str, Any] | Sequence[tuple[str, Any]] | None
    json: Any
    params: (
        httpx.QueryParams
        | Mapping[str, _Primitive | Sequence[_Primitive]]
        | list[tuple[str, _Primitive]]
        | tuple[tuple[str, _Primitive], ...]
        | str
        | bytes
        | None
    )
    headers: httpx.Headers | Mapping[str, str] | Mapping[bytes, bytes] | Sequence[tuple[str, str]] | None
    cookies: httpx.Cookies | Mapping[str, str] | list[tuple[str, str]] | None
    auth: tuple[str | bytes, str | bytes] | Callable[[httpx.Request], httpx.Request] | httpx.Auth | None
    follow_redirects: bool
    timeout: float | httpx.Timeout | None
    """Seconds after which a request that has not ended is red, with the line where it sits. Of an `httpx.Timeout` its
    `read` counts. None, and no keyword where the client has no timeout: 30."""
    extensions: Mapping[str, Any] | None


class Arguments(HttpxArguments, total=False):
    """All keywords of a request: httpx's and noblock's. None for one of noblock's keywords is as if it were absent."""

    max_block: str | None
    """The longest time for which the request may hold the event loop in one go, with its unit: `"20 ms"`, `"1.5 s"`.
    Default: the test's, 50 ms."""
    max_total: str | None
    """The longest time for which the request may hold the event loop in all. Default: the test's, which is none."""
    probe: str | Sequence[str] | None
    """Paths of the app that must not have to wait for the request: `"/health"`. They take the place of the test's probe
    paths. Built-in probes are always sent."""
    concurrency: int | None
    """How many copies of the request are sent at once, 1 or more. Default: 1."""
    warmup: bool | None
    """Whether the request is sent before it is measured. Default: yes for GET, HEAD and OPTIONS, but only the
    first time that the running app gets this method and path."""
    confirm: bool | None
    """Whether the request is sent again to confirm a finding. Default: yes for GET, HEAD and OPTIONS."""
    expect: Literal["any"] | None
    """`"any"`: the answer may come from a middleware, a dependency, the router or a cache in front of the endpoint. By
    default such an answer is `inconclusive`, for the endpoint was not measured."""


_HTTPX = set(inspect.signature(httpx.AsyncClient.request).parameters) - {"self", "method", "url"}
_OURS = Arguments.__annotations__.keys() - HttpxArguments.__annotations__.keys()


class RequestingTest(Protocol):
    """The test that has the fixture. It says how its requests are checked, and takes the checks."""

    @property
    def id(self) -> str:
        """The test's node id."""

    @property
    def plan(self) -> Plan:
        """How a request of this test is checked, unless its own keywords say otherwise."""

    def record(self, check: Check) -> Check:
        """Marks the findings that the test accepts, puts the marked check on record, and returns this check."""

    def fail_if_red(self, check: Check) -> None:
        """Fails the test where the check's outcome is `failed` or `inconclusive`."""


class Noblock:
    """The value of the `noblock` fixture: sends requests to the app, on an event loop of its own, beside probes.

    `get`, `post`, the other verbs and `request` return an `httpx.Response`. They return when the response is complete
    and the background tasks have ended. They fail the test (`pytest.fail`) when the outcome of the check is `failed`
    (the request kept others waiting) or `inconclusive` (nothing was measured: no such route, or something in front of
    the endpoint answered; `expect="any"` takes such an answer). `check` returns the Check and never fails the test.

    All methods take the keywords of `httpx.AsyncClient.request` and, besides, `max_block` and `max_total` (text with a
    unit), `probe` (one path or several), `concurrency` (1 or more), `warmup` and `confirm` (True or False) and `expect`
    ("any"); see `Arguments`. All methods raise TypeError for an unknown keyword and ValueError for a wrong value, both
    before anything is sent.
    """

    def __init__(self, checker: Checker, test: RequestingTest) -> None:
        self._checker = checker
        self._test = test

    @property
    def client(self) -> httpx.AsyncClient:
        """The httpx client that sends the requests, new for each test: set headers, cookies and auth here.

        Its `base_url` is `http://testserver`. The client belongs to the app's loop: do not await its methods.
        """
        return self._checker.client

    def get(self, url: str, **arguments: Unpack[Arguments]) -> httpx.Response:
        """Sends a GET request; see the class."""
        __tracebackhide__ = True
        return self.request("GET", url, **arguments)

    def post(self, url: str, **arguments: Unpack[Arguments]) -> httpx.Response:
        """Sends a POST request; see the class."""
        __tracebackhide__ = True
        return self.request("POST", url, **arguments)

    def put(self, url: str, **arguments: Unpack[Arguments]) -> httpx.Response:
        """Sends a PUT request; see the class."""
        __tracebackhide__ = True
        return self.request("PUT", url, **arguments)

    def patch(self, url: str, **arguments: Unpack[Arguments]) -> httpx.Response:
        """Sends a PATCH request; see the class."""
        __tracebackhide__ = True
        return self.request("PATCH", url, **arguments)

    def delete(self, url: str, **arguments: Unpack[Arguments]) -> httpx.Response:
        """Sends a DELETE request; see the class."""
        __tracebackhide__ = True
        return self.request("DELETE", url, **arguments)

    def head(self, url: str, **arguments: Unpack[Arguments]) -> httpx.Response:
        """Sends a HEAD request; see the class."""
        __tracebackhide__ = True
        return self.request("HEAD", url, **arguments)

    def options(self, url: str, **arguments: Unpack[Arguments]) -> httpx.Response:
        """Sends an OPTIONS request; see the class."""
        __tracebackhide__ = True
        return self.request("OPTIONS", url, **arguments)

    def request(self, method: str, url: str, **arguments: Unpack[Arguments]) -> httpx.Response:
        """Sends a request with this method; see the class.

        `method` in any case, `"get"`. `url`: a path, or a URL whose host is the app's.
        """
        __tracebackhide__ = True
        check = self.check(method, url, **arguments)
        self._test.fail_if_red(check)
        if check.response is None:  # then the check was inconclusive and has failed the test already
            raise RuntimeError(f"{check.request} has no response")
        return check.response

    def check(self, method: str, url: str, **arguments: Unpack[Arguments]) -> Check:
        """Sends a request as `request` does, and returns its Check. The test goes on, whatever the check's outcome is.

        The check goes on record, as with `request`. Raises TypeError for an unknown keyword and ValueError for a wrong
        value. An exception of the app is not raised: the Check tells it. Under `action="warn"` a finding is issued as a
        NoblockWarning, which Python's warning filters may turn into an exception.
        """
        __tracebackhide__ = True
        request, plan = self._read(method, url, dict(arguments))
        return self._test.record(self._checker.check(self._test.id, request, plan))

    def _read(self, method: object, url: object, given: dict[str, Any]) -> tuple[Request, Plan]:
        __tracebackhide__ = True
        try:
            plan = _plan(self._test.plan, given)
            unknown = sorted(set(given) - _HTTPX)
            if unknown:
                raise TypeError(_unknown(unknown[0]))  # noqa: TRY301  # raised anew below
            return sendable(self._checker.client, method, url, given, plan), plan
        except (TypeError, ValueError) as error:
            mistake = (TypeError if isinstance(error, TypeError) else ValueError)(str(error))
        raise mistake  # outside the except block: without a history, and without a frame of ours


def _plan(plan: Plan, given: dict[str, Any]) -> Plan:
    """The plan with the values of noblock's own keywords; removes these keywords from `given`."""
    for name in sorted(_OURS & given.keys()):
        value = given.pop(name)
        if value is not None:
            plan = _READERS[name](plan, value)
    return plan


_READERS: dict[str, Callable[[Plan, Any], Plan]] = {
    "max_block": lambda plan, value: plan._replace(limits=plan.limits._replace(max_block=units.parse(value))),
    "max_total": lambda plan, value: plan._replace(limits=plan.limits._replace(max_total=units.parse(value))),
    "probe": lambda plan, value: plan._replace(probes=probe_paths(value)),
    "concurrency": lambda plan, value: plan._replace(concurrency=_positive(value)),
    "warmup": lambda plan, value: plan._replace(warmup=_truth("warmup", value)),
    "confirm": lambda plan, value: plan._replace(confirm=_truth("confirm", value)),
    "expect": lambda plan, value: plan._replace(expect=expected(value)),
}


_MOST_COPIES = 10_000
"""Requests at once. Each takes half a millisecond of the loop at least: more do not end in a request's 30 s."""


def _positive(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"concurrency={shown.value(value)} is not a positive whole number")
    if value > _MOST_COPIES:
        raise ValueError(f"concurrency={shown.value(value)} is more than {_MOST_COPIES}, which one event loop can send")
    return value


def _truth(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{name}={shown.value(value)} is neither True nor False")  # noqa: TRY004  # as for the others
    return value


def _unknown(name: str) -> str:
    known = sorted(_HTTPX | _OURS)
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"it takes {', '.join(known)}"
    return f"noblock has no request argument {name!r}: {hint}"
