"""Folds reports into one run, one check after the other: a million of them pass, and few are kept.

Of a check that passed only its numbers are kept. Of those that say something all are, up to some thousands; beyond,
those that show something new.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from pytest_noblock.merge.rows import Rows
from pytest_noblock.merge.shards import Refused, Shard, together
from pytest_noblock.model.check import Check, Outcome
from pytest_noblock.model.limits import Limits
from pytest_noblock.model.observation import LIFESPAN, NO_REQUEST
from pytest_noblock.report.from_json import check_of, restored
from pytest_noblock.report.wire import Environment, Run

_MOST_KEPT = 5_000
"""Checks that are kept whatever they say: some 5 kB each."""
_MOST_ALIKE = 5
"""Beyond those: checks with one and the same finding."""
_MOST_PICTURES = 200
"""Checks that passed and have a picture."""

Accept = Callable[[Check], Check]
Record = dict[str, Any]


class Folding:
    """The merged run, as far as its reports were read."""

    def __init__(self, accept: Accept, keep: Callable[[list[Record]], object] | None = None) -> None:
        """`accept`: marks what is accepted. `keep`: is handed the `checks` of each report."""
        self._accept = accept
        self._keep = keep
        self._environments: dict[tuple[object, ...], Environment] = {}
        self._rows = Rows()
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
            for row in shard.routes:
                self._rows.add(row)
            for entry in shard.checks:
                outcome = self._add(entry, environment)
                if entry["route"] is not None and (entry["findings"] or not shard.routes):
                    self._rows.add_check(entry, outcome, alone=not shard.routes)
        except (KeyError, TypeError, ValueError) as error:
            raise Refused(f"{shard.name} is no report of pytest-noblock: {type(error).__name__}: {error}") from None
        if self._keep is not None:
            self._keep(shard.checks)

    def _add(self, entry: Record, environment: Environment) -> Outcome:
        """Returns the check's outcome, which what is accepted may change."""
        self._tests.add(hash(entry["id"]))
        outcome: Outcome = entry["outcome"]
        if entry["findings"] or outcome not in ("passed", "not-exercised"):
            outcome = self._look(entry, environment)
        elif outcome == "passed" and "timeline" in entry and self._pictures < _MOST_PICTURES:
            self._pictures += 1
            self._told.append(_check(entry, environment))
        elif entry["request"] not in (LIFESPAN, NO_REQUEST):
            self._quiet[outcome] += 1
        return outcome

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

    def cut_short(self) -> Iterator[str]:
        """A sentence for each report of a run that was stopped: it is not green."""
        yield from (
            f"the run of {name} was stopped before its end: it may have measured too little" for name in self._cut
        )

    def run(self) -> Run:
        """Raises Refused where there is nothing to merge."""
        if not self._environments:
            raise Refused("there is no report to merge")
        return Run(
            together(self._environments.values()),
            tuple(self._told),
            routes=self._rows.rows(),
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
