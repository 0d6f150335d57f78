"""The records of requests of which there is nothing to say, as text: most of a suite's, each like the last."""

from json.encoder import encode_basestring_ascii as quoted

from pytest_noblock.model.units import milliseconds
from pytest_noblock.report.wire import to_json, uneventful

_GAPS = ("\0id", "\0request", "\0duration_ms")
"""What differs from request to request; in the order of the record."""


class UneventfulTexts:
    """What `to_json(uneventful(...))` gives, without doing all of it for each request."""

    def __init__(self) -> None:
        self._around: dict[tuple[str | None, str | None], list[str]] = {}

    def text(self, id: str, request: str, route: str | None, endpoint: str | None, duration: int) -> str:
        around = self._around.get((route, endpoint))
        if around is None:
            around = self._around[route, endpoint] = _around(route, endpoint)
        first, second, third, fourth = around
        return f"{first}{quoted(id)}{second}{quoted(request)}{third}{milliseconds(duration)}{fourth}"


def _around(route: str | None, endpoint: str | None) -> list[str]:
    id, request, duration = _GAPS
    rest = to_json({**uneventful(id, request, route, endpoint, 0), "duration_ms": duration})
    around = []
    for gap in _GAPS:
        before, _, rest = rest.partition(quoted(gap))
        around.append(before)
    return [*around, rest]
