"""What a request did as the first one, where no other run shows what the next one does (pure).

A watched test has one run. So has a request of the fixture that must not be sent again. What a process does once is
taken off its CPU there, and told in a note. Where a request is sent again, the later runs show it.
"""

from collections import Counter
from collections.abc import Iterator

from pytest_noblock.model.limits import NOTE_NS
from pytest_noblock.model.observation import Exchange, Observation
from pytest_noblock.model.units import words


def taken_off(observation: Observation) -> Observation:
    """The observation of requests that find all of it done already."""
    return observation._replace(
        segments=tuple(each.without_first_use() if each.first_use else each for each in observation.segments)
    )


def notes(observation: Observation, exchange: Exchange) -> Iterator[str]:
    """Notes on the first imports of the exchange, and on what else it did once, if they took long enough."""
    own = [segment for segment in observation.segments if segment.exchange == exchange.number]
    imported = sum(segment.imported for segment in own)
    if imported >= NOTE_NS:
        yield f"cold: imports, {words(imported)}, the first time only"
    done: Counter[str] = Counter()
    for segment in own:
        for what, cpu in segment.first_uses:
            done[what] += cpu
    if done.total() >= NOTE_NS:
        (most, _cpu), *_ = done.most_common(1)
        more = f" and {len(done) - 1} more" if len(done) > 1 else ""
        yield f"cold: {most}{more}, {words(done.total())} of CPU, the first time only"
