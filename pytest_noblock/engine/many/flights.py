"""Many requests that are under way at once: how they are sent, and what came of each."""

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from pytest_noblock.engine.exchange import LiveExchange
from pytest_noblock.engine.frameworks.http_client import httpx
from pytest_noblock.engine.meters import Metering
from pytest_noblock.engine.now import now
from pytest_noblock.engine.observe import Request
from pytest_noblock.model.frames import Frame
from pytest_noblock.model.limits import SAMPLE_AFTER_NS
from pytest_noblock.model.observation import Observation
from pytest_noblock.model.segment import Segment

AT_ONCE = 100
"""Requests under way at once. More would wait for each other's connections to a database, and for the loop."""


class Patience(NamedTuple):
    """How long a request may take. Chosen: nobody waits for a route that takes longer."""

    answer_s: float = 10.0
    """Seconds in which a response must start, and in which what comes after the response must end."""
    stream_s: float = 5.0
    """Seconds in which a response that has started must be complete."""


@dataclass(frozen=True, slots=True)
class ManyRun:
    """How the requests are sent, and how the run is measured."""

    patience: Patience
    sample_after: int = SAMPLE_AFTER_NS
    linger: int = 0
    """Ns: how long the run waits for detached work after the last request."""
    at_once: int = AT_ONCE
    again: "Callable[[Flight], Flight | None] | None" = None
    """Asked on the loop's thread once a flight is over, and gives the one that is sent for it now, if any."""
    exact: bool = False
    """With counters at every user line in the place of the watchdog's samples; nothing beside the steps is recorded."""


@dataclass(slots=True, eq=False)
class Flight:
    """One request to send, and what came of it."""

    request: Request
    second: bool = False
    """Whether the same request has been answered before."""
    holds: bool = False
    """Whether the request is known to hold the loop: see `Order`."""
    exchanges: list[LiveExchange] = field(default_factory=list)
    """The calls of the app that it made."""
    response: httpx.Response | None = None
    refused: Exception | None = None
    """What httpx raised instead of a response."""
    sits: Frame | None = None
    """The user line at which it sat when its patience was over."""
    unfinished: bool = False
    """Whether it was cancelled because it did not end."""
    begun: bool = False
    over: bool = False
    """Whether it ended, or was cancelled because it did not. Of an interrupted run it may be neither."""


class Many:
    """What a run of many requests leaves behind, for another thread to look at meanwhile."""

    def __init__(self, flights: Sequence[Flight]) -> None:
        self.flights = list(flights)
        """Those to be sent; one may bring about another."""
        self.metering: Metering | None = None
        self.observation: Observation | None = None
        """What is recorded: of a run that was interrupted, what was over by then."""
        self.ended = threading.Event()
        """Set once the observation is made."""
        self.steps: list[tuple[int, int]] = []
        """The row of all steps: the turn in which the next one began, and the number of the exchange whose it was."""
        self.culprit: LiveExchange | None = None
        """Who ended the loop, or took it; set by whoever found that out."""
        self.late: list[tuple[int, int]] = []
        """When the loop should have turned, and when it did (ns), where it was so late that the watchdog had to look.
        Known once the observation is made."""
        self.hogs: set[LiveExchange] = set()
        """Requests that had more threads of a pool at once than the pool has when no sweep widens it."""
        self.keepers: set[int] = set()
        """The numbers of the exchanges whose threads computed for long while the loop was late, by now."""
        self._segments: defaultdict[int, list[Segment]] = defaultdict(list)
        """By exchange, as far as somebody has asked for them."""
        self._read = 0

    @property
    def over(self) -> int:
        """How many requests have ended."""
        return sum(each.over for each in self.flights)

    def holder(self, seconds: float) -> LiveExchange | None:
        """The request whose step has run for so long; None where no step has."""
        steps = self.metering.steps if self.metering is not None else None
        if steps is None or not steps.runs_since or now() - steps.runs_since < seconds * 1e9:
            return None
        return steps.owner

    def segments_of(self, flight: Flight) -> tuple[Segment, ...]:
        """What is recorded by now, without samples. On the loop's thread."""
        recorded = self.metering.steps.segments if self.metering is not None else []
        for segment, _step in recorded[self._read :]:
            self._segments[segment.exchange].append(segment)
        self._read = len(recorded)
        return tuple(segment for each in flight.exchanges for segment in self._segments[each.number])

    def flight_of(self, record: LiveExchange | None) -> Flight | None:
        """The flight that the exchange is of."""
        return next((flight for flight in self.flights if any(each is record for each in flight.exchanges)), None)


def exchanges_of(flights: Sequence[Flight]) -> Iterator[LiveExchange]:
    """In the order in which they entered the app."""
    return iter(sorted((each for flight in flights for each in flight.exchanges), key=lambda each: each.number))
