"""The step meter: what each uninterrupted run on the loop thread cost, and whose it was."""

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from types import FrameType
from typing import TYPE_CHECKING

from pytest_noblock.engine.clocks import Clock, Reading, others_cpu, queued
from pytest_noblock.engine.exchange import LiveExchange
from pytest_noblock.engine.network.known_calls import Effect
from pytest_noblock.engine.network.round_trips import Traffic
from pytest_noblock.engine.network.tcp_info import SocketTable
from pytest_noblock.engine.now import now
from pytest_noblock.engine.stacks import current_stack
from pytest_noblock.engine.steps.watchdog import Watchdog
from pytest_noblock.engine.usercode import UserCode
from pytest_noblock.model.observation import BlockingCall, Segment

if TYPE_CHECKING:
    from pytest_noblock.engine.network.mocked_calls import MockedCalls
    from pytest_noblock.engine.steps.onlookers import Gaps, Lines

_steps = itertools.count(1)
_thread_cpu = time.thread_time_ns

STEPPING: "dict[int, StepMeter]" = {}
"""The meters whose threads are in a step of somebody's, by their identity: empty for most that happens in a run."""

SHORT_NS = 30_000
"""Below, a step holds neither a round trip (33 us at best on loopback) nor a sleep worth a note."""
_REUSE_NS = 50_000
"""A reading this young serves again: nothing of a millisecond fits in between."""
_NOTABLE_NS = 500_000
"""A shorter step is nothing to speak of, and has opened no connection that made a round trip (Python's own are
seen as they are opened)."""
_RESUME_NS = 1_000_000
"""A reading this young serves again for the rest of the same request's step: what the request did in between is
counted twice at worst, and not worth a note."""
_MOST_CALLS = 100


class StepMeter:
    """Meters the thread that makes it. `segments` and `samples` are read after the run."""

    owner: LiveExchange | None = None
    lines: "Lines | None" = None
    gaps: "Gaps | None" = None
    watchdog: Watchdog | None = None
    on_step_begin: Callable[[], None] | None = None
    """Called before each step of a request."""
    closed = False
    own_cpu = _own_wall = _own_queued = 0
    """Of our own work in the present step."""
    _start: Reading = (0, 0, b"", 0, 0)
    _read_at = _step = _began = _ended_at = _talked_at = 0
    _collected = _collection_began = _watched = _imported = 0
    _read_for: LiveExchange | None = None
    _aside = False

    def __init__(self, clock: Clock, user: UserCode, sockets: SocketTable | None = None) -> None:
        self.ident = threading.get_ident()
        self._native = threading.get_native_id()
        self.segments: list[tuple[Segment, int]] = []
        """Each with the number of its step, by which the watchdog knows it."""
        self._clock = clock
        self._user = user
        self._traffic = Traffic(sockets)
        self._calls: list[BlockingCall] = []
        self._answered: list[BlockingCall] = []

    def close(self) -> None:
        """Inert from now on: an app's lifespan may outlive the test that metered it."""
        self.closed = True
        self._clock.close()
        if self.watchdog is not None:  # the step it closes in is not ended by us
            self.watchdog.rest(self.ident)

    def of_this_thread(self) -> bool:
        """A later thread may inherit the identity of one that has ended."""
        return threading.get_native_id() == self._native

    def begin(self, owner: LiveExchange) -> None:
        """A step of the owner's begins, or the rest of one after `cut`."""
        if self.closed or not self.of_this_thread():
            return
        if self.on_step_begin is not None:
            self.on_step_begin()
        self.owner = owner
        STEPPING[self.ident] = self
        owner.steps += 1
        self._collected = self.own_cpu = self._own_wall = self._own_queued = self._imported = 0
        self._step = next(_steps)
        if self.lines is not None:
            self.lines.enter()
        moment = now()
        at_once = moment - self._ended_at <= SHORT_NS
        if not at_once:
            self._traffic.stale = True
        resumed = at_once and owner is self._read_for
        if moment - self._read_at > (_RESUME_NS if resumed else _REUSE_NS):
            self._read()
            self._read_for = owner
            moment = self._start[0]
        self._began = moment  # behind a cut, if there was one: that tells the phase
        if self.watchdog is not None:
            self.watchdog.watch(self.ident, self._native, self._step, moment)

    def _read(self) -> None:
        self._start = self._clock.begin()
        if self._traffic.settle(self._start[4] - self._start[1]):
            if self.gaps is not None:
                self.gaps.close_interval()
            self._start = self._clock.begin()
        self._read_at = self._start[0]
        self._watched = self.watchdog.cpu if self.watchdog is not None else 0

    def end(self) -> None:
        """The owner's step is over, or ends here by `cut`; what it cost is the owner's."""
        owner = self.owner
        if owner is None:
            return
        STEPPING.pop(self.ident, None)
        self._ended_at = ended = now()
        wall = ended - self._began
        if self.watchdog is not None:
            self.watchdog.rest(self.ident)
        telling = wall > _NOTABLE_NS or (wall > SHORT_NS and self._traffic.seen())
        if telling or self._calls or self._answered or self.lines is not None:
            self._account(owner)
            self._calls, self._answered = [], []
            self._read_at = 0
        self.owner = None

    def switch_owner(self, owner: LiveExchange | None) -> None:
        """What follows in this step belongs to somebody else."""
        if self.owner is not None:
            self.end()
        if owner is not None:
            self.begin(owner)

    def _account(self, owner: LiveExchange) -> None:
        end = self._clock.end()
        lines = self.lines.leave() if self.lines is not None else ()
        start = self._start
        others = others_cpu(start, end)
        if self.watchdog is not None:  # looking on is no round trip
            others = max(0, others - (self.watchdog.cpu - self._watched))
        trips, doubtful = self._traffic.of_step(start, end, others, called=bool(self._calls))
        split = self._clock.splits_waiting
        ended = max(self._began, end[0] - self._own_wall)
        cpu = end[1] - start[1] - self._collected - self.own_cpu
        segment = Segment(
            exchange=owner.number,
            began=self._began,
            ended=ended,
            cpu=max(0, min(cpu, ended - self._began)),  # the reading may be older than the step
            collected=self._collected,
            queued=max(0, queued(end[2]) - queued(start[2]) - self._own_queued) if split else None,
            switches=end[3] - start[3] if split else None,
            others_cpu=others,
            round_trips=trips,
            doubtful_trips=doubtful,
            imported=self._imported,
            calls=tuple(self._calls),
            answered=tuple(self._answered),
            lines=lines,
        )
        if self.gaps is not None:
            self.gaps.in_step(segment)
            self.gaps.close_interval()  # looking at sockets gave the interpreter lock away
        longest = max(segment.cpu, segment.asleep, segment.off_cpu, self._imported)
        if trips or doubtful or self._calls or self._answered or longest >= _NOTABLE_NS:
            self.segments.append((segment, self._step))

    def known_call_ended(self, name: str, effect: Effect, began: int, frame: FrameType, asked: int = 0) -> None:
        """A known blocking call on this thread, which has just ended."""
        if self.owner is None:
            return
        ended = now()
        if effect in ("client", "mock"):
            if self._talked_at < began and len(self._answered) < _MOST_CALLS:
                with self.excluded():
                    self._answered += self._without_socket.calls(effect, name, began, ended, frame)
            return
        if effect != "sleep":
            self._talked_at = ended
        if len(self._calls) >= _MOST_CALLS:
            return
        asked = 0 if self._aside else asked  # what an import sleeps is taken out of the step
        with self.excluded():
            if effect != "connect" or self._traffic.opened(ended - began):
                stack = current_stack(frame, self._user)
                self._calls.append(BlockingCall(name, effect != "sleep", began, ended, stack, asked))

    @cached_property
    def _without_socket(self) -> "MockedCalls":
        from pytest_noblock.engine.network.mocked_calls import MockedCalls  # most requests meet no client and no mock

        return MockedCalls(self._user)

    def passed_by(self) -> None:
        """See `calls.Observer`."""
        if self.watchdog is not None:
            self.watchdog.passed_by()

    def collection(self, phase: str) -> None:
        """Garbage collection on this thread starts or stops: whoever happens to trigger it is not to blame."""
        if phase == "start":
            self._collection_began = _thread_cpu()
        else:
            self._collected += _thread_cpu() - self._collection_began

    @contextmanager
    def importing(self) -> Iterator[None]:
        """A first-use cost: taken out of the step, and kept apart."""
        nested = self._aside
        began = now()
        with self.excluded():
            yield
        if not nested:
            self._imported += now() - began

    @contextmanager
    def excluded(self) -> Iterator[None]:
        """What we do inside the user's step is not the user's. The outermost of nested ones counts."""
        if self._aside:
            yield
            return
        self._aside = True
        collected = self._collected
        delay = self._clock.delay()
        wall, cpu = now(), _thread_cpu()
        watchdog = self.watchdog
        watched = watchdog.rest(self.ident) if watchdog is not None else None  # it need not look now
        try:
            yield
        finally:
            if watchdog is not None:
                watchdog.resume(self.ident, watched)
            self.own_cpu += _thread_cpu() - cpu
            self._own_wall += now() - wall
            waited = self._clock.delay()
            if waited != delay:
                self._own_queued += queued(waited) - queued(delay)
            self._collected = collected  # what was collected meanwhile is out already
            self._aside = False
