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
from pytest_noblock.model.units import nanoseconds, words
from pytest_noblock.report.page.parts import esc

_WIDTH = 1000
_THINNEST = 3
"""A stall of 10 ms in a request of 10 s is seen all the same."""
_MOST_PATHS = 4
_MOST_PROBES = 60
_MOST_STALLS = 40
_MOST_TASKS = 8
_STEPS = 12
"""The height of a row, in units of its own. So many probes are drawn below each other; the next begins at the top."""
_HEIGHT = 14
"""Pixels."""
_FEW = 4
_CALM = ("step", "wait", "response", "after", "probe", "task")
"""Styles of what held up nobody."""
_LOW = 3
"""Below this height a shape needs a taller row."""
_MARKS = 4
"""Parts of the scale."""


class Shape(NamedTuple):
    """A bar from one moment to another, in ns since the request was sent."""

    began: int
    ended: int
    style: str
    title: str = ""
    top: int = 0
    height: int = _STEPS


class Lane(NamedTuple):
    name: str
    shapes: Sequence[Shape]


_RED = "#c33"
"""What held up others has this colour where no style sheet applies; all else is black there."""


def figure(check: Check) -> str:
    """The picture; empty where the times of the request are not known."""
    if check.exchange is None:
        return ""
    lanes = [lane for lane in _lanes(check, check.exchange) if lane.shapes]
    length = max((shape.ended for lane in lanes for shape in lane.shapes), default=0)
    if length <= 0:
        return ""
    rows = "".join(_row(lane, length) for lane in lanes)
    marks = "".join(f"<i>{_mark(length * mark // _MARKS)}</i>" for mark in range(_MARKS + 1))
    return f'<div class="time">{rows}<p class="axis">{marks}</p></div>'


def _mark(moment: int) -> str:
    """A time on the scale; its begin needs no unit."""
    return words(moment) if moment else "0"


def _row(lane: Lane, length: int) -> str:
    few = len(lane.shapes) <= _FEW and all(shape.height == _STEPS for shape in lane.shapes)
    svg = _bars(lane.shapes, length) if few else _stretched(lane.shapes, length)
    return f'<div class="lane">{esc(lane.name)}{svg}</div>'


def _bars(shapes: Iterable[Shape], length: int) -> str:
    """A few bars by their share of the width: that takes fewest bytes."""
    bars = "".join(_bar(shape, length) for shape in shapes)
    return f'<svg width="100%" height="{_HEIGHT}">{bars}</svg>'


def _bar(shape: Shape, length: int) -> str:
    left, width = _place(shape, length)
    x = f' x="{left / 10:g}%"' if left else ""
    size = f'{x} width="{width / 10:g}%" height="{_HEIGHT}"'
    return f'<rect class="{esc(shape.style)}"{_fill(shape)}{size}{_end(shape, "rect")}'


def _stretched(shapes: Sequence[Shape], length: int) -> str:
    """Many bars: one path for all that look the same, in a picture that is stretched."""
    tall = 2 * _HEIGHT if any(shape.height < _LOW for shape in shapes) else _HEIGHT
    paths = []
    for _, alike in groupby(shapes, key=lambda shape: (shape.style, shape.title)):
        bars = list(alike)
        drawn = "".join(_piece(shape, length) for shape in bars)
        paths.append(f'<path class="{esc(bars[0].style)}"{_fill(bars[0])} d="{drawn}"{_end(bars[0], "path")}')
    size = f'viewBox="0 0 {_WIDTH} {_STEPS}" preserveAspectRatio="none" width="100%" height="{tall}"'
    return f"<svg {size}>{''.join(paths)}</svg>"


def _piece(shape: Shape, length: int) -> str:
    left, width = _place(shape, length)
    return f"M{left} {shape.top}h{width}v{shape.height}h-{width}z"


def _place(shape: Shape, length: int) -> tuple[int, int]:
    """Left edge and width, in thousandths of the row's width."""
    left = _WIDTH * max(0, shape.began) // length
    width = max(_THINNEST, _WIDTH * min(shape.ended, length) // length - left)
    return min(left, _WIDTH - width), width


def _fill(shape: Shape) -> str:
    return f' fill="{_RED}"' if shape.style not in _CALM else ""


def _end(shape: Shape, tag: str) -> str:
    return f"><title>{esc(shape.title)}</title></{tag}>" if shape.title else "/>"


def _lanes(check: Check, exchange: Exchange) -> Iterator[Lane]:
    yield Lane("request", list(_request(exchange)))
    held = _held(check, exchange.sent)
    steps = [Shape(began - exchange.sent, ended - exchange.sent, "step") for began, ended in _steps(check)]
    yield Lane("on the loop", [*steps, *(shape for shape in held if not shape.style.startswith("off "))])
    yield Lane("kept waiting", [shape for shape in held if shape.style.startswith("off ")])
    paths = dict.fromkeys(probe.path for probe in check.probe_runs)
    for path in list(paths)[:_MOST_PATHS]:
        yield Lane(_name_of(path), list(_probes(check, path, exchange.sent)))
    for task in check.background[:_MOST_TASKS]:
        if task.began_ms is not None:
            ended = task.began_ms if task.ended_ms is None else task.ended_ms
            bar = Shape(nanoseconds(task.began_ms), nanoseconds(ended), "task")
            yield Lane(f"task {task.name}", [bar])


def _request(exchange: Exchange) -> Iterator[Shape]:
    began = 0
    for style, moment in (
        ("wait", exchange.started),
        ("response", exchange.completed),
        ("after", exchange.returned),
    ):
        if moment is not None and moment - exchange.sent > began:
            ended = moment - exchange.sent
            yield Shape(began, ended, style)
            began = ended


_OFF_LOOP = ("pool-starved", "contention")
"""Kinds in which the loop was free."""


def _held(check: Check, sent: int) -> list[Shape]:
    found = []
    several = len(check.findings) > 1 or any(len(finding.stalls) > 1 for finding in check.findings)
    for finding in check.findings:
        style = f"off {finding.kind}" if finding.kind in _OFF_LOOP else finding.kind
        where = f" ({finding.phase})" if finding.phase is not Phase.HANDLER else ""
        for began, ended in finding.stalls[:_MOST_STALLS]:
            title = f"{finding.kind}{where} {words(ended - began)}, {finding.place}" if several or where else ""
            found.append(Shape(began - sent, ended - sent, style, title))
    return sorted(found)


def _steps(check: Check) -> list[tuple[int, int]]:
    """The longest, in order of time."""
    return sorted(sorted(check.steps, key=lambda step: step[0] - step[1])[:_MOST_STALLS])


def _probes(check: Check, path: str, sent: int) -> Iterator[Shape]:
    """Those that waited for a stall below each other, since they waited at the same time."""
    longest = sorted((each for each in check.probe_runs if each.path == path), key=lambda probe: -probe.waited)
    runs = sorted(longest[:_MOST_PROBES], key=lambda probe: probe.due)
    stalls = [stall for finding in check.findings for stall in finding.stalls]
    waited = [probe for probe in runs if any(began <= probe.due < ended <= probe.answered for began, ended in stalls)]
    yield from (Shape(each.due - sent, each.answered - sent, "probe") for each in runs if each not in waited)
    height = _STEPS // max(1, min(len(waited), _STEPS))
    for number, each in enumerate(waited):
        top = height * (number % (_STEPS // height))
        yield Shape(each.due - sent, each.answered - sent, "waited", top=top, height=height)


def _name_of(path: str) -> str:
    return f"probes {without_secrets(path)}" if path.startswith("/") else f"turns of {path}"
