"""The JSON records of uneventful requests, as text: a watched suite has thousands, and they differ in four values."""

from json.encoder import encode_basestring_ascii as quoted

from pytest_noblock.model.units import milliseconds
from pytest_noblock.report.json_v1 import to_json, uneventful

NOT_REACHED = "something in front of the endpoint answered: the endpoint was not reached, and not measured"
"""The note on a request of a watched test that measured no route: the test's own assertions say what it wants."""

_GAPS = ("\0id", "\0request", "\0duration_ms", "\0loop_ms")
"""Placeholders for the values that differ from request to request, in the order of the record's keys."""


class UneventfulTexts:
    """Writes the four values into the text of a record. It makes this text once for each route, endpoint and note."""

    def __init__(self) -> None:
        self._around: dict[tuple[str | None, str | None, bool, int | None], list[str]] = {}

    def text(  # noqa: PLR0913  # the values of a record
        self,
        id: str,
        request: str,
        route: str | None,
        endpoint: str | None,
        duration: int,
        held: int = 0,
        *,
        reached: bool = True,
        status: int | None = None,
    ) -> str:
        """What `to_json(uneventful(...))` gives; in ns `duration`, and `held`, for how long the loop was held in all.

        `reached`: without it the record has a note. `status`: of an answer from 400 on, which
        measured how the endpoint refuses; None for all others.
        """
        key = route, endpoint, reached, status
        around = self._around.get(key)
        if around is None:
            around = self._around[key] = _around(route, endpoint, reached=reached, status=status)
        first, second, third, fourth, fifth = around
        times = f"{milliseconds(duration)}{fourth}{milliseconds(held)}"
        return f"{first}{quoted(id)}{second}{quoted(request)}{third}{times}{fifth}"


def _around(route: str | None, endpoint: str | None, *, reached: bool, status: int | None) -> list[str]:
    """The five pieces of text before, between and after the values."""
    id, request, duration, held = _GAPS
    notes = [] if reached else [NOT_REACHED]
    refused = {} if status is None else {"status": status}
    times = {"duration_ms": duration, "loop_ms": held}
    rest = to_json({**uneventful(id, request, route, endpoint, 0), **times, "notes": notes, **refused})
    around = []
    for gap in _GAPS:
        before, _, rest = rest.partition(quoted(gap))
        around.append(before)
    return [*around, rest]
