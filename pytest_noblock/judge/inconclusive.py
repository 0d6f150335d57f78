"""Why nothing can be said of a request: pure functions, one clear sentence each."""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from pytest_noblock.model.frames import Frame
from pytest_noblock.model.measured import LOOP_HELD, SITS_AT
from pytest_noblock.model.observation import Answerer, Exchange

_ROUTERS = {404, 405, 307, 308}
"""What a router answers by itself: no such path, not this method, and the same path with or without its last slash."""

_NEAR = 0.7
"""How much a path must look like the request's to be suggested (`difflib`): `/things` for `/thing`, no `/loop` for
`/nope`, which is 0.6."""

_ANY = 'say expect="any" if wanted'
_SIGN_IN = "set headers, cookies or auth on noblock.client"
_GIVE = "give params=, json= or data= that it takes"
_WAYS_PAST = {
    401: f"{_SIGN_IN}, or {_ANY}",
    403: f"{_SIGN_IN}, or {_ANY}",
    415: f"{_GIVE}, or {_ANY}",
    422: f"{_GIVE}, or {_ANY}",
}
"""By the status of the answer. Short, and all that can be typed in."""
_OTHER_WAYS = f"{_SIGN_IN}, give params= or json=, or {_ANY}"

_WEBSOCKET = (
    "{request}: the app has a websocket there, and no route that takes HTTP; what measures it is "
    'TestClient(app).websocket_connect("{path}") in a test with @pytest.mark.noblock'
)

Shown = Callable[[str], str]
"""Turns an absolute file into the name that reports show."""


class Paths(NamedTuple):
    """The paths of the app's routes; none of an app that does not show them."""

    all: Sequence[str] = ()
    websockets: Sequence[str] = ()
    """Those of all that are of websockets."""


NO_PATHS = Paths()


def not_measured(exchange: Exchange, paths: Paths = NO_PATHS, shown: Shown = str) -> str | None:
    """Why the request did not reach its endpoint, its answer or its end, as a sentence; None where it did.

    The sentence suggests the path that is closest to the request's.
    """
    return _failed_task(exchange) or _without_answer(exchange) or elsewhere(exchange, paths, shown) or unseen(exchange)


def without_an_answer(exchange: Exchange) -> str | None:
    """As `not_measured`, for a test that takes the answer of whoever answers."""
    return _failed_task(exchange) or _without_answer(exchange) or unseen(exchange)


def _failed_task(exchange: Exchange) -> str | None:
    failed = next((task for task in exchange.tasks if task.error is not None), None)
    if failed is None or exchange.completed is None:
        return None
    return f"{exchange.request} answered, and its background task {failed.name} raised {failed.raised}"


def _without_answer(exchange: Exchange) -> str | None:
    if exchange.error is not None:
        return f"{exchange.request} raised {exchange.error}"
    if exchange.started is None:
        return f"{exchange.request} ended without a response"
    if exchange.completed is None:
        return f"{exchange.request} ended before its response was complete"
    return None


def elsewhere(exchange: Exchange, paths: Paths = NO_PATHS, shown: Shown = str, *, past: bool = True) -> str | None:
    """The sentence for an answer that did not come from the endpoint; None where it did, or counts as if it did.

    `past`: the sentence says how to get to the endpoint, or to take the answer.

    Of an app that is not Starlette's nobody knows: there an answer below 400 counts.
    """
    ways = _WAYS_PAST.get(exchange.status or 0, _OTHER_WAYS)
    if exchange.entered is None and (exchange.status or 0) >= 400:
        why = f"{exchange.request} answered {exchange.status}, and nobody can know whether its endpoint was reached"
    elif exchange.entered is False:
        if _is_websocket(exchange, paths) and past:
            return _WEBSOCKET.format(request=exchange.request, path=exchange.path)
        unrouted = _unrouted(exchange, paths.all)
        why, ways = (unrouted, _ANY) if unrouted else (_answered_before(exchange, shown), ways)
    else:
        return None
    return f"{why} ({ways})" if past else why


def _unrouted(exchange: Exchange, paths: Sequence[str]) -> str | None:
    """That no route has the path, or the method: no header and no parameter helps."""
    if exchange.answered is not None or exchange.status not in _ROUTERS:
        return None
    if exchange.status == 405:
        told = f": its route does not take {exchange.method}"
    elif exchange.status == 404:
        told = _suggested(exchange, paths) or ": the app has no such path"
    else:
        told = f": the app redirects to {_other_slash(exchange.path)}"
    return f"{exchange.request} matched no route of the app (status {exchange.status}){told}"


def _other_slash(path: str) -> str:
    """Where a router redirects to by itself: the same path without its last slash, or with one."""
    return path.removesuffix("/") if path.endswith("/") else f"{path}/"


def _is_websocket(exchange: Exchange, paths: Paths) -> bool:
    """Whether a websocket is all that there is at the path: a router answers 404, for it has no method to refuse."""
    if exchange.answered is not None or exchange.status != 404:
        return False
    return any(re.fullmatch(_pattern(each), exchange.path) for each in paths.websockets)


def _pattern(template: str) -> str:
    return ".+".join(map(re.escape, re.split(r"\{[^}]*\}", template)))


def _answered_before(exchange: Exchange, shown: Shown) -> str:
    who = f"{_named(exchange.answered, shown)} answered, and " if exchange.answered is not None else ""
    answered = f"{exchange.request} answered {exchange.status} before its endpoint was called"
    return f"{answered}: {who}the endpoint was not reached"


def _named(answered: Answerer, shown: Shown) -> str:
    if answered.frame is None:
        return answered.name
    return f"{answered.name} ({shown(answered.frame.file)}:{answered.frame.line})"


def unseen(exchange: Exchange) -> str | None:
    """The sentence for a request of which no step was metered; None where a step was."""
    return None if exchange.steps else f"{exchange.request} ran no step on an event loop that can be metered"


def _suggested(exchange: Exchange, paths: Sequence[str]) -> str:
    import difflib

    by_small = {path.lower(): path for path in paths}
    close = difflib.get_close_matches(exchange.path.lower(), by_small, n=1, cutoff=_NEAR)
    return f", did you mean {by_small[close[0]]}" if close else ""


def stuck(request: str, seconds: float, frame: Frame | None, exchange: Exchange | None) -> str:
    """The sentence for a request that did not end in `seconds`; `frame`: the user line at which it waits."""
    under_way = [task.name for task in exchange.tasks if task.began and task.ended is None] if exchange else []
    what = "did not answer"
    if exchange is not None and exchange.completed is not None:
        what = (
            f"answered, but its background task {under_way[0]} did not end"
            if under_way
            else "answered, but did not end"
        )
    return f"{request} {what} within {seconds:g} s (timeout={seconds:g}), {_where(frame)}"


def loop_not_returned(request: str, seconds: float, frame: Frame | None, deadlock: str | None = None) -> str:
    """The sentence for a request that holds the event loop; `frame`: the user line of the loop thread.

    `deadlock`: why the line can never go on, as `deadlocks.told` gives it.
    """
    held = f"{request} {LOOP_HELD} (timeout={seconds:g}), {_where(frame)}"
    return f"{held}; {deadlock}" if deadlock else held


def _where(frame: Frame | None) -> str:
    if frame is None:
        return "no line of the user's code is waiting"
    return f"{SITS_AT}{frame.file}:{frame.line} in {frame.function}"
