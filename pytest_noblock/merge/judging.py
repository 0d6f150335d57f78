"""What makes the merged run red: a finding that nothing accepts, too few routes, what is fixed and still listed."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from pytest_noblock.merge.shards import Refused, Shard
from pytest_noblock.model.check import Check
from pytest_noblock.model.shown import value
from pytest_noblock.report.totals import totals
from pytest_noblock.report.wire import Run

if TYPE_CHECKING:
    from pytest_noblock.merge.folding import Folding


def share_of(text: str | None) -> float | None:
    """0.8 for `80%`. Raises Refused."""
    if text is None:
        return None
    try:
        share = float(text.strip().removesuffix("%")) / 100
    except ValueError:
        share = -1.0
    if not (text.strip().endswith("%") and 0 <= share <= 1):
        raise Refused(f"--require: {value(text)} is not a share of the routes, as 80%")
    return share


class Judging:
    """The rules of one merge."""

    def __init__(self, baseline: str | None, required: float | None) -> None:
        """Raises Refused."""
        self._required = required

    def accepting(self, check: Check) -> Check:
        return check

    def judge(self, shards: Iterable[Shard], folding: "Folding") -> None:
        for _ in shards:
            pass

    def lines(self, run: Run) -> Iterator[str]:
        problem = self._too_few(run)
        if problem is not None:
            yield problem

    def _too_few(self, run: Run) -> str | None:
        if self._required is None:
            return None
        told = totals(run)
        if told.measured >= self._required * told.routes - 1e-9 and told.measured:
            return None
        return f"--require={self._required:.0%} is not met: {told.measured} of {told.routes} routes measured"

    def exit_code(self, run: Run, folding: "Folding") -> int:
        """As pytest's."""
        told = totals(run)
        if folding.red or folding.cut or self._too_few(run) is not None:
            return 1
        measured = told.outcomes["passed"] + told.outcomes["failed"] + told.outcomes["accepted"]
        return 0 if measured else 5
