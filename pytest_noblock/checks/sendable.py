"""What a test gives to a request, looked at before anything is sent: httpx would refuse it deep inside, or take it."""

import re
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import replace
from typing import Any

from pytest_noblock.checks.plan import Plan, may_be_sent_again
from pytest_noblock.engine.frameworks.http_client import BUILT, adopted, httpx
from pytest_noblock.engine.observe import Request
from pytest_noblock.model import shown
from pytest_noblock.model.units import LONGEST_S

_METHOD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
"""What a method is made of: RFC 9110, 5.6.2."""
_MOST_CONTENT = 2**28
"""Bytes of a content in pieces, 256 MiB: more than a test sends. A content without an end ends here."""
_PIECE = 64
"""Bytes that a piece counts at least, so that empty ones come to an end, too, in half a second."""


def sendable(client: httpx.AsyncClient, method: object, url: object, given: Mapping[str, Any], plan: Plan) -> Request:
    """The request, which this client can send as often as the plan wants. Raises ValueError, in one sentence.

    `given`: httpx's keywords. A content in pieces is joined: a request may be sent more than once.
    """
    given = {name: adopted(value) for name, value in given.items()}
    arguments = {name: value for name, value in given.items() if name != "extensions" or value is not None}
    request = Request(_method(method), _url(adopted(url)), {**arguments, **_content(given)})
    _valid_timeout(given.get("timeout", client.timeout))
    if not isinstance(arguments.get("extensions", {}), Mapping):
        raise ValueError(f"extensions={shown.value(arguments['extensions'])} is not a mapping")  # noqa: TRY004  # as the rest
    _valid_auth(given.get("auth"))
    if isinstance(given.get("content"), AsyncIterator) and may_be_sent_again(request.method, plan):
        raise ValueError(
            "the content is an async iterator, which can be read only once, and the request is sent again: give bytes"
        )
    return replace(request, built=_built(client, request))


def _method(given: object) -> str:
    if isinstance(given, str) and re.fullmatch(_METHOD, given):
        return given.upper()
    raise ValueError(f'method={shown.value(given)} is not the name of a method: write "GET"')


def _url(given: object) -> str:
    """The type alone is told of what is no URL: a URL may carry a password."""
    if isinstance(given, str | httpx.URL):
        return str(given)
    raise ValueError(f'the URL is of type {type(given).__name__}: write a path as text, "/report"')


def _content(given: Mapping[str, Any]) -> dict[str, bytes]:
    """The content in one piece, where it is given in pieces; an async client refuses these when it sends them."""
    content = given.get("content")
    if content is None or isinstance(content, str | bytes) or not isinstance(content, Iterable):
        return {}  # what is no content at all, httpx refuses when it builds the request
    problem = ""
    try:
        return {"content": _joined(content)}
    except Exception as error:  # noqa: BLE001  # code of the user's
        problem = shown.error(error)
    raise ValueError(f"the content is neither bytes nor text nor an iterable of bytes: {problem}")


def _joined(content: Iterable[bytes]) -> bytes:
    if isinstance(content, bytearray | memoryview):
        return bytes(content)
    joined, size = bytearray(), 0
    for piece in content:
        joined += piece
        size += max(len(piece), _PIECE)
        if size > _MOST_CONTENT:
            raise OverflowError(f"it has more than {_MOST_CONTENT >> 20} MiB, or no end")
    return bytes(joined)


def _valid_timeout(value: object) -> None:
    """httpx takes any value, and the waits of threads overflow."""
    given = value.read if isinstance(value, httpx.Timeout) else value
    if given is None or (isinstance(given, int | float) and not isinstance(given, bool) and 0 < given <= LONGEST_S):
        return
    raise ValueError(f"timeout={shown.value(value)} is not a positive number of seconds, {LONGEST_S} at most")


def _valid_auth(given: object) -> None:
    """Of what is no auth the type alone is told: httpx shows the value, which may be a password."""
    pair = isinstance(given, tuple) and len(given) == 2 and all(isinstance(each, str | bytes) for each in given)
    if not (pair or given is None or isinstance(given, httpx.Auth) or callable(given)):
        raise ValueError(f"auth is of type {type(given).__name__}: give (user, password) as texts, or an httpx.Auth")


def _built(client: httpx.AsyncClient, request: Request) -> httpx.Request:
    """Builds the request once in the test's thread. No content is read here."""
    arguments = {name: request.arguments[name] for name in BUILT if name in request.arguments}
    problem = ""
    try:
        return client.build_request(request.method, request.url, **arguments)
    except httpx.InvalidURL as error:
        problem = str(error).partition(": '")[0]  # what it quotes may be a part of a password
    except Exception as error:  # noqa: BLE001  # httpx raises whatever its own code happens to meet
        problem = shown.error(error)
    raise ValueError(f"httpx cannot build a {request.method} request of these arguments: {problem}")
