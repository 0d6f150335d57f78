"""A page of Markdown, for the summary of a CI job and for comments: what to mend, and what was not measured (pure)."""

import re
from collections.abc import Iterable, Iterator, Sequence

from pytest_noblock.model.check import Check
from pytest_noblock.model.shown import printable
from pytest_noblock.report import routes
from pytest_noblock.report.finding_rows import finding_rows
from pytest_noblock.report.grouped import Entry, by_line
from pytest_noblock.report.places import in_repository
from pytest_noblock.report.routes import RouteRow
from pytest_noblock.report.totals import counted, totals
from pytest_noblock.report.wire import Environment, Run

suffix = ".md"

MOST_BYTES = 1_000_000
"""GitHub takes 1 MiB of summary of one step, and none of a longer one."""
_MOST_IN_FULL = 30
"""Findings that are told at length; the others have a row of a table each."""
_MOST_ROWS = 200
_MOST_NAMES = 3
_LEFT_OUT = "\n\n_The rest is left out: this page has a limit. The JSON report has all of it._\n"
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~&$@!])")


def render(run: Run) -> str:
    """The whole page."""
    return cut("\n".join(_lines(run)) + "\n", MOST_BYTES)


def cut(page: str, most: int) -> str:
    """The page, or as many of its lines as `most` bytes hold, and a sentence that the rest is left out."""
    whole = page.encode()
    if len(whole) <= most:
        return page
    kept = whole[: max(0, most - len(_LEFT_OUT.encode()))].decode(errors="ignore")
    lines = kept[: kept.rfind("\n") + 1]
    return f"{lines}{_closed(lines)}{_LEFT_OUT.lstrip()}" if lines else ""


def _closed(page: str) -> str:
    """Closes a block of code that the cut has left open."""
    fences = re.findall(r"^(`{3,})", page, re.MULTILINE)
    return f"{fences[-1]}\n\n" if len(fences) % 2 else "\n"


def _lines(run: Run) -> Iterator[str]:
    lines = by_line(run.checks)
    told = totals(run, lines)
    yield f"## pytest-noblock: {told.verdict}"
    yield ""
    yield text(f"{told.extent}.")
    open_, accepted = [each for each in lines if each.accepted is None], [each for each in lines if each.accepted]
    for entry in open_[:_MOST_IN_FULL]:
        yield from _finding(entry, run.environment)
    yield from _others(open_[_MOST_IN_FULL:], "More to mend", run.environment)
    yield from _others(accepted, "Accepted", run.environment)
    yield from _routes(routes.rows_of(run))
    yield from _unmeasured(run.checks)


def _finding(entry: Entry, environment: Environment) -> Iterator[str]:
    """At length: the line, its source, and what the terminal says of it."""
    yield ""
    yield f"### {text(entry.headline)}"
    yield ""
    yield _by(entry, environment)
    if entry.finding.code:
        yield from ("", *_block(entry.finding.code))
    yield ""
    for name, said in finding_rows(entry.check, entry.finding):
        if name not in ("by", "code"):
            yield f"- **{name}** {code(said) if name == 'accept' else text(said)}"
    yield f"- **tests** {_named(entry.tests)}"
    others = [each for each in entry.routes if each not in entry.headline]
    if others:
        yield f"- **also in** {_named(others)}"


def _by(entry: Entry, environment: Environment) -> str:
    finding = entry.finding
    if not finding.file:
        return text(finding.by)
    place = f"{in_repository(finding.file, environment)}:{finding.line}"
    return f"{code(place)} in {code(finding.function or '')}, {text(finding.kind)}"


def _block(source: str) -> Iterator[str]:
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", source)), default=0))
    yield from (f"{fence}python", printable(source), fence)


def _others(entries: Sequence[Entry], title: str, environment: Environment) -> Iterator[str]:
    if not entries:
        return
    yield from ("", f"### {title}", "")
    yield from _table(
        ["where", "kind", "what", "tests"],
        (
            [_by(each, environment), each.finding.kind, _what(each), str(len(each.tests))]
            for each in entries[:_MOST_ROWS]
        ),
    )
    yield from _more(len(entries))


def _what(entry: Entry) -> str:
    reason = f" ({text(entry.accepted)})" if entry.accepted is not None else ""
    return text(entry.headline) + reason


def _routes(rows: Sequence[RouteRow]) -> Iterator[str]:
    measured = sorted((row for row in rows if row.outcome != "not-exercised"), key=routes.badness)
    if measured:
        yield from ("", "### Routes", "")
        yield from _table(
            ["route", "outcome", "longest stall", "loop held in all", "one worker serves in a second", "requests"],
            (
                [code(row.name), row.outcome, routes.ms(row.worst_ms), routes.ms(row.loop_ms),
                 routes.rate(row.scarce_ms), str(row.requests)]
                for row in measured[:_MOST_ROWS]
            ),
        )  # fmt: skip
        yield from _more(len(measured))
    missed = [row for row in rows if row.outcome == "not-exercised"]
    if missed:
        yield from ("", f"### {counted(len(missed), 'route')} not measured", "")
        yield from (f"- {code(row.name)}: {text(row.reason or 'no request')}" for row in missed[:_MOST_ROWS])
        yield from _more(len(missed))


def _unmeasured(checks: Iterable[Check]) -> Iterator[str]:
    missed = [each for each in checks if each.outcome == "inconclusive"]
    if missed:
        yield from ("", f"### {counted(len(missed), 'request')} not measured", "")
        yield from (f"- {text(each.reason or each.request)} ({code(each.id)})" for each in missed[:_MOST_ROWS])
        yield from _more(len(missed))


def _more(number: int) -> Iterator[str]:
    if number > _MOST_ROWS:
        yield from ("", f"and {number - _MOST_ROWS:,} more")


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMES:,} more" if len(names) > _MOST_NAMES else ""
    return ", ".join(map(code, names[:_MOST_NAMES])) + more


def text(words: str) -> str:
    """The words as text of one line, whatever characters they have."""
    return _SPECIAL.sub(r"\\\1", printable(words))


def code(words: str) -> str:
    """The words as code, in a cell of a table as well."""
    shown = printable(words).replace("|", "\\|")
    fence = "`" * (1 + max(map(len, re.findall("`+", shown)), default=0))
    space = " " if len(fence) > 1 else ""
    return f"{fence}{space}{shown}{space}{fence}" if shown else ""
