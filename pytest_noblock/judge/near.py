"""Computing near the limit, in one run: pure functions.

The same step took 26, 44 and 60 ms of CPU within minutes on a shared core. So where one run is all there is, a
computation of little more than the limit is judged by the pace of the machine as well: a planted piece of work tells
it, beside the finding.
"""

from pytest_noblock.model.finding import Finding
from pytest_noblock.model.kinds import Kind
from pytest_noblock.model.limits import UNSETTLED, Limits
from pytest_noblock.model.pace import Pace
from pytest_noblock.model.stall import Stall
from pytest_noblock.model.units import words

NEAR = 1.5
"""Times the limit. From here on a computation is too long at any pace: CPU time stretched to less than 2 times on the
machines that were measured, and mostly to less than 1.5 times."""


def is_near(stall: Stall, limits: Limits) -> bool:
    """Whether a computation is over the limit by little."""
    return _is_near(stall.kind, stall.blocked_ns, limits)


def _is_near(kind: Kind, blocked_ns: int, limits: Limits) -> bool:
    return kind == "cpu" and limits.max_block <= blocked_ns < NEAR * limits.max_block


def too_long(stall: Stall, limits: Limits, pace: Pace) -> bool:
    """Whether a computation near the limit is over it at the machine's best pace, too."""
    return stall.asleep + stall.cpu / pace.slowness >= limits.max_block


def told(finding: Finding, limits: Limits, pace: Pace) -> str | None:
    """What to say of a finding near the limit; None for any other finding."""
    if not _is_near(finding.kind, finding.blocked_ns, limits):
        return None
    return f"the limit, and over it at the machine's best pace as well: {_at_best(finding, pace)}. {_pace(pace)}"


def let_pass(finding: Finding, limits: Limits, pace: Pace) -> str:
    """The note on a computation that is within the limit at the machine's best pace."""
    took = f"{words(finding.blocked_ns)} at {finding.place}, {_at_best(finding, pace)} at the machine's best pace"
    return f"{UNSETTLED}{finding.kind}, {took}, limit {words(limits.max_block)}; not counted. {_pace(pace)}"


def _at_best(finding: Finding, pace: Pace) -> str:
    """How long it would take at the machine's best pace."""
    return words(round(finding.asleep + finding.cpu / pace.slowness))


def _pace(pace: Pace) -> str:
    """A fixed computation of ours was timed beside it."""
    took = f"A reference computation took {words(pace.now)} of CPU right afterwards"
    return f"{took}, and {words(pace.best)} at best in this session"
