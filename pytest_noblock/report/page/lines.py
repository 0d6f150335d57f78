"""The findings, by line of code: what is wrong, where, and what to write instead (pure)."""

from collections.abc import Iterator, Mapping, Sequence

from pytest_noblock.model.finding import Finding
from pytest_noblock.report.finding_rows import finding_rows
from pytest_noblock.report.grouped import Entry
from pytest_noblock.report.page import parts
from pytest_noblock.report.page.parts import badge, code, details, esc, link, names
from pytest_noblock.report.places import short
from pytest_noblock.report.totals import counted

_MOST_FIRST = 5
_MOST_NAMES = 10
_MOST_BYTES = 310_000


def first(entries: Sequence[Entry]) -> str:
    """What must be looked at first."""
    to_mend = [entry for entry in entries if entry.accepted is None]
    rows = [
        f"<li>{link(anchor(number), entry.headline)}<br>{code(entry.finding.by)}{_source(entry.finding)}</li>"
        for number, entry in enumerate(to_mend[:_MOST_FIRST])
    ]
    more = len(to_mend) - len(rows)
    rest = f"<p>{link('lines', f'{more:,} more')}</p>" if more > 0 else ""
    return parts.section("first", "Look at this first", f"<ol>{''.join(rows)}</ol>{rest}") if rows else ""


def anchor(number: int) -> str:
    """The id of the line with this number, counted from 0 in the order of the page."""
    return f"line-{number + 1}"


def by_line(entries: Sequence[Entry]) -> str:
    """Every line with its source."""
    pieces = (_article(number, entry) for number, entry in enumerate(entries))
    return parts.section("lines", "Findings by line", parts.within(pieces, _MOST_BYTES, "lines")) if entries else ""


def numbers(entries: Sequence[Entry]) -> Mapping[tuple[str, str | None, int | None], int]:
    """The number of each line on the page, by kind, file and line."""
    return {(each.finding.kind, each.finding.file, each.finding.line): number for number, each in enumerate(entries)}


def _article(number: int, entry: Entry) -> str:
    finding = entry.finding
    accepted = f"{badge('accepted')} <p>accepted: {esc(entry.accepted)}</p>" if entry.accepted is not None else ""
    return (
        f'<article id="{anchor(number)}" class="item"><h3>{esc(finding.place)}</h3>{badge(finding.kind)} {accepted}'
        f"<p>{esc(entry.headline)}</p>{_source(finding)}<dl>{''.join(_rows(entry))}</dl>{_more(entry)}</article>\n"
    )


def _source(finding: Finding) -> str:
    return f"<pre>{code(finding.code)}</pre>" if finding.code else ""


def _rows(entry: Entry) -> Iterator[str]:
    for name, text in finding_rows(entry.check, entry.finding):
        if name not in ("by", "code"):
            yield f"<dt>{esc(name)}</dt><dd>{code(text) if name == 'accept' else esc(text)}</dd>"


def _more(entry: Entry) -> str:
    tests, routes = entry.tests, entry.routes
    several = f"seen {len(entry.all):,} times: {counted(len(routes), 'route')}, {counted(len(tests), 'test')}"
    if len(entry.all) == 1:
        seen = f'<p class="of">{esc(routes[0])} in {esc(tests[0])}</p>'
    else:
        seen = details(several, names(routes, _MOST_NAMES) + names(tests, _MOST_NAMES))
    stack = [f"{short(each.file)}:{each.line} in {each.function}" for each in entry.finding.stack[:30]]
    return seen + (details("its stack, innermost first", names(stack, len(stack))) if stack else "")
