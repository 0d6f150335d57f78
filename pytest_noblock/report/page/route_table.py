"""The table of routes, what one worker serves of each, and those that nobody measured (pure)."""

from collections.abc import Sequence

from pytest_noblock.model.check import Check
from pytest_noblock.report import routes
from pytest_noblock.report.page import parts
from pytest_noblock.report.page.parts import badge, code, esc
from pytest_noblock.report.routes import RouteRow

_HEAD = ("route", "outcome", "longest stall", "loop held in all", "one worker serves per second", "requests", "line")
_MOST_BYTES = 110_000
_MOST_UNMEASURED_BYTES = 30_000


def measured(rows: Sequence[RouteRow]) -> str:
    """The routes that were measured, the worst first."""
    shown = sorted((row for row in rows if row.outcome != "not-exercised"), key=routes.badness)
    pieces = parts.within(map(_row, shown), _MOST_BYTES, "routes")
    body, more = pieces, ""
    if pieces.endswith("</p>"):  # the sentence on the others belongs below the table
        body, _, more = pieces.rpartition('<p class="more">')
        more = f'<p class="more">{more}'
    return parts.section("routes", "Routes", parts.table("routes", _HEAD, [body]), more) if shown else ""


def _row(row: RouteRow) -> str:
    return (
        f"<tr><td>{code(row.name)}</td><td>{badge(row.outcome)}</td><td>{routes.ms(row.worst_ms)}</td>"
        f"<td>{routes.ms(row.loop_ms)}</td><td>{routes.rate(row.scarce_ms)}</td><td>{row.requests:,}</td>"
        f"<td>{code(row.line) if row.line else ''}</td></tr>\n"
    )


def unmeasured(rows: Sequence[RouteRow], checks: Sequence[Check]) -> str:
    """Routes and requests of which the run says nothing: they are no pass."""
    missed = [f"<li>{code(row.name)}: {esc(row.reason or 'no request')}</li>" for row in rows if not row.measured]
    missed += [
        f"<li>{code(check.request)}: {esc(check.reason or 'not known')} ({code(check.id)})</li>"
        for check in checks
        if check.outcome == "inconclusive" and check.route is None
    ]
    body = parts.within(missed, _MOST_UNMEASURED_BYTES, "that were not measured")
    return parts.section("unmeasured", "Not measured", f"<ul>{body}</ul>") if missed else ""
