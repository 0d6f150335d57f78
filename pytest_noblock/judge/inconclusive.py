"""Why nothing can be said of a request: pure functions, one clear sentence each."""

from collections.abc import Sequence

from pytest_noblock.model.frames import Frame
from pytest_noblock.model.observation import Exchange

_REFUSED = {404, 405, 307, 308}


def not_measured(exchange: Exchange, paths: Sequence[str]) -> str | None:
    """Why the request did not reach its endpoint, its answer or its end, as a sentence; None where it did.

    `paths`: the paths of the app's routes. The sentence suggests the path that is closest to the request's.
    """
    failed = next((task for task in exchange.tasks if task.error is not None), None)
    if failed is not None and exchange.completed is not None:
        return f"{exchange.request} answered, and its background task {failed.name} raised {failed.error}"
    return _without_answer(exchange) or _without_endpoint(exchange, paths) or unseen(exchange)


def _without_answer(exchange: Exchange) -> str | None:
    if exchange.error is not None:
        return f"{exchange.request} raised {exchange.error}"
    if exchange.started is None:
        return f"{exchange.request} ended without a response"
    if exchange.completed is None:
        return f"{exchange.request} ended before its response was complete"
    return None


def _without_endpoint(exchange: Exchange, paths: Sequence[str]) -> str | None:
    if exchange.endpoint is None and exchange.status in _REFUSED:
        return f"{exchange.request} matched no route of the app (status {exchange.status}){_suggested(exchange, paths)}"
    if exchange.status == 405 or (exchange.entered is False and (exchange.status or 0) >= 400):
        return (
            f"{exchange.request} answered {exchange.status} before its endpoint was called "
            "(headers and cookies can be set on noblock.client)"
        )
    return None


def unseen(exchange: Exchange) -> str | None:
    """The sentence for a request of which no step was metered; None where a step was."""
    return None if exchange.steps else f"{exchange.request} ran no step on an event loop that can be metered"


def _suggested(exchange: Exchange, paths: Sequence[str]) -> str:
    import difflib

    close = difflib.get_close_matches(exchange.path, paths, n=1)
    return f", did you mean {close[0]}" if close else ""


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


def loop_not_returned(request: str, seconds: float, frame: Frame | None) -> str:
    """The sentence for a request that holds the event loop; `frame`: the user line of the loop thread."""
    return f"{request} took the event loop and did not give it back (timeout={seconds:g}), {_where(frame)}"


def _where(frame: Frame | None) -> str:
    if frame is None:
        return "no line of the user's code is waiting"
    return f"it sits at {frame.file}:{frame.line} in {frame.function}"
