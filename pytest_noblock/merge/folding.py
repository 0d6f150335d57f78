"""Folds reports into one run, one check after the other: a million of them pass, and few are kept.

Of a check that passed only its numbers are kept. Of those that say something all are, up to some thousands; beyond,
those that show something new.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from pytest_noblock.merge.shards import Refused, Shard, together
from pytest_noblock.model.check import Check, Outcome, is_measured
from pytest_noblock.model.limits import Limits
from pytest_noblock.model.observation import LIFESPAN, NO_REQUEST
from pytest_noblock.report.json_v1 import check_of
from pytest_noblock.report.routes import WORST_FIRST, RouteRow
from pytest_noblock.report.whole import restored
from pytest_noblock.report.wire import Environment, Run

_MOST_KEPT = 5_000
"""Checks that are kept whatever they say: some 5 kB each."""
_MOST_ALIKE = 5
"""Beyond those: checks with one and the same finding."""
_MOST_PICTURES = 200
"""Checks that passed and have a picture."""

Accept = Callable[[Check], Check]
Record = dict[str, Any]


class _Row:
    """What the checks of one route say of it."""

    __slots__ = ("line", "loop", "outcome", "reason", "requests", "worst")

    def __init__(self) -> None:
        self.requests = 0
        self.loop = self.worst = 0.0
        self.outcome = len(WORST_FIRST)
        """Its place in `WORST_FIRST`."""
        self.reason: str | None = None
        self.line: str | None = None


_PLACE: dict[str, int] = {outcome: place for place, outcome in enumerate(WORST_FIRST)}


class Folding:
    """The merged run, as far as its reports were read."""

    def __init__(self, accept: Accept, keep_record: Callable[[Record], object] | None = None) -> None:
        """`accept`: marks what is accepted. `keep_record`: is handed each entry of `checks`."""
        self._accept = accept
        self._keep_record = keep_record
        self._environments: dict[tuple[object, ...], Environment] = {}
        self._rows: dict[tuple[str, str], _Row] = {}
        self._unmeasured: dict[tuple[str, str], RouteRow] = {}
        self._quiet: Counter[str] = Counter()
        self._told: list[Check] = []
        self._alike: Counter[object] = Counter()
        self._pictures = 0
        self._tests: set[int] = set()
        """Hashes of the ids: a million names would take more memory than all else."""
        self.red = 0
        """How many checks are red that made their test fail."""
        self._cut: list[str] = []
        """The names of reports whose run did not come to its end."""

    def passing(self, shards: Iterable[Shard]) -> Iterator[Shard]:
        """The same shards, each folded on its way."""
        for shard in shards:
            self.add(shard)
            yield shard

    def add(self, shard: Shard) -> None:
        """Raises Refused."""
        environment = shard.environment
        self._environments.setdefault(tuple(environment.items()), environment)
        if not shard.ended:
            self._cut.append(shard.name)
        try:
            for entry in shard.checks:
                self._add(entry, environment)
        except (KeyError, TypeError, ValueError) as error:
            raise Refused(f"{shard.name} is no report of pytest-noblock: {type(error).__name__}: {error}") from None
        for row in shard.routes:
            self._unmeasured.setdefault((row["path"], row["method"]), _of_file(row))

    def _add(self, entry: Record, environment: Environment) -> None:
        self._tests.add(hash(entry["id"]))
        outcome = entry["outcome"]
        if entry["findings"] or outcome not in ("passed", "not-exercised"):
            outcome = self._look(entry, environment)
        elif outcome == "passed" and "timeline" in entry and self._pictures < _MOST_PICTURES:
            self._pictures += 1
            self._told.append(_check(entry, environment))
        elif entry["request"] not in (LIFESPAN, NO_REQUEST):
            self._quiet[outcome] += 1
        if entry["route"] is not None:
            self._add_to_row(entry, outcome)
        if self._keep_record is not None:
            self._keep_record(entry)

    def _look(self, entry: Record, environment: Environment) -> Outcome:
        """A check that says something. Returns its outcome, which what is accepted may change."""
        check = _check(entry, environment)
        accepted = self._accept(check)
        if accepted is not check:
            _mark(entry, accepted)
        if accepted.outcome in ("failed", "inconclusive") and entry.get("test") != "passed":
            self.red += 1
        if len(self._told) < _MOST_KEPT or self._is_new(accepted):
            self._told.append(accepted)
        elif entry["request"] not in (LIFESPAN, NO_REQUEST):
            self._quiet[accepted.outcome] += 1
        return accepted.outcome

    def _is_new(self, check: Check) -> bool:
        shown: list[object] = [finding.identity for finding in check.findings] or [(check.request, check.reason)]
        self._alike.update(shown)
        return any(self._alike[each] <= _MOST_ALIKE for each in shown)

    def _add_to_row(self, entry: Record, outcome: Outcome) -> None:
        key = entry["route"], entry["request"].partition(" ")[0]
        row = self._rows.get(key)
        if row is None:
            row = self._rows[key] = _Row()
        row.requests += is_measured(outcome, entry["notes"])
        row.loop = max(row.loop, entry["loop_ms"])
        if _PLACE[outcome] < row.outcome:
            row.outcome, row.reason = _PLACE[outcome], entry["reason"]
        for finding in entry["findings"]:
            if finding["ms"] >= row.worst and finding["file"]:
                row.worst, row.line = finding["ms"], f"{finding['file']}:{finding['line']}"

    def cut_short(self) -> Iterator[str]:
        """A sentence for each report of a run that was stopped: it is not green."""
        yield from (
            f"the run of {name} was stopped before its end: it may have measured too little" for name in self._cut
        )

    def run(self) -> Run:
        """Raises Refused where there is nothing to merge."""
        if not self._environments:
            raise Refused("there is no report to merge")
        rows = {key: _of_checks(key, row) for key, row in self._rows.items()}
        return Run(
            together(self._environments.values()),
            tuple(self._told),
            routes=tuple(row for _, row in sorted({**self._unmeasured, **rows}.items())),
            quiet=self._quiet,
            tests=len(self._tests),
        )


def _check(entry: Record, environment: Environment) -> Check:
    return restored(check_of(entry, Limits().max_block, environment["meter"]), entry)


def _mark(entry: Record, check: Check) -> None:
    """The entry says what the check says of what is accepted."""
    entry["outcome"] = check.outcome
    for told, finding in zip(entry["findings"], check.findings, strict=True):
        told.pop("accepted", None)
        if finding.accepted is not None:
            told["accepted"] = finding.accepted


def _of_file(row: Record) -> RouteRow:
    names = ("method", "path", "requests", "outcome", "reason", "worst_ms", "loop_ms")
    return RouteRow(**{name: row[name] for name in names})


def _of_checks(key: tuple[str, str], row: _Row) -> RouteRow:
    path, method = key
    outcome = WORST_FIRST[row.outcome]
    return RouteRow(method, path, row.requests, outcome, row.reason, row.worst, row.loop, row.line)
