"""What a run, or several that are judged as one, say of a baseline: what is new, known, fixed (pure)."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import Any, NamedTuple

from pytest_noblock.acceptance.baseline import (
    BASELINE,
    MIXED,
    SURELY_OVER,
    WARNED,
    Baseline,
    Entry,
    Seen,
    covers,
    is_mixed,
)
from pytest_noblock.model.identity import FindingIdentity, identity_of, route_name
from pytest_noblock.model.kinds import KINDS
from pytest_noblock.model.measured import is_measured


class Judged(NamedTuple):
    """What a run, or several runs that are judged as one, say of a baseline."""

    new: tuple[FindingIdentity, ...] = ()
    """Findings that nothing accepts, each once."""
    taken_in: tuple[FindingIdentity, ...] = ()
    """Lines beside known ones that are over the limit by themselves, and not so far that they are red: an update takes
    them in."""
    warned: tuple[FindingIdentity, ...] = ()
    """The same, where `action=warn` keeps them from being red."""
    known: tuple[Entry, ...] = ()
    fixed: tuple[Entry, ...] = ()
    """Their route was measured, and nothing of that kind at that place reached half of the limit."""
    not_measured: tuple[Entry, ...] = ()
    expired: tuple[Entry, ...] = ()
    """Entries that are out of date, and whose finding is still there."""

    @property
    def sentence(self) -> str:
        """`2 new, 14 known, 3 fixed, 5 not measured`."""
        counts = [
            f"{len(self.new) + len(self.warned)} new",
            f"{len(self.known)} known",
            f"{len(self.fixed)} fixed",
            f"{len(self.not_measured)} not measured",
        ]
        return ", ".join([*counts, f"{len(self.expired)} expired"] if self.expired else counts)


def judged(baseline: Baseline, reports: Iterable[Mapping[str, Any]], today: date, *, to_the_end: bool = True) -> Judged:
    """Judges JSON reports as one run. It reads `environment`, if there is one, and `checks` of each.

    `to_the_end`: whether all tests ran; of a run that was stopped nothing is said to be fixed.
    """
    new: dict[FindingIdentity, None] = {}
    warned: dict[FindingIdentity, None] = {}
    beside: dict[FindingIdentity, None] = {}
    there: set[Entry] = set()
    measured: set[tuple[str, bool]] = set()
    """Routes, and whether the meter was one that sees everything."""
    for report in reports:
        full = report.get("environment", {}).get("meter") != "portable"
        for check in report["checks"]:
            if is_measured(check["outcome"], check["notes"], check.get("status")):
                measured.add((route_name(check["id"], check["request"], check["route"]), full))
            if check["findings"] or check.get("almost"):
                there |= _look(baseline, check, new, warned)
                beside |= dict.fromkeys(_beside(baseline, check, new, warned))
    found = _sorted_out(baseline, there, measured if to_the_end else set(), new, warned, today)
    return found._replace(taken_in=tuple(each for each in beside if each not in new and each not in warned))


def _look(
    baseline: Baseline,
    check: Mapping[str, Any],
    new: dict[FindingIdentity, None],
    warned: dict[FindingIdentity, None],
) -> set[Entry]:
    """The entries that one check shows; adds what no entry covers, and nothing else accepts."""
    findings, almost = check["findings"], check.get("almost", ())
    seen = [
        Seen(identity_of(check, each), each["code"], is_mixed(each["cpu_ms"], each["asleep_ms"]), each["ms"])
        for each in findings
    ]
    others = [_almost_in(check, each) for each in almost]
    covering, there = baseline.shown_by(seen, others)
    for each, one, entry in zip(findings, seen, covering, strict=True):
        if entry is None and each.get("accepted") in (None, BASELINE):
            new[one.identity] = None
        elif entry is None and each.get("accepted") == WARNED:
            warned[one.identity] = None
    return there


def _almost_in(check: Mapping[str, Any], each: Mapping[str, Any]) -> Seen:
    mixed, part = each["kind"] in MIXED, each.get("part", False)
    return Seen(identity_of(check, each), each["code"], mixed, each["ms"], part, each.get("over", 0.0))


def _beside(
    baseline: Baseline,
    check: Mapping[str, Any],
    new: dict[FindingIdentity, None],
    warned: dict[FindingIdentity, None],
) -> Iterator[FindingIdentity]:
    """The lines beside the longest one that an update takes in; adds those that are new for sure."""
    parts = [_almost_in(check, each) for each in check.get("almost", ()) if each.get("part")]
    for each in baseline.unknown_parts(parts, 1) if parts else ():
        accepted = {one.get("accepted") for one in check["findings"] if one["kind"] == each.identity.kind}
        if each.over < SURELY_OVER and accepted & {None, BASELINE, WARNED}:
            yield each.identity
        elif accepted & {None, BASELINE}:
            new[each.identity] = None
        elif WARNED in accepted:
            warned[each.identity] = None


def _sorted_out(
    baseline: Baseline,
    there: set[Entry],
    measured: set[tuple[str, bool]],
    new: dict[FindingIdentity, None],
    warned: dict[FindingIdentity, None],
    today: date,
) -> Judged:
    known = [each for each in baseline.entries if each in there]
    gone = [each for each in baseline.entries if each not in there]
    fixed = [each for each in gone if _could_be_seen(each.identity, measured)]
    return Judged(
        new=tuple(new),
        warned=tuple(each for each in warned if each not in new),
        known=tuple(each for each in known if not each.expired(today)),
        fixed=tuple(fixed),
        not_measured=tuple(each for each in gone if each not in fixed),
        expired=tuple(each for each in known if each.expired(today)),
    )


def _could_be_seen(entry: FindingIdentity, measured: set[tuple[str, bool]]) -> bool:
    """Whether a run would have shown it: the portable rules do not judge `gil`, a kind of a later version none do."""
    meters = (True,) if entry.kind == "gil" else (True, False)
    return entry.kind in KINDS and any((entry.route, full) in measured for full in meters)


def updated(baseline: Baseline, run: Judged) -> Baseline:
    """The baseline without what is fixed, and with what is new. An entry that stays is not touched."""
    stay = [each for each in baseline.entries if each not in run.fixed]
    added: list[FindingIdentity] = []
    for each in sorted((*run.new, *run.warned, *run.taken_in), key=_order):
        if not any(one.route == each.route and covers(one, Seen(each, None)) for one in added if each.file):
            added.append(each)
    stay += map(Entry, added)
    return Baseline(tuple(sorted(stay, key=lambda entry: _order(entry.identity))))


def _order(each: FindingIdentity) -> tuple[str, ...]:
    return tuple(part or "" for part in each)
