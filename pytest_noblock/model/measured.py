"""Was the request's own endpoint measured? One answer for the sweep, for watched tests and for the baseline."""

from collections.abc import Iterable

from pytest_noblock.model.observation import WEBSOCKET

UNMEASURED = "not measured: "
"""How the note begins on a route of a sweep that is red, and whose answer measured nothing."""
_NOT_MEASURED = ("and not measured", "the endpoint was not measured")
"""How a note ends on a request that something in front of the endpoint answered."""
REFUSED = 400
"""From this HTTP status on an answer measured no more than how its endpoint refuses."""
_MEASURED = ("passed", "failed", "accepted")

LOOP_HELD = "took the event loop and did not give it back"
"""The words of a `Check.reason` that tells of a loop that stood still until the time limit: that much was measured."""

SITS_AT = "it sits at "
"""What comes before the line that holds the loop, in such a reason; what comes behind it and a `; ` is the why."""


def status_of(status: int | None, method: str, *, raised: bool) -> int | None:
    """500 where the app raised and answered nothing, as a server would; a websocket's endpoint raises at its end."""
    return 500 if status is None and raised and method != WEBSOCKET else status


def is_measured(outcome: str, notes: Iterable[str], status: int | None) -> bool:
    """Whether the endpoint was called and answered below 400. `status`: None where it is not known, or was below."""
    if outcome not in _MEASURED or (status is not None and status >= REFUSED):
        return False
    return not any(note.endswith(_NOT_MEASURED) or note.startswith(UNMEASURED) for note in notes)
