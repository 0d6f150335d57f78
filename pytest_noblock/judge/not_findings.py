"""What was seen and is no finding: the notes on it, and what came near to be one. Pure functions."""

from collections.abc import Iterator, Sequence

from pytest_noblock.judge.grouping import key
from pytest_noblock.model.finding import Almost, Finding
from pytest_noblock.model.kinds import KINDS
from pytest_noblock.model.limits import UNSETTLED, Limits
from pytest_noblock.model.observation import Phase
from pytest_noblock.model.units import words


def notes(
    final: Sequence[Finding], found: Sequence[Finding], cold: Sequence[Finding], limits: Limits
) -> tuple[str, ...]:
    """What is worth knowing and fails nothing, one sentence each.

    `final`: the findings of the check. `found`: all findings of its run. `cold`: the findings of the warm-up.
    """
    known = {key(finding) for finding in final}
    places = {(finding.file, finding.line) for finding in final}
    told = [each for each in found if each.file or _breaks(each, limits)]
    rest = [each for each in told if key(each) not in known and (each.file, each.line) not in places]
    in_doubt = {each.phase for each in found if each.doubt}  # it may have come again
    gone = [each for each in cold if key(each) not in known and (each.file, each.line) not in places]
    gone = [each for each in gone if each.phase not in in_doubt]
    return tuple(dict.fromkeys([*map(_cold, gone), *(_note(each, limits) for each in rest)]))


def almost(
    final: Sequence[Finding], found: Sequence[Finding], cold: Sequence[Finding], limits: Limits
) -> tuple[Almost, ...]:
    """What is near enough to be a finding in the next run; arguments as of `notes`."""
    known = {key(finding) for finding in final}
    near = (each for each in (*found, *cold) if key(each) not in known and _is_near(each, limits))
    shown = (Almost(each.kind, each.file, each.function, each.code, each.call, each.blocked_ns) for each in near)
    shared = (part for each in final for part in _shares(each, limits))
    return tuple(dict.fromkeys((*shown, *shared)))


def _shares(finding: Finding, limits: Limits) -> Iterator[Almost]:
    """The lines of the finding's step that took half of the limit, or more; none where only its own did."""
    long = [part for part in finding.parts if 2 * part.blocked_ns >= limits.max_block]
    if all((part.frame.file, part.frame.line) == (finding.file, finding.line) for part in long):
        return
    for part in long:
        over = round(part.blocked_ns / limits.max_block, 2) if part.counted else 0.0
        place = part.frame.file, part.frame.written_in, None, part.frame.call
        yield Almost(finding.kind, *place, part.blocked_ns, part=True, over=over)


def _is_near(finding: Finding, limits: Limits) -> bool:
    return KINDS[finding.kind].always or 2 * finding.blocked_ns >= limits.max_block


def said(finding: Finding) -> str:
    """The beginning of a note that the summary tells."""
    return f"{UNSETTLED}{_what(finding)}"


def _what(finding: Finding) -> str:
    return f"{finding.kind}, {words(finding.blocked_ns)} at {finding.place}"


def _note(finding: Finding, limits: Limits) -> str:
    what = _what(finding)
    if finding.phase is Phase.APP and finding.reason is None:
        open_end = UNSETTLED if _breaks(finding, limits) else ""
        return f"{open_end}{what}: the app ran it while no request was under way"
    if finding.doubt is not None:
        return f"{UNSETTLED}{what}: {finding.doubt}; not counted"
    if _breaks(finding, limits):
        return f"{UNSETTLED}{what}: did not come again, or could not be told from the machine's doing; not counted"
    return f"{what}: under the limit of {words(limits.max_block)}"


def _breaks(finding: Finding, limits: Limits) -> bool:
    return KINDS[finding.kind].always or finding.blocked_ns >= limits.max_block


def _cold(finding: Finding) -> str:
    if KINDS[finding.kind].always:  # what is kept now may be asked for again: a cache runs out, a connection is closed
        return f"{UNSETTLED}{finding.kind}, {words(finding.blocked_ns)} at {finding.place}, in the first request only"
    return f"cold: {finding.kind}, {words(finding.blocked_ns)} at {finding.place}, the first time only"
