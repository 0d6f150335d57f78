"""How a request is sent again to see whether its findings come again: by kind, and by meter. Pure functions."""

from collections.abc import Iterable
from typing import Literal, NamedTuple, assert_never

from pytest_noblock.model.kinds import KINDS, Confirmation
from pytest_noblock.model.limits import Limits
from pytest_noblock.model.observation import Meter
from pytest_noblock.model.stall import Stall


class Repeat(NamedTuple):
    """How a request is sent again to see whether its findings come again."""

    at_most: int
    """The most runs besides the first one; fewer where each finding has come again before."""
    needed: int
    """How many runs must show a finding, the first run included."""
    alone: bool
    """True: one copy of the request. False: as many copies as `concurrency` says."""
    probes: bool
    """Whether probes are sent beside the request."""
    counters: bool = False
    """Whether counters stand at every user line. Counters name the line, and they burn CPU themselves."""
    only_sure: bool = False
    """Whether only a stall that is `sure` in its own run counts as having come again."""


TO_SEE_HOW_IT_ENDS = Repeat(at_most=4, needed=3, alone=True, probes=False)
"""How it is sent again where one run cannot tell how a loop ends: without counters, which add CPU to a loop."""


def repeat_for(how: Confirmation | Literal["as sent"], meter: Meter) -> Repeat:
    """How a kind with this `KindRow.confirmation` is confirmed on this meter."""
    match how:
        case "line counters" if (
            meter == "portable"
        ):  # wall time and known calls are all there is: each run must show it
            return Repeat(at_most=3, needed=4, alone=True, probes=False)
        case "line counters":
            return Repeat(at_most=2, needed=2, alone=True, probes=False, counters=True)
        case "as sent":
            return Repeat(at_most=2, needed=2, alone=False, probes=True, only_sure=True)
        case "probes again":
            return Repeat(at_most=2, needed=2, alone=False, probes=True)
        case "alone again":
            return Repeat(at_most=2, needed=2, alone=True, probes=True, only_sure=True)
        case "none needed":
            return Repeat(at_most=0, needed=1, alone=True, probes=False)
        case _:
            assert_never(how)


def confirmed_by(how: Confirmation, found: Iterable[Stall]) -> list[Stall]:
    """The stalls whose kinds are confirmed in this way."""
    return [stall for stall in found if KINDS[stall.kind].confirmation == how]


def nearly(limits: Limits) -> Limits:
    """The limits for a repeat: a stall of four fifths of the limit counts as having come again."""
    return limits._replace(max_block=limits.max_block * 4 // 5)
