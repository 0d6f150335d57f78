"""Counters at every user line: the exact line, whatever the driver, at the price of a slower run.

`sys.monitoring` (Python 3.12 and later) and `sys.settrace` (3.11) both tell when a
line begins, when a frame is resumed and when a frame is left. This module
computes what a line costs, for both. It reads all counters only after a line that took
over 20 us: a shorter line holds no round trip and no sleep. So to count a line takes 2 us
and not 100 us.
"""

from collections.abc import Callable
from dataclasses import dataclass
from types import CodeType, FrameType

from pytest_noblock.engine.clocks import CPU, QUEUED, SWITCHES, WALL, Clock, queued
from pytest_noblock.engine.network.round_trips import own_and_doubtful
from pytest_noblock.engine.network.tcp_info import SocketTable
from pytest_noblock.engine.now import now, thread_cpu
from pytest_noblock.engine.other_threads import others_exactly, others_so_far
from pytest_noblock.engine.raw_stacks import walk_out
from pytest_noblock.engine.stacks import called_from, current_stack, frame_at, plain_frame, with_call
from pytest_noblock.engine.steps.meter import StepMeter
from pytest_noblock.engine.usercode import UserCode
from pytest_noblock.model.frames import Stack
from pytest_noblock.model.segment import LineCost

_SHORT_NS = 20_000
"""Wall ns. A shorter line holds no round trip and no sleep, so it is not charged for waiting."""
_NOTABLE_NS = 300_000
"""ns of sleep, and ns of CPU. A line with less of both, and with no round trip, is not reported."""
_BUDGET_NS = 400_000_000
"""CPU ns. Our own counting ends when it has taken this long. The lines so far must do: a hot loop repeats itself.

By the clock, eight preemptions ended it beside four busy processes, and the line was not found.
"""

Key = tuple[CodeType, int]
"""A line: its code and its number."""


@dataclass(slots=True)
class _Cost:
    """What a line has cost so far in the present segment. Times in ns."""

    hits: int = 0
    cpu: int = 0
    asleep: int = 0
    round_trips: int = 0
    doubtful_trips: int = 0
    stack: Stack = ()
    """Innermost the line itself."""


class LineCounters:
    """The costs of the user lines of one meter's thread. A tracer calls `at`, the meter calls the rest.

    `sockets` is not the meter's table: a scan here must not hide a round trip from the meter. `gave_up` is called
    before the first step that they do not count.
    """

    def __init__(
        self,
        meter: StepMeter,
        user: UserCode,
        sockets: SocketTable | None,
        gave_up: Callable[[], None] = lambda: None,
    ) -> None:
        self.spent = 0
        """CPU (ns) that our own counting has taken so far."""
        self._meter = meter
        self._clock: Clock = meter.clock
        self._user = user
        self._sockets = sockets
        self._costs: dict[Key, _Cost] = {}
        self._line: Key | None = None
        self._wall = self._cpu = 0
        """When the line began, and the thread's CPU time then."""
        self._full = self._clock.begin()
        """The full reading from which waiting counts."""
        self._others_at_scan = 0
        """CPU (ns) that other threads had burned when the sockets were last read."""
        self._gave_up = gave_up
        self._left = 0
        """When a user line ended and no other user line followed (ns), the last time."""
        self._own = 0

    @property
    def exhausted(self) -> bool:
        return self.spent > _BUDGET_NS

    def enter(self) -> None:
        """A step begins: nothing before it counts."""
        self._line = None
        self._costs = {}
        if self.exhausted:
            self._gave_up()
        else:
            self._begin_waiting()

    def leave(self) -> tuple[LineCost, ...]:
        """The step has ended; its notable lines."""
        self._line = None
        return tuple(_line_cost(key, cost) for key, cost in self._costs.items() if _notable(cost))

    def notable(self) -> bool:
        """Whether the step has a notable line by now."""
        return any(map(_notable, self._costs.values()))

    def at(self, line: Key | None, frame: FrameType | None) -> None:
        """From now on `line` runs; None: no user line does.

        `frame` is the one whose line has just ended; it still has its variables.
        """
        if self._meter.owner is None:
            return
        called = now()
        own = self._meter.deductions
        before = own.cpu
        with own.excluded():
            if self._line is not None:
                ours = own.cpu - self._own  # what we did in the line, where it made a known call
                self._charge(self._line, called - self._wall - ours, thread_cpu() - self._cpu - ours, frame)
            elif called - self._left > _SHORT_NS:  # code outside the user's ran: the next line is not charged for it
                self._begin_waiting()
            if line is None:
                self._left = now()
            elif now() - self._full[WALL] > _SHORT_NS:  # nor is it charged for what the machine did before it
                self._begin_waiting()
            self._line = line
            self._wall, self._cpu = now(), thread_cpu()
        self._own = own.cpu
        self.spent += own.cpu - before

    def _charge(self, line: Key, wall: int, cpu: int, frame: FrameType | None) -> None:
        cost = self._costs.get(line)
        if cost is None:
            cost = self._costs[line] = _Cost()
        cost.hits += 1
        cost.cpu += cpu
        if wall > _SHORT_NS:
            self._charge_waiting(cost)
            if not cost.stack and _notable(cost):
                cost.stack = self._where(line, frame)
            self._full = self._clock.begin()

    def _charge_waiting(self, cost: _Cost) -> None:
        """All parts come from the same two readings: a preemption counts in all of them or in none."""
        start, end = self._full, self._clock.end()
        if self._clock.splits_waiting and end[SWITCHES] > start[SWITCHES]:
            delay = queued(end[QUEUED]) - queued(start[QUEUED])
            cost.asleep += max(0, (end[WALL] - start[WALL]) - (end[CPU] - start[CPU]) - delay)
        if self._sockets is not None:
            others = others_so_far()  # before the scan, which lets other threads run
            trips = len(self._sockets.scan_all(end[WALL] - start[WALL]))
            if trips:
                own, doubtful = own_and_doubtful(trips, others_exactly() - self._others_at_scan)
                cost.round_trips += own
                cost.doubtful_trips += doubtful
            self._others_at_scan = others

    def _begin_waiting(self) -> None:
        """What came before is no line's: neither its sleep nor its round trips."""
        if self._sockets is not None:
            self._others_at_scan = others_so_far()
            self._sockets.scan_all()
        self._full = self._clock.begin()

    def _where(self, line: Key, frame: FrameType | None) -> Stack:
        """The stack of the line; empty where neither `frame` nor one of its callers runs the line."""
        for each in walk_out(frame):
            if each.f_code is line[0]:
                top = frame_at(line[0], line[1], each.f_globals, self._user)
                if top.call is None:
                    top = with_call(top._replace(call=called_from(each, line[1])), line[0])
                return (top, *current_stack(each.f_back, self._user))
        return ()


def _notable(cost: _Cost) -> bool:
    return bool(cost.round_trips) or max(cost.asleep, cost.cpu) > _NOTABLE_NS


def _line_cost(key: Key, cost: _Cost) -> LineCost:
    code, line = key
    return LineCost(
        frame=cost.stack[0] if cost.stack else plain_frame(code, line, user=True),
        stack=cost.stack,
        hits=cost.hits,
        cpu=cost.cpu,
        asleep=cost.asleep,
        round_trips=cost.round_trips,
        doubtful_trips=cost.doubtful_trips,
    )
