"""Joins what one exchange ran in one turn of the loop: pure functions.

Between two polls of the selector nobody else gets a turn, whatever ran in between. So the steps of one request in one
turn hold the loop together: six pieces of a `gather` that take 25 ms each hold it for 150 ms. What several exchanges
hold together is for `shared_turns` to say.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from pytest_noblock.model.observation import Exchange, Phase
from pytest_noblock.model.segment import LineCost, Segment


class Turn(NamedTuple):
    """What one exchange ran in one turn of the loop, in one phase."""

    segment: Segment
    """All pieces as one segment."""
    pieces: Sequence[Segment]
    """In order of time; one, where nothing had to be joined."""


_Key = tuple[int, Phase | None, int]


def turns(segments: Iterable[Segment], exchanges: Mapping[int, Exchange]) -> list[Turn]:
    """The segments, joined by exchange, phase and turn. A segment whose turn is not known stays alone."""
    groups: defaultdict[_Key, list[Segment]] = defaultdict(list)
    for number, segment in enumerate(segments):
        exchange = exchanges.get(segment.exchange)
        phase = exchange.phase_at(segment.began) if exchange is not None else None
        groups[segment.exchange, phase, segment.turn or -number].append(segment)
    return [Turn(joined(pieces), pieces) for pieces in groups.values()]


def joined(pieces: Sequence[Segment]) -> Segment:
    """The pieces as one segment: counters are added up, samples and calls stand one after the other."""
    first, *others = pieces
    if not others:
        return first
    began, ended = first.began, max(piece.ended for piece in pieces)
    added = {name: _added([getattr(piece, name) for piece in pieces]) for name in _ADDED}
    mine = sum(piece.wall - _unexplained(piece) for piece in pieces)
    return first._replace(**added, ended=ended, lines=_lines(pieces), elsewhere=ended - began - mine)


_ADDED = set(Segment._fields) - {"exchange", "began", "ended", "turn", "elsewhere", "lines"}  # noqa: SLF001  # public
"""Fields that are numbers to add up, tuples to join, or a yes or no that must hold of all pieces."""
_ADDED_OF_LINES = set(LineCost._fields) - {"frame", "stack"}  # noqa: SLF001  # public


def _added(values: Sequence[Any]) -> Any:
    """None where one piece does not know the number; a yes or no is yes where it is yes of every piece."""
    if isinstance(values[0], bool):
        return all(values)
    if isinstance(values[0], tuple):
        return tuple(each for value in values for each in value)
    return None if None in values else sum(values)


def _unexplained(piece: Segment) -> int:
    """Ns of a piece that no clock explains: it never went to sleep. Beside a piece that did they must not look so."""
    if piece.queued is None or piece.switches:
        return 0
    return max(0, piece.wall - piece.cpu - piece.collected - piece.queued)


def _lines(pieces: Iterable[Segment]) -> tuple[LineCost, ...]:
    """What each line cost in all pieces together."""
    lines: dict[tuple[str, int, str], LineCost] = {}
    for line in (line for piece in pieces for line in piece.lines):
        key = line.frame.file, line.frame.line, line.frame.function
        lines[key] = _both(lines[key], line) if key in lines else line
    return tuple(lines.values())


def _both(one: LineCost, other: LineCost) -> LineCost:
    costs = {name: getattr(one, name) + getattr(other, name) for name in _ADDED_OF_LINES}
    better = one if one.stack else other
    return better._replace(**costs)
