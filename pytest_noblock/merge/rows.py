"""The routes of many reports, joined: one that any of them measured is measured."""

from collections.abc import Mapping
from typing import Any

from pytest_noblock.model.check import Outcome
from pytest_noblock.model.measured import is_measured
from pytest_noblock.report.routes import WORST_FIRST, RouteRow

Key = tuple[str, str]
"""Path and method."""

_PLACE: dict[str, int] = {outcome: place for place, outcome in enumerate(WORST_FIRST)}


class _Row:
    """What the reports say of one route."""

    __slots__ = ("accepted", "least", "line", "loop", "outcome", "reason", "requests", "worst")

    def __init__(self) -> None:
        self.requests = 0
        self.loop = self.worst = self.least = 0.0
        self.outcome = len(WORST_FIRST)
        """Its place in `WORST_FIRST`."""
        self.reason: str | None = None
        self.line: str | None = None
        self.accepted: int | None = None
        """The place of the worst of its checks that have findings; None where no such check is known by its name."""

    def add(self, outcome: str, entry: Mapping[str, Any]) -> None:
        """`entry`: of a check, or of a route; see there."""
        self.loop = max(self.loop, entry["loop_ms"])
        if "per_second" in entry:
            self.least = max(self.least, 1000 / entry["per_second"])
        if _PLACE[outcome] < self.outcome:
            self.outcome, self.reason = _PLACE[outcome], entry["reason"]


class Rows:
    """Reports tell their routes, with those that nobody measured. One that was cut short tells its checks alone."""

    def __init__(self) -> None:
        self._rows: dict[Key, _Row] = {}

    def add(self, row: Mapping[str, Any]) -> None:
        """An entry of a report's `routes`."""
        known = self._rows.setdefault((row["path"], row["method"]), _Row())
        known.add(row["outcome"], row)
        known.requests += row["requests"]
        known.worst = max(known.worst, row["worst_ms"])

    def add_check(self, entry: Mapping[str, Any], outcome: Outcome, *, alone: bool) -> None:
        """An entry of `checks`. `alone`: its report tells no routes, so that it counts; else it tells the line only."""
        key = entry["route"], entry["request"].partition(" ")[0]
        known = self._rows.setdefault(key, _Row()) if alone else self._rows.get(key)
        if known is None:  # a mounted app's route has a longer name there
            return
        if alone:
            known.add(outcome, entry)
            known.requests += is_measured(outcome, entry["notes"], entry.get("status"))
        if entry["findings"]:
            known.accepted = min(_PLACE[outcome], len(WORST_FIRST) if known.accepted is None else known.accepted)
        for finding in entry["findings"]:
            _add_line(known, finding)

    def rows(self) -> tuple[RouteRow, ...]:
        return tuple(_joined(key, row) for key, row in sorted(self._rows.items()))


def _add_line(row: _Row, finding: Mapping[str, Any]) -> None:
    """The line of the longest finding; of what held the loop only in all where there is no other."""
    line = f"{finding['file']}:{finding['line']}" if finding["file"] else None
    if finding["kind"] == "loop-total":
        row.line = row.line or line
    elif finding["ms"] >= row.worst:
        row.worst, row.line = finding["ms"], line


def _joined(key: Key, row: _Row) -> RouteRow:
    path, method = key
    failed = WORST_FIRST[row.outcome] == "failed"
    outcome = WORST_FIRST[row.accepted if failed and row.accepted is not None else row.outcome]
    return RouteRow(method, path, row.requests, outcome, row.reason, row.worst, row.loop, row.line, row.least)
