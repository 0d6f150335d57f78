"""What the tests before left in the process: requests that may hold a later test's loop, and apps that still run."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from weakref import WeakSet

from pytest_noblock.engine.exchange import LiveExchange
from pytest_noblock.model.limits import NOTE_NS
from pytest_noblock.model.segment import Segment

_lifespans: "WeakSet[LiveExchange]" = WeakSet()
"""Of apps that may still run: a fixture of a module starts its app for one test, and others use it as well."""

_behind: dict[int, str] = {}
_MOST_BEHIND = 100
"""The latest."""

BEHIND: Mapping[int, str] = MappingProxyType(_behind)
"""By number: the requests of the tests so far that were not over when their test ended, or had left work behind."""


def leave_behind(records: Iterable[LiveExchange], test: str) -> None:
    """The test ends: what is not over of its requests may hold the loop of a later one."""
    for each in records:
        if each.left or not each.is_over:
            _behind[each.number] = f"{each.request} of {test or 'an earlier test'}"
    while len(_behind) > _MOST_BEHIND:
        del _behind[next(iter(_behind))]


def app_starts(record: LiveExchange) -> None:
    """`record`: of the app's lifespan."""
    _lifespans.add(record)


def apps_that_held(segments: Iterable[Segment], known: Iterable[LiveExchange]) -> list[LiveExchange]:
    """The apps that an earlier test started, where a step of theirs, as of a worker, held a loop of this test."""
    numbers = {each.number for each in known}
    strangers = {
        each.exchange for each in segments if each.exchange not in numbers and (each.has_call or each.held >= NOTE_NS)
    }
    return [each for each in tuple(_lifespans) if each.number in strangers] if strangers else []
