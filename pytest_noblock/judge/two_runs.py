"""Which findings the warm-up and the judged run prove together, so that no third run is needed: pure functions."""

from collections.abc import Sequence
from dataclasses import replace

from pytest_noblock.calls.known import known
from pytest_noblock.judge.grouping import key
from pytest_noblock.judge.near import NEAR
from pytest_noblock.model.finding import Finding
from pytest_noblock.model.limits import Limits


def shown_by_warm_up(first: Sequence[Finding], warm_up: Sequence[Finding]) -> list[Finding]:
    """The findings of the first run that the warm-up showed as well. Both runs must be proof by themselves.

    Where no look met it in the first run, for which the `def` stands, it is at the line that the warm-up showed.
    """
    before = {key(each): each for each in reversed(warm_up)}
    known = [(each, before[key(each)]) for each in first if each.file and key(each) in before]
    return [replace(each.at_line_of(other) if _is_unseen(each) else each, confirmed=True) for each, other in known]


def _is_unseen(finding: Finding) -> bool:
    return finding.evidence == "endpoint" and finding.readings is not None and not finding.readings.samples


def shown_twice(first: Sequence[Finding], warm_up: Sequence[Finding], limits: Limits) -> list[Finding]:
    """The findings of the first run, where the warm-up showed each at the same line, so that no third run is needed.

    Both runs must be proof by themselves. Empty where one of the findings is anything but a long computation that looks
    have seen, or what one known call did: of any other sleep, counters may tell that it was a round trip.
    """
    before = {_seen_at(each) for each in warm_up if _is_plain(each, limits)}
    if not all(_is_plain(each, limits) and _seen_at(each) in before for each in first):
        return []
    return [replace(each, confirmed=True) for each in first]


def _is_plain(finding: Finding, limits: Limits) -> bool:
    """Whether counters at every line would tell no more of it."""
    return _is_long_computation(finding, limits) or _is_of_known_call(finding)


def _is_of_known_call(finding: Finding) -> bool:
    """Whether one line did it, in a known call that was recorded or seen: `time.sleep`, `hashlib.scrypt`."""
    if finding.kind == "sync-network":
        return finding.evidence == "call"
    entry = known(finding.call) if finding.call else None
    if entry is None or entry.network or finding.evidence not in ("call", "sample") or finding.parts:
        return False
    return finding.kind == ("cpu" if entry.cpu else "sync-io")


def _is_long_computation(finding: Finding, limits: Limits) -> bool:
    """Whether it burned CPU, on the loop thread or with the GIL, far over the limit: no machine stretches it so far."""
    seen = (finding.kind, finding.evidence) in (("cpu", "sample"), ("gil", "worker"))
    return seen and finding.cpu >= NEAR * limits.max_block


def _seen_at(finding: Finding) -> tuple[object, ...]:
    return finding.kind, finding.phase, finding.file, finding.line, finding.call
