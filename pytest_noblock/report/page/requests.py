"""The requests, each with its picture; those that passed stand behind a fold (pure)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from pytest_noblock.model.check import Check
from pytest_noblock.model.observation import LIFESPAN
from pytest_noblock.model.units import words
from pytest_noblock.report.page import lines, parts, timeline
from pytest_noblock.report.page.parts import badge, details, esc
from pytest_noblock.report.routes import WORST_FIRST
from pytest_noblock.report.totals import counted

_MOST_BYTES = 490_000
_MOST_OF_PASSED = 40_000

_KEY = (
    ("wait", "until the response began"),
    ("response", "the response was sent"),
    ("after", "until the app returned"),
    ("step", "the request runs on the loop"),
    ("stall", "others had to wait"),
    ("probe", "a probe"),
    ("waited", "a probe that waited for a stall"),
    ("task", "a background task"),
)


def pictures(checks: Iterable[Check], numbers: Mapping[tuple[str, str | None, int | None], int]) -> str:
    """`numbers`: see `lines.numbers`."""
    worst_first = sorted(checks, key=_badness)
    shown = [check for check in worst_first if check.outcome in ("failed", "accepted", "inconclusive")]
    passed = [check for check in worst_first if check.outcome == "passed" and check.exchange is not None]
    bodies = parts.within((_article(each, numbers) for each in shown), _MOST_BYTES, "requests")
    quiet = parts.within((_article(each, numbers) for each in passed), _MOST_OF_PASSED, "requests that passed")
    folded = details(f"{len(passed):,} that passed", quiet) if passed else ""
    return parts.section("requests", "Requests", _key(), bodies, folded) if shown or passed else ""


def _badness(check: Check) -> tuple[int, int]:
    longest = max((finding.blocked_ns for finding in check.findings), default=0)
    return WORST_FIRST.index(check.outcome), -longest


def _key() -> str:
    """What the colours mean."""
    items = "".join(f'<li><span class="swatch {style}"></span>{esc(what)}</li>' for style, what in _KEY)
    return f'<ul class="key">{items}</ul>'


def _article(check: Check, numbers: Mapping[tuple[str, str | None, int | None], int]) -> str:
    name = "the app's start and stop" if check.request == LIFESPAN else check.request
    said = f"<p>{esc(check.reason)}</p>" if check.reason else ""
    capacity = f"<p>{esc(check.capacity)}</p>" if check.capacity else ""
    return (
        f'<article class="item"><h3>{esc(name)}</h3>{badge(check.outcome)} <span class="of">{esc(_of(check))}</span>'
        f"{said}{_findings(check, numbers)}{timeline.figure(check)}{capacity}{_notes(check.notes)}</article>\n"
    )


def _of(check: Check) -> str:
    held = f", held the loop {words(check.loop_ns)} in all" if check.loop_ns else ""
    return f"{check.id}: {_response(check)}{held}"


def _response(check: Check) -> str:
    exchange = check.exchange
    if exchange is None or exchange.started is None or exchange.completed is None:
        return words(check.duration)
    began, ended = words(exchange.started - exchange.sent), words(exchange.completed - exchange.sent)
    return f"response at {began}" if began == ended else f"response from {began} to {ended}"


def _findings(check: Check, numbers: Mapping[tuple[str, str | None, int | None], int]) -> str:
    items = "".join(f"<li>{each}</li>" for each in _told(check, numbers))
    return f"<ul>{items}</ul>" if items else ""


def _told(check: Check, numbers: Mapping[tuple[str, str | None, int | None], int]) -> Iterator[str]:
    for finding in check.findings:
        number = numbers.get((finding.kind, finding.file, finding.line))
        text = f"{finding.kind}, {words(finding.blocked_ns)}, {finding.place}"
        yield esc(text) if number is None else parts.link(lines.anchor(number), text)


def _notes(notes: Sequence[str]) -> str:
    return details(counted(len(notes), "note"), "".join(f"<p>{esc(note)}</p>" for note in notes)) if notes else ""
