"""What requests of earlier tests left behind, and held a loop of this test with. Pure functions.

The test that made such a request has ended, and no request of this one did it: it is told, and not counted.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping

from pytest_noblock.model.finding import Finding
from pytest_noblock.model.limits import UNSETTLED, Limits
from pytest_noblock.model.observation import Observation
from pytest_noblock.model.segment import Segment
from pytest_noblock.model.units import words

_UNKNOWN = "a request of an earlier test"


def taken_off(observation: Observation) -> tuple[Observation, tuple[Segment, ...]]:
    """The observation without the steps of exchanges that it does not have, and these steps."""
    known = {each.number for each in observation.exchanges}
    strangers = tuple(each for each in observation.segments if each.exchange not in known)
    if not strangers:
        return observation, ()
    own = tuple(each for each in observation.segments if each.exchange in known)
    return observation._replace(segments=own), strangers


def notes(
    observation: Observation, strangers: Iterable[Segment], limits: Limits, relative: Callable[[str], str]
) -> Mapping[int, list[str]]:
    """By number of the exchange that was under way meanwhile: a sentence for each line that broke the limit."""
    from pytest_noblock.judge import grouping
    from pytest_noblock.judge.stalls import breaking, stalls

    told: defaultdict[int, list[str]] = defaultdict(list)
    for number, segments in _by_exchange(strangers).items():
        steps = Observation(observation.meter, observation.exchanges, tuple(segments), slowdown=observation.slowdown)
        broken = breaking(stalls(steps, limits), limits)
        for exchange in dict.fromkeys(each.exchange for each in broken):
            found = [each for each in broken if each.exchange is exchange]
            who = observation.earlier.get(number, _UNKNOWN)
            told[exchange.number] += [
                _sentence(each, exchange.request, who) for each in grouping.findings(found, relative, advised=False)
            ]
    return told


def _by_exchange(segments: Iterable[Segment]) -> Mapping[int, list[Segment]]:
    groups: defaultdict[int, list[Segment]] = defaultdict(list)
    for each in segments:
        groups[each.exchange].append(each)
    return groups


def _sentence(finding: Finding, request: str, who: str) -> str:
    held = f"{finding.kind}, {words(finding.blocked_ns)} at {finding.by}"
    return f"{UNSETTLED}{held}, while {request} was under way: {who} left it behind; not counted"
