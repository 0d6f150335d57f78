"""The picture of a stall: the request, what held the loop, the probes that waited, the background tasks (pure).

A row for each, of one SVG that is stretched to the width of the window; times and names are text beside it, so that
they stay readable at every width. Where no style applies, the shapes have colours of their own.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from pytest_noblock.model.check import Check
from pytest_noblock.model.observation import Exchange, Phase
from pytest_noblock.model.shown import without_secrets
from pytest_noblock.model.units import words
from pytest_noblock.report.page.parts import esc

_WIDTH = 1000
_THINNEST = 3
"""A stall of 10 ms in a request of 10 s is seen all the same."""
_MOST_PATHS = 4
_MOST_PROBES = 60
_MOST_STALLS = 40
_MOST_TASKS = 8
_MOST_STEPS = 12
"""So many probes are drawn below each other; the next one begins at the top again."""
_LOW = 25
"""From so many of 100 parts down a shape needs a taller row."""
_MARKS = 4
"""Parts of the scale."""


class Shape(NamedTuple):
    """A bar from one moment to another, in ns since the request was sent."""

    began: int
    ended: int
    style: str
    title: str = ""
    top: int = 0
    """Of the 100 parts of its row's height."""
    height: int = 100


class Lane(NamedTuple):
    name: str
    shapes: Sequence[Shape]


_FILL = {"wait": "#bbb", "response": "#789", "after": "#ddd", "probe": "#bbb", "waited": "#c33", "task": "#58a"}
"""Colours without a style sheet; a stall has red."""


def figure(check: Check) -> str:
    """The picture; empty where the times of the request are not known."""
    if check.exchange is None:
        return ""
    lanes = [lane for lane in _lanes(check, check.exchange) if lane.shapes]
    length = max((shape.ended for lane in lanes for shape in lane.shapes), default=0)
    if length <= 0:
        return ""
    rows = "".join(_row(lane, length) for lane in lanes)
    marks = "".join(f"<span>{words(length * mark // _MARKS) if mark else '0'}</span>" for mark in range(_MARKS + 1))
    label = f"timeline of {check.request}, {words(length)} long"
    return f'<div class="time" role="group" aria-label="{esc(label)}">{rows}<div class="axis">{marks}</div></div>'


def _row(lane: Lane, length: int) -> str:
    shapes = "".join(_paths(lane.shapes, length))
    tall = 28 if any(shape.height < _LOW for shape in lane.shapes) else 14
    svg = f'<svg viewBox="0 0 {_WIDTH} 100" preserveAspectRatio="none" width="100%" height="{tall}">{shapes}</svg>'
    return f'<div class="lane"><span>{esc(lane.name)}</span>{svg}</div>'


def _paths(shapes: Iterable[Shape], length: int) -> Iterator[str]:
    """One path for neighbours that look the same."""
    for (style, title), alike in groupby(shapes, key=lambda shape: (shape.style, shape.title)):
        drawn = "".join(_bar(shape, length) for shape in alike)
        shown = f"><title>{esc(title)}</title></path>" if title else "/>"
        yield f'<path class="{esc(style)}" fill="{_FILL.get(style, "#c33")}" d="{drawn}"{shown}'


def _bar(shape: Shape, length: int) -> str:
    left = _WIDTH * max(0, shape.began) // length
    width = max(_THINNEST, _WIDTH * min(shape.ended, length) // length - left)
    left = min(left, _WIDTH - width)
    return f"M{left} {shape.top}h{width}v{shape.height}h-{width}z"


def _lanes(check: Check, exchange: Exchange) -> Iterator[Lane]:
    yield Lane("request", list(_request(exchange)))
    held = _held(check, exchange.sent)
    yield Lane("held", [shape for shape in held if not shape.style.startswith("off ")])
    yield Lane("kept waiting", [shape for shape in held if shape.style.startswith("off ")])
    paths = dict.fromkeys(probe.path for probe in check.probe_runs)
    for path in list(paths)[:_MOST_PATHS]:
        yield Lane(_name_of(path), list(_probes(check, path, exchange.sent)))
    for task in check.background[:_MOST_TASKS]:
        if task.began_ms is not None:
            ended = task.began_ms if task.ended_ms is None else task.ended_ms
            bar = Shape(_ns(task.began_ms), _ns(ended), "task", f"{task.began_ms:.1f} to {ended:.1f} ms")
            yield Lane(f"task {task.name}", [bar])


def _request(exchange: Exchange) -> Iterator[Shape]:
    began = 0
    for style, what, moment in (
        ("wait", "until the response began", exchange.started),
        ("response", "the response was sent", exchange.completed),
        ("after", "after the response, until the app returned", exchange.returned),
    ):
        if moment is not None and moment - exchange.sent > began:
            ended = moment - exchange.sent
            yield Shape(began, ended, style, f"{what}: {words(began)} to {words(ended)}")
            began = ended


_OFF_LOOP = ("pool-starved", "contention")
"""Kinds in which the loop was free."""


def _held(check: Check, sent: int) -> list[Shape]:
    found = []
    for finding in check.findings:
        style = f"off {finding.kind}" if finding.kind in _OFF_LOOP else finding.kind
        where = f" ({finding.phase})" if finding.phase is not Phase.HANDLER else ""
        for began, ended in finding.stalls[:_MOST_STALLS]:
            title = f"{finding.kind}{where} {words(ended - began)}, {finding.place}"
            found.append(Shape(began - sent, ended - sent, style, title))
    return sorted(found)


def _probes(check: Check, path: str, sent: int) -> Iterator[Shape]:
    """Those that waited for a stall below each other, since they waited at the same time."""
    longest = sorted((each for each in check.probe_runs if each.path == path), key=lambda probe: -probe.waited)
    runs = sorted(longest[:_MOST_PROBES], key=lambda probe: probe.due)
    stalls = [stall for finding in check.findings for stall in finding.stalls]
    waited = [probe for probe in runs if any(began <= probe.due < ended <= probe.answered for began, ended in stalls)]
    yield from (Shape(each.due - sent, each.answered - sent, "probe") for each in runs if each not in waited)
    height = 100 // max(1, min(len(waited), _MOST_STEPS))
    for number, each in enumerate(waited):
        top = height * (number % _MOST_STEPS)
        yield Shape(each.due - sent, each.answered - sent, "waited", top=top, height=height)


def _name_of(path: str) -> str:
    return f"probes {without_secrets(path)}" if path.startswith("/") else f"turns of {path}"


def _ns(ms: float) -> int:
    return round(ms * 1_000_000)
