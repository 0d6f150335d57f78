"""The baseline: a list of known findings that can only shrink (pure: no file is opened, no clock is read).

An entry is the identity of a finding. Which findings it covers is wider than equality, because what a look at the stack
names differs from run to run: see `covers`. So is what keeps an entry in the list: a finding that came out under the
limit this time is not gone (`almost` of a check), it has to stay under half of the limit.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from typing import Any, NamedTuple

from pytest_noblock.calls.known import known
from pytest_noblock.model.check import Check, with_findings
from pytest_noblock.model.finding import Finding
from pytest_noblock.model.frames import Frame
from pytest_noblock.model.identity import FindingIdentity, identity, route_name
from pytest_noblock.model.kinds import KINDS
from pytest_noblock.model.units import words

BASELINE = "baseline"
"""What a known finding carries as `accepted`."""
WARNED = "action=warn"
"""What a finding carries that is red but for the action: a baseline takes it in."""

_BY_LOOKS = ("cpu", "gil")
"""Kinds whose call is what most looks at the stack show: another line of the same function in the next run."""
_ALIKE = 1.5
"""Two lines of one step of which one took at most so many times longer take turns at being the longest."""
SURELY_OVER = 1.5
"""So many times the limit must a line of a step take by itself to be new beside a known one. An update takes it in from
once the limit on, so that what is there does not become new by itself."""
MIXED = ("cpu", "sync-io")
_DEFINITIONS = ("def ", "async def ", "@", "class ")
"""How the code of a line begins that only stands for what nobody saw."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the file."""

    identity: FindingIdentity
    reason: str | None = None
    expires: date | None = None
    """The last day on which the finding is accepted."""
    others: tuple[tuple[str, Any], ...] = field(default=(), compare=False)
    """The user's own keys, in their order."""

    def expired(self, today: date) -> bool:
        return self.expires is not None and self.expires < today


class Seen(NamedTuple):
    """What a run saw, as far as entries ask."""

    identity: FindingIdentity
    code: str | None
    mixed: bool = False
    """Whether it computed and slept, so that the next run may call it by the other kind."""
    ms: float = 0.0
    part: bool = False
    over: float = 0.0
    """See `Almost`."""

    @property
    def line_is_known(self) -> bool:
        """False where no line was caught, a `def` stands for one, or looks at a computation show a call that waits."""
        if self.identity.file is None:
            return False
        if self.identity.kind == "cpu" and (call := known(self.identity.call)) is not None and not call.cpu:
            return False
        return self.identity.call is not None or not self._at_definition

    @property
    def _at_definition(self) -> bool:
        return self.code is not None and self.code.startswith(_DEFINITIONS)

    @property
    def call_may_differ(self) -> bool:
        return self.identity.kind in _BY_LOOKS and not self._at_definition


@dataclass(frozen=True)
class Baseline:
    """The known findings."""

    entries: tuple[Entry, ...] = ()

    def accepting(self, check: Check, today: date) -> Check:
        """The check with each known finding accepted. A finding whose entry has expired says so, and stays red."""
        if not check.findings or not self.entries:
            return check
        almost = list(_almost_of(check))
        covering = self._covering(
            [Seen(each.identity, each.code, is_mixed(each.cpu, each.asleep), each.ms) for each in check.findings],
            almost,
        )
        new = self.unknown_parts(almost, SURELY_OVER)
        known = (_known(*pair, today) for pair in zip(check.findings, covering, strict=True))
        return with_findings(check, [_with_new_beside(each, new) if new else each for each in known])

    def unknown_parts(self, almost: Iterable[Seen], over: float) -> list[Seen]:
        """The lines that are so many times over the limit by themselves, and that no entry covers."""
        found = (each for each in almost if each.part and each.over >= over)
        return [each for each in found if self._entry_for(each) is None and self._by_swap(each) is None]

    def _covering(self, seen: Sequence[Seen], almost: Sequence[Seen]) -> list[Entry | None]:
        """The entry that covers each of what one request showed; None for what is new.

        First those whose line is known. An entry that one of them needed is not at hand for what has no line. Then
        those of which a known line had the same share, so that it may be the longest in the next run.
        """
        found = [self._entry_for(each) if each.line_is_known else None for each in seen]
        for place, each in enumerate(seen):
            if not each.line_is_known:
                found[place] = next((entry for entry in self._like(each) if entry not in found), None)
        pairs = zip(seen, found, strict=True)
        return [entry or self._by_share(one, almost) or self._by_swap(one) for one, entry in pairs]

    def _by_swap(self, seen: Seen) -> Entry | None:
        """Of a step that computes here and sleeps there: both are known, and the looks took one line for the other."""
        kind, route, file, function, _call = seen.identity
        others = [each for each in self._of_route.get(route, ()) if kind in MIXED and each.identity.kind in MIXED]
        here = any(each.identity.kind != kind and each.identity[2:4] == (file, function) for each in others)
        return next((each for each in others if here and each.identity.kind == kind), None)

    def _by_share(self, seen: Seen, almost: Sequence[Seen]) -> Entry | None:
        """Of a step whose longest line is another one this time, and where that line alone is no finding for sure."""
        shared = [each for each in almost if each.part and each.identity.kind == seen.identity.kind]
        own = next((each for each in shared if each.identity == seen.identity), seen)
        if own.over >= SURELY_OVER:
            return None
        known = (self._entry_for(each) for each in shared if each is not own and _ALIKE * each.ms >= own.ms)
        return next((entry for entry in known if entry is not None), None)

    def _entry_for(self, seen: Seen) -> Entry | None:
        """The entry with the same identity, else one that covers it."""
        like = list(self._like(seen))
        return next((each for each in like if each.identity == seen.identity), like[0] if like else None)

    def _like(self, seen: Seen) -> Iterator[Entry]:
        return (each for each in self._of_route.get(seen.identity.route, ()) if covers(each.identity, seen))

    @cached_property
    def _of_route(self) -> dict[str, list[Entry]]:
        known: dict[str, list[Entry]] = {}
        for each in self.entries:
            known.setdefault(each.identity.route, []).append(each)
        return known

    def shown_by(self, seen: Sequence[Seen], almost: Sequence[Seen]) -> tuple[list[Entry | None], set[Entry]]:
        """The entry of each finding of one request, and all entries that this request keeps in the list.

        An entry without a line stays as long as anything of its kind is there.
        """
        covering = self._covering(seen, almost)
        kinds = {each.identity.kind for each in (*seen, *almost)}
        there = {each for each in covering if each is not None}
        for each in almost:
            there.update(self._like(each))
        for one in (*seen, *almost):
            there.update(
                each
                for each in self._of_route.get(one.identity.route, ())
                if each.identity.file is None and each.identity.kind in kinds
            )
        return covering, there


def _almost_of(check: Check) -> Iterator[Seen]:
    route = route_name(check.id, check.request, check.route)
    for each in check.almost:
        one = identity(each.kind, route, each.file, each.function, each.call)
        yield Seen(one, each.code, each.kind in MIXED, each.ms, each.part, each.over)


def _with_new_beside(finding: Finding, new: Sequence[Seen]) -> Finding:
    """A known finding stays red where a line that shared in it is too long by itself, and new."""
    if finding.accepted != BASELINE:
        return finding
    for each in new:
        part = next((one for one in finding.parts if _is_of(one.frame, each, finding)), None)
        if part is not None:
            place = f"{part.frame.file}:{part.frame.line} in {part.frame.written_in}"
            said = f"{words(part.blocked_ns)} of it by {place}, which the baseline does not know"
            return replace(finding, accepted=None, beside=said)
    return finding


def _is_of(frame: Frame, seen: Seen, finding: Finding) -> bool:
    return identity(finding.kind, finding.route, frame.file, frame.written_in, frame.call) == seen.identity


def is_mixed(cpu: float, asleep: float) -> bool:
    return 2 * min(cpu, asleep) >= max(cpu, asleep) > 0


def covers(entry: FindingIdentity, seen: Seen) -> bool:
    """Whether it is the finding of the entry; the route is the same.

    * What computed and slept is of the kind of its larger part, which may be the smaller one in the next run.
    * A round trip sleeps for its answer: where the trip itself was not seen, `sync-io` is left of it.
    * Most of many workers may sit here in one run and there in the next: of a full pool only the route counts.
    * Where no line was caught, any entry of its kind may be meant.
    * Of `cpu` and `gil` the function counts, not the line; and no call covers any.
    """
    mine = seen.identity
    row = KINDS.get(mine.kind)  # type: ignore[call-overload]  # a later version may know more kinds
    may_be = {mine.kind, row.part_of if row is not None else None, *(MIXED if seen.mixed else ())}
    if entry.kind not in may_be:
        return False
    if not seen.line_is_known or (row is not None and row.identity == "pool"):
        return True
    if (mine.file, mine.function) != (entry.file, entry.function):
        return False
    return mine.call == entry.call or mine.call is None or entry.call is None or seen.call_may_differ


def _known(finding: Finding, entry: Entry | None, today: date) -> Finding:
    if entry is None or finding.accepted is not None:
        return finding
    if entry.expired(today):
        return replace(finding, expired=str(entry.expires))
    return replace(finding, accepted=BASELINE)
