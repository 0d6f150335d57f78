"""The values that a request sent. The message of an error may quote them, and no report is to tell them.

Only a request that ends in an error asks for them. Words that clients send by themselves are left out, and so are short
values: they stand in many sentences.
"""

import base64
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, unquote

_LEAST = 6
"""Letters of a value that is masked; 1 or `true` says nothing."""
_MOST = 1_000
"""Values of one request, at most."""
_OF_THE_CLIENT = (
    b"host user-agent accept accept-encoding accept-language content-type content-length connection transfer-encoding"
).split()
"""Headers whose values are no secrets."""


def sent_values(scope: Any, body: bytes = b"") -> set[str]:
    """The values of headers, cookies, query and body, as text. Nothing is raised: a scope may hold anything."""
    found: set[str] = set()
    for part in (_of_headers(scope), _of_query(scope), _of_body(body)):
        try:
            for value in part:
                found.update(_forms(value))
                if len(found) >= _MOST:
                    return found
        except Exception:  # noqa: BLE001, S112  # no ASGI scope, no JSON
            continue
    return found


def argument_values(task: Any) -> set[str]:
    """The texts among the arguments of a background task."""
    try:
        return {
            form for each in (*task.args, *task.kwargs.values()) for value in _leaves(each) for form in _forms(value)
        }
    except Exception:  # noqa: BLE001  # a task of the user's own may have anything there
        return set()


def _forms(value: str) -> Iterator[str]:
    """The value as it stands in a text, and in the `repr` of one."""
    if len(value) >= _LEAST:
        yield value
        yield repr(value)[1:-1]


def _of_headers(scope: Any) -> Iterator[str]:
    for name, raw in scope["headers"]:
        if name.lower() in _OF_THE_CLIENT:
            continue
        value = raw.decode("latin-1")
        yield value
        if name.lower() == b"cookie":
            for pair in value.split(";"):
                yield from (pair.partition("=")[2].strip(' "'), unquote(pair.partition("=")[2].strip(' "')))
        elif name.lower() in (b"authorization", b"proxy-authorization"):
            yield from _of_credentials(value)


def _of_credentials(value: str) -> Iterator[str]:
    scheme, _, given = value.partition(" ")
    yield given
    if scheme.lower() == "basic":
        yield from base64.b64decode(given).decode().split(":", 1)


def _of_query(scope: Any) -> Iterator[str]:
    text = scope["query_string"].decode("latin-1")
    for pair in text.split("&"):
        yield pair.partition("=")[2]
    yield from (value for _, value in parse_qsl(text))


def _of_body(body: bytes) -> Iterator[str]:
    text = body.decode(errors="replace")
    try:
        found = json.loads(text)
    except ValueError:
        yield from (value for _, value in parse_qsl(text))
        yield text
    else:
        yield from _leaves(found)


def _leaves(value: object) -> Iterator[str]:
    """The texts in a value made of lists and dictionaries."""
    rest = [value]
    while rest:
        each = rest.pop()
        if isinstance(each, str):
            yield each
        elif isinstance(each, bytes):
            yield each.decode("latin-1")
        elif isinstance(each, dict):
            rest.extend(each.values())
        elif isinstance(each, list | tuple):
            rest.extend(each)
