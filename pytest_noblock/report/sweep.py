"""The end of a sweep: how many routes were measured, the worst first, and why the others were not (pure)."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from pytest_noblock.model.check import Check
from pytest_noblock.model.limits import UNSETTLED
from pytest_noblock.report import routes
from pytest_noblock.report.routes import RouteRow

AWAITS_NOTHING = "its endpoint is an async def that awaits nothing"
"""The note on a route that holds the loop from its begin to its end: as a plain `def` it would run in a thread."""

_MOST_ROWS = 20
"""Rows of routes that passed. Those that did not are all shown."""
_MOST_DOUBTS = 10
_MOST_NAMES = 5
_MOST_WORDS = 4
"""So many different answers of the routes of one reason are told."""
_ANY_PARAM = "--noblock-param=NAME=VALUE"
"""What a remedy has where it means the variables of the routes' paths."""


class Swept(NamedTuple):
    """A sweep that is over."""

    checks: Sequence[Check]
    """One for each route that came to its end."""
    routes: int
    """How many routes the app has."""
    selected: int
    """How many of them were selected, as by `-k`."""

    @property
    def measured(self) -> int:
        return sum(check.measured for check in self.checks)

    @property
    def of(self) -> int:
        """How many there were to measure."""
        return self.selected

    @property
    def headline(self) -> str:
        """`N of M routes measured`."""
        if self.selected < self.routes:
            return f"{self.measured} of {self.of} selected routes measured (the app has {self.routes})"
        return f"{self.measured} of {self.of} routes measured"


def lines(swept: Swept, remedies: Mapping[str, str]) -> Iterator[str]:
    """`remedies`: by reason, how to have such routes measured."""
    yield swept.headline
    rows = routes.rows(swept.checks)
    exercised = [each for each in rows if each.outcome != "not-exercised"]
    yield from routes.table(exercised, _MOST_ROWS)
    yield from _unsettled(swept.checks)
    yield from _not_exercised([each for each in rows if each.outcome == "not-exercised"], swept.checks, remedies)
    yield from _awaits_nothing(swept.checks)


def _unsettled(checks: Sequence[Check]) -> Iterator[str]:
    """The doubts of routes that passed: a row that says so alone would hide them."""
    doubts = [
        f"  unsettled  {each.request.partition(' ')[0]} {each.route}: {note.removeprefix(UNSETTLED)}"
        for each in checks
        for note in each.notes
        if each.outcome == "passed" and note.startswith(UNSETTLED)
    ]
    yield from sorted(doubts)[:_MOST_DOUBTS]
    if len(doubts) > _MOST_DOUBTS:
        yield f"  unsettled  {len(doubts) - _MOST_DOUBTS} more; a report has them all"


def _not_exercised(rows: Sequence[RouteRow], checks: Sequence[Check], remedies: Mapping[str, str]) -> Iterator[str]:
    said: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for check in checks:
        said[check.reason or ""].update(check.notes if check.outcome == "not-exercised" else ())
    groups: defaultdict[str, list[RouteRow]] = defaultdict(list)
    for row in rows:
        groups[row.reason or ""].append(row)
    if groups:
        yield f"not exercised: {len(rows)}"
    for reason, group in sorted(groups.items(), key=lambda each: (-len(each[1]), each[0])):
        yield f"  {reason}: {_named([each.name for each in group])}"
        often = sorted(said[reason].items(), key=lambda each: (-each[1], each[0]))
        yield from (f"      {count} {words}" for words, count in often[:_MOST_WORDS])
        yield f"      {_with_names(remedies[reason], group)}" if reason in remedies else "      not known"


def _with_names(remedy: str, group: Sequence[RouteRow]) -> str:
    """The remedy with the names of what the paths lack: `--noblock-param=user_id=...`."""
    names = dict.fromkeys(name for row in group for name in re.findall(r"\{([^}]*)\}", row.path))
    given = " ".join(f"--noblock-param={name}=..." for name in [*names][:_MOST_NAMES])
    return remedy.replace(_ANY_PARAM, given) if given else remedy


def _awaits_nothing(checks: Sequence[Check]) -> Iterator[str]:
    names = [f"{each.request.partition(' ')[0]} {each.route}" for each in checks if AWAITS_NOTHING in each.notes]
    if names:
        yield f"async def, and awaits nothing (a plain def would leave the loop to others): {_named(names)}"


def _named(names: Sequence[str]) -> str:
    """The same in whatever order the items ran, as with xdist."""
    names = sorted(names)
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return f"{', '.join(names[:_MOST_NAMES])}{more}"
