"""What a request did as the first one, where no other run shows what the next one does (pure).

A watched test has one run. So has a request of the fixture that must not be sent again. What a process does once is
taken off its CPU there, and told in a note. Where a request is sent again, the later runs show it.
"""

from collections import Counter
from collections.abc import Iterable, Iterator

from pytest_noblock.model.limits import NOTE_NS, UNSETTLED, Limits
from pytest_noblock.model.observation import Exchange, Observation
from pytest_noblock.model.segment import Segment
from pytest_noblock.model.units import words


def taken_off(observation: Observation) -> Observation:
    """The observation of requests that find all of it done already."""
    return observation._replace(
        segments=tuple(each.without_first_use() if each.first_use else each for each in observation.segments)
    )


def notes(observation: Observation, exchange: Exchange, limits: Limits) -> Iterator[str]:
    """Notes on the first imports of the exchange, and on what else it did once, if they took long enough."""
    own = [segment for segment in observation.segments if segment.exchange == exchange.number]
    imported = sum(segment.imported for segment in own)
    if imported >= NOTE_NS:
        yield _imports(f"imports, {words(imported)}{_modules(own)}", sum(each.imported_again for each in own), limits)
    done: Counter[str] = Counter()
    for segment in own:
        for what, cpu in segment.first_uses:
            done[what] += cpu
    if done.total() >= NOTE_NS:
        (most, _cpu), *_ = done.most_common(1)
        more = f" and {len(done) - 1} more" if len(done) > 1 else ""
        told = f"{most}{more}, {words(done.total())} of CPU"
        if done.total() >= limits.max_block and _is_usual(observation, exchange, most):
            yield f"{UNSETTLED}{told}, taken off as a first time, and another {exchange.request} had one as well"
        else:
            yield f"cold: {told}, the first time only"


def _imports(what: str, again: int, limits: Limits) -> str:
    """A module is taken out of `sys.modules` by a test, or by each request."""
    if again >= limits.max_block:
        return f"{UNSETTLED}{what}, as in a request of an earlier test; imports are not counted"
    return f"cold: {what}, as in a request of an earlier test" if again else f"cold: {what}, the first time only"


def _modules(segments: Iterable[Segment]) -> str:
    """` (shop.prices and 2 more)`: a module that is imported lazily (Python 3.15) has no statement in the endpoint."""
    took: Counter[str] = Counter()
    for segment in segments:
        for module, wall in segment.modules:
            took[module] += wall
    if not took:
        return ""
    (most, _wall), *others = took.most_common()
    return f" ({most} and {len(others)} more)" if others else f" ({most})"


def _is_usual(observation: Observation, exchange: Exchange, what: str) -> bool:
    """Whether another request of the same route did another piece of the same sort of work for the first time."""
    others = {
        each.number
        for each in observation.exchanges
        if each.number != exchange.number and (each.method, each.route) == (exchange.method, exchange.route)
    }
    done = (other for segment in observation.segments if segment.exchange in others for other, _ in segment.first_uses)
    return any(_sort(other) == _sort(what) for other in done)


def _sort(what: str) -> list[str]:
    """`the pattern`, of `the pattern a|b`."""
    return what.split()[:2]


def imported_again(observation: Observation, exchange: Exchange, limits: Limits) -> Iterator[str]:
    """A note where a request still imports although one like it was answered before: each may import a new module."""
    own = [segment for segment in observation.segments if segment.exchange == exchange.number]
    imported = sum(segment.imported for segment in own)
    if imported >= limits.max_block:
        yield (
            f"{UNSETTLED}imports, {words(imported)}{_modules(own)}, in a request that is not the first of its path; "
            "imports are not counted"
        )
