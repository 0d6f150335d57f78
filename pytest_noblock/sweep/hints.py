"""What an answer tells beyond its status: how to have the route measured."""

from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from pytest_noblock.engine.errors import without_secrets
from pytest_noblock.engine.frameworks.http_client import httpx
from pytest_noblock.engine.sent_values import sent_values
from pytest_noblock.model.observation import Exchange
from pytest_noblock.model.shown import one_line
from pytest_noblock.sweep.reasons import Reason
from pytest_noblock.sweep.route import Route
from pytest_noblock.sweep.security import options_for

_BY_MIDDLEWARE = {
    "TrustedHostMiddleware": '--noblock-header="Host: NAME" with a name that it trusts',
    "HTTPSRedirectMiddleware": 'the hook pytest_noblock_request: request.url = "https://testserver" + request.url',
}
"""Starlette's, by the name of the class: what lets a request pass."""
_MOST_PROBLEMS = 2
_LONGEST = 100
"""Letters of what the app says."""
_LARGEST = 100_000
"""Bytes of an answer that is read for it."""


def hint(route: Route, reason: Reason, exchange: Exchange, response: httpx.Response | None) -> str:
    """Words for what the route lacks; empty where nobody knows. No value that the request sent is in them."""
    if exchange.answered is not None and exchange.answered.name in _BY_MIDDLEWARE:
        return _BY_MIDDLEWARE[exchange.answered.name]
    found = []
    if response is not None and "location" in response.headers:
        found.append(f"it sends to {_path(response.headers['location'])}")
    if reason == "needs-auth" and (options := options_for(route)):
        found.append(f"its document asks for {' or '.join(options)}")
    if reason == "rejected" and response is not None and _may_be_told(response):
        found += _problems(response)
    return ", ".join(found)


def _may_be_told(response: httpx.Response) -> bool:
    """Of a form with files nobody tells what of it the answer quotes."""
    sends_files = response.request.headers.get("content-type", "").startswith("multipart/")
    return len(response.content) <= _LARGEST and not sends_files


def _path(location: str) -> str:
    """Without the query, which may hold what the request sent."""
    try:
        parts = urlsplit(location)
    except ValueError:
        return "what is no URL"
    return one_line(f"{f'{parts.scheme}://{parts.netloc}' if parts.netloc else ''}{parts.path or '/'}", _LONGEST)


def _problems(response: httpx.Response) -> list[str]:
    """What FastAPI says of an invalid request: which field, and why."""
    try:
        answer = response.json()
    except (ValueError, RecursionError):
        return []
    detail = answer.get("detail") if isinstance(answer, Mapping) else None
    secrets = _sent(response)
    details = detail if isinstance(detail, list) else [detail]
    told = [one_line(without_secrets(each, secrets), _LONGEST) for each in _told(details)]
    more = [f"{len(told) - _MOST_PROBLEMS} more"] if len(told) > _MOST_PROBLEMS else []
    return told[:_MOST_PROBLEMS] + more


def _told(details: list[object]) -> Iterator[str]:
    for each in details:
        if isinstance(each, str):
            yield each
        elif isinstance(each, Mapping) and isinstance(each.get("loc"), list) and isinstance(each.get("type"), str):
            yield f"{' '.join(map(str, each['loc']))}: {each['type']}"


def _sent(response: httpx.Response) -> set[str]:
    """The values of the request, which the app may quote."""
    request = response.request
    scope = {"headers": request.headers.raw, "query_string": request.url.query}
    return sent_values(scope, request.read())
