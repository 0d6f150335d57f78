"""The routes of a run: what all checks of one route say of it, and the table that a sweep ends with (pure)."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from pytest_noblock.model.app_routes import AppRoutes
from pytest_noblock.model.check import Check, Outcome
from pytest_noblock.model.finding import Finding
from pytest_noblock.model.units import milliseconds
from pytest_noblock.report.coverage import Asked, Coverage

if TYPE_CHECKING:
    from pytest_noblock.report.wire import Run

WORST_FIRST: tuple[Outcome, ...] = ("failed", "inconclusive", "accepted", "passed", "not-exercised")


_REFUSED = {
    401: "needs-auth",
    403: "needs-auth",
    404: "not-found",
    405: "not-allowed",
    409: "conflict",
    429: "conflict",
}


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
    least_ms: float = 0.0
    """The most that one request takes of what a worker has least of, where that is not the loop: `Check.scarce_ns`."""

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def scarce_ms(self) -> float:
        """`1000 / scarce_ms` such requests are the most that one worker can serve in a second, as far as is known."""
        return max(self.least_ms, self.loop_ms)

    @property
    def measured(self) -> bool:
        """Whether a request to it was, whatever became of others."""
        return self.requests > 0


def rows_of(run: "Run") -> Sequence[RouteRow]:
    """The routes of a run: those that were handed to it, else those of its checks and of its apps."""
    return rows(run.checks, run.apps) if run.routes is None else run.routes


def rows(checks: Iterable[Check], apps: Iterable[AppRoutes] = ()) -> list[RouteRow]:
    """One row for each route that a check or an app knows, sorted by path and method."""
    coverage = Coverage(apps)
    groups: defaultdict[tuple[str, str], list[Check]] = defaultdict(list)
    for app in coverage.apps:
        groups.update({(route.path, route.method): [] for route in app.routes})
    for check in checks:
        if check.route is not None:
            known = coverage.routes_of(Asked(check.request, check.route, check.endpoint, check.measured))
            path = known[0].path if known else check.route
            groups[path, check.request.partition(" ")[0]].append(check)
    return [_row(method, path, group) for (path, method), group in sorted(groups.items())]


def _row(method: str, path: str, checks: Sequence[Check]) -> RouteRow:
    worst = min(checks, key=lambda check: WORST_FIRST.index(check.outcome), default=None)
    if worst is None or (worst.outcome == "passed" and not any(check.measured for check in checks)):
        return RouteRow(method, path, 0, "not-exercised", _refused(worst.status) if worst else None, 0.0, 0.0)
    findings = [finding for check in checks for finding in check.findings if finding.kind != "loop-total"]
    longest = max(findings, key=lambda finding: finding.blocked_ns, default=None)
    return RouteRow(
        method,
        path,
        requests=sum(check.measured for check in checks),
        outcome=worst.outcome,
        reason=worst.reason,
        worst_ms=longest.ms if longest is not None else 0.0,
        loop_ms=max(check.loop_ms for check in checks),
        line=_line(longest, checks),
        least_ms=max(milliseconds(check.scarce_ns) for check in checks),
    )


def _refused(status: int | None) -> str | None:
    """The sweep's word for an answer that measured nothing; None where nothing is known of it."""
    if status is None:
        return None
    return "failed" if status >= 500 else _REFUSED.get(status, "rejected")


def _line(longest: Finding | None, checks: Sequence[Check]) -> str | None:
    """Of the longest finding; where none held the loop in one go, of what did in all."""
    shown = longest or next((each for check in checks for each in check.findings), None)
    return shown.place if shown is not None and shown.file else None


def table(found: Sequence[RouteRow], most: int) -> Iterator[str]:
    """The lines of the table, worst first: the red ones, then those that hold the loop longest; `most` of them."""
    worst = sorted(found, key=badness)
    shown = worst[: max(most, sum(each.outcome != "passed" for each in found))]
    if not shown:
        return
    width = min(60, max(len(each.name) for each in shown))
    yield f"  {'route':<{width}}  {'outcome':<12}  {'stall':>9}  {'loop':>9}  {'per second':>10}  line"
    for each in shown:
        yield (
            f"  {each.name:<{width}}  {each.outcome:<12}  {ms(each.worst_ms):>9}  {ms(each.loop_ms):>9}  "
            f"{rate(each.scarce_ms):>10}  {each.line or ''}"
        ).rstrip()
    if len(shown) < len(worst):
        yield f"  and {len(worst) - len(shown)} more that passed"


def badness(row: RouteRow) -> tuple[int, float, float, str]:
    """Sorts the red ones first, then those that hold the loop longest."""
    return WORST_FIRST.index(row.outcome), -row.worst_ms, -row.loop_ms, row.name


def ms(value: float) -> str:
    """`301.2 ms`; a dash for nothing."""
    return f"{value:.1f} ms" if value else "-"


def rate(scarce_ms: float) -> str:
    """How many such requests one worker can serve in a second, at most."""
    if scarce_ms < 0.001:
        return "-"
    rate = 1000 / scarce_ms
    return f"{rate:,.0f}" if rate >= 9.95 else f"{rate:.2g}"
