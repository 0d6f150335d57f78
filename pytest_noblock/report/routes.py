"""The routes of a run: what all checks of one route say of it, and the table that a sweep ends with (pure)."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from pytest_noblock.model.check import Check, Outcome

_WORST_FIRST: tuple[Outcome, ...] = ("failed", "inconclusive", "accepted", "passed", "not-exercised")


class RouteRow(NamedTuple):
    """One route under one method."""

    method: str
    path: str
    """The template, `/users/{user_id}`."""
    requests: int
    """How many requests to it were measured."""
    outcome: Outcome
    """The worst of its checks."""
    reason: str | None
    worst_ms: float
    """The longest for which one request kept others waiting in one go; 0 where there is no finding."""
    loop_ms: float
    """The most for which one request held the loop in all."""
    line: str | None = None
    """`app/main.py:44`, of the longest finding."""

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def measured(self) -> bool:
        return self.outcome in ("passed", "failed", "accepted")


def rows(checks: Iterable[Check]) -> list[RouteRow]:
    """One row for each route that a check knows, sorted by path and method."""
    groups: defaultdict[tuple[str, str], list[Check]] = defaultdict(list)
    for check in checks:
        if check.route is not None:
            groups[check.route, check.request.partition(" ")[0]].append(check)
    return [_row(method, path, group) for (path, method), group in sorted(groups.items())]


def _row(method: str, path: str, checks: Sequence[Check]) -> RouteRow:
    worst = min(checks, key=lambda check: _WORST_FIRST.index(check.outcome))
    findings = [finding for check in checks for finding in check.findings]
    longest = max(findings, key=lambda finding: finding.blocked_ns, default=None)
    return RouteRow(
        method,
        path,
        requests=sum(check.outcome not in ("inconclusive", "not-exercised") for check in checks),
        outcome=worst.outcome,
        reason=worst.reason,
        worst_ms=longest.ms if longest is not None else 0.0,
        loop_ms=max(check.loop_ms for check in checks),
        line=longest.place if longest is not None and longest.file else None,
    )


def table(found: Sequence[RouteRow], most: int) -> Iterator[str]:
    """The lines of the table, worst first: the red ones, then those that hold the loop longest; `most` of them."""
    worst = sorted(found, key=_badness)
    shown = worst[: max(most, sum(each.outcome != "passed" for each in found))]
    if not shown:
        return
    width = min(60, max(len(each.name) for each in shown))
    yield f"  {'route':<{width}}  {'outcome':<12}  {'stall':>9}  {'loop':>9}  {'per second':>10}  line"
    for each in shown:
        yield (
            f"  {each.name:<{width}}  {each.outcome:<12}  {_ms(each.worst_ms):>9}  {_ms(each.loop_ms):>9}  "
            f"{_rate(each.loop_ms):>10}  {each.line or ''}"
        ).rstrip()
    if len(shown) < len(worst):
        yield f"  and {len(worst) - len(shown)} more that passed"


def _badness(row: RouteRow) -> tuple[int, float, float, str]:
    return _WORST_FIRST.index(row.outcome), -row.worst_ms, -row.loop_ms, row.name


def _ms(value: float) -> str:
    return f"{value:.1f} ms" if value else "-"


def _rate(loop_ms: float) -> str:
    """How many such requests one worker can serve in a second."""
    if loop_ms < 0.001:
        return "-"
    rate = 1000 / loop_ms
    return f"{rate:,.0f}" if rate >= 9.95 else f"{rate:.2g}"
