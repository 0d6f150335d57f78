"""The findings of a run, each told once: by what they are (`by_identity`), or by their line of code (`by_line`); pure.

A line that blocks in a hundred tests is one entry of a report. What stands for all of them is the worst that nobody
accepted.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import NamedTuple

from pytest_noblock.model.check import Check
from pytest_noblock.model.finding import Finding
from pytest_noblock.model.identity import route_name
from pytest_noblock.report import failure


class Seen(NamedTuple):
    """A finding, and the check that it is of."""

    check: Check
    finding: Finding


class Entry(NamedTuple):
    """Findings that are one to the reader."""

    worst: Seen
    all: tuple[Seen, ...]
    """The worst first."""

    @property
    def finding(self) -> Finding:
        return self.worst.finding

    @property
    def check(self) -> Check:
        return self.worst.check

    @property
    def accepted(self) -> str | None:
        """The reason for which all of them are accepted; None where one is not."""
        return self.finding.accepted

    @property
    def headline(self) -> str:
        return failure.headline(self.check, self.finding)

    @property
    def tests(self) -> list[str]:
        return list(dict.fromkeys(each.check.id for each in self.all))

    @property
    def routes(self) -> list[str]:
        """`GET /report`, as far as the routes are known."""
        return list(dict.fromkeys(route_of(each.check) for each in self.all))


def route_of(check: Check) -> str:
    """Method and template; the request itself where it has no route."""
    return route_name(check.request, check.request, check.route)


def by_identity(checks: Iterable[Check]) -> list[Entry]:
    """One entry for each identity of a finding, the worst first."""
    return _grouped(checks, lambda seen: seen.finding.identity)


def by_line(checks: Iterable[Check]) -> list[Entry]:
    """One entry for each kind at each line, the worst first."""
    return _grouped(checks, _line)


def _line(seen: Seen) -> Hashable:
    finding = seen.finding
    return finding.kind, finding.file, finding.line, None if finding.file else finding.identity


def _grouped(checks: Iterable[Check], key: Callable[[Seen], Hashable]) -> list[Entry]:
    groups: defaultdict[Hashable, list[Seen]] = defaultdict(list)
    for check in checks:
        for finding in check.findings:
            seen = Seen(check, finding)
            groups[key(seen)].append(seen)
    return sorted((_entry(group) for group in groups.values()), key=lambda entry: _badness(entry.worst))


def _entry(group: Sequence[Seen]) -> Entry:
    worst_first = sorted(group, key=_badness)
    return Entry(worst_first[0], tuple(worst_first))


def _badness(seen: Seen) -> tuple[bool, int, str, int]:
    """Sorts what nobody accepted first, then by time."""
    finding = seen.finding
    return finding.accepted is not None, -finding.blocked_ns, finding.file or "", finding.line or 0
