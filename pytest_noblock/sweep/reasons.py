"""Why a route was not measured: a closed list, what each reason means, and how to give the route what it lacks."""

from typing import Literal, NamedTuple

Reason = Literal[
    "needs-auth",
    "not-found",
    "rejected",
    "not-allowed",
    "conflict",
    "failed",
    "endless",
    "unsafe-method",
    "websocket",
    "excluded",
    "no-value",
]
"""Why a route is `not-exercised`. Reports carry these names."""


class Row(NamedTuple):
    """What is said of one reason."""

    meaning: str
    """What happened; it follows `not exercised: `."""
    remedy: str
    """How to have such a route measured."""


_HOOK = "the hook pytest_noblock_request"

REASONS: dict[Reason, Row] = {
    "needs-auth": Row(
        "the app wants to know who asks (401, 403)",
        '--noblock-header="Authorization: Bearer $TOKEN" (or "Cookie: NAME=$SESSION"), or override the dependency in '
        "the hook pytest_noblock_app",
    ),
    "not-found": Row(
        "the app found no such object (404), or another route",
        "--noblock-param=NAME=VALUE names one that is there, or make one in the hook pytest_noblock_app",
    ),
    "rejected": Row(
        "the app refused the request as invalid (400, 415, 422)",
        f"--noblock-param=NAME=VALUE, an example in the OpenAPI document, or {_HOOK}",
    ),
    "not-allowed": Row(
        "the app refused the method (405)",
        "--noblock-exclude=PATH leaves the route out",
    ),
    "conflict": Row(
        "the app refused the request for now (409, 429)",
        f"{_HOOK} makes it one that is new; a limit of requests is switched off in the hook pytest_noblock_app",
    ),
    "failed": Row(
        "the app failed (5xx), or raised",
        "what the endpoint needs, as a database, is set up in the hook pytest_noblock_app",
    ),
    "endless": Row(
        "the response did not end",
        f"{_HOOK} asks for one that ends, or --noblock-exclude=PATH leaves the route out",
    ),
    "unsafe-method": Row(
        "the method may change what the app keeps",
        "--noblock-methods=GET,HEAD,POST,PUT,PATCH,DELETE sends it, too",
    ),
    "websocket": Row(
        "it is a websocket",
        "a test with websocket_connect under @pytest.mark.noblock measures it",
    ),
    "excluded": Row(
        "it was left out by an option, or by the hook",
        "--noblock-include and --noblock-exclude say which paths are swept",
    ),
    "no-value": Row(
        "no value for its request could be made",
        f"--noblock-param=NAME=VALUE, an example in the OpenAPI document, or {_HOOK}",
    ),
}

_BY_STATUS: dict[int, Reason] = {
    401: "needs-auth",
    402: "needs-auth",
    403: "needs-auth",
    404: "not-found",
    405: "not-allowed",
    407: "needs-auth",
    409: "conflict",
    410: "not-found",
    412: "conflict",
    423: "conflict",
    425: "conflict",
    428: "conflict",
    429: "conflict",
    511: "needs-auth",
}
"""The others below 500 say that something is wrong with the request itself."""


def reason_of(status: int) -> Reason | None:
    """Why an answer with this status measured nothing; None where it did: below 400."""
    if status < 400:
        return None
    return _BY_STATUS.get(status, "failed" if status >= 500 else "rejected")


def remedy(reason: Reason, names: tuple[str, ...] = (), words: str = "") -> str:
    """How to have a route measured; `names`: the variables of its path, for the options that take a value.

    `words`: what is known beyond the reason, as the hook's own.
    """
    given = " ".join(f"--noblock-param={name}=..." for name in names)
    text = REASONS[reason].remedy
    text = text.replace("--noblock-param=NAME=VALUE", given) if given else text
    return f"{text} ({words})" if words else text
