"""Counters at every user line: the exact line, whatever the driver, at the price of a slower run.

`sys.monitoring` (Python 3.12+) and `sys.settrace` (3.11) both tell when a line
begins, a frame is resumed and a frame is left; the reckoning is the same. The full
counters are read only where a line took over 20 us, for nothing shorter can hold a
round trip or a sleep; so a line costs 2 us, not 100.
"""

import time
from dataclasses import dataclass
from types import CodeType, FrameType

from pytest_noblock.engine.clocks import Clock, others_cpu, queued
from pytest_noblock.engine.network.tcp_info import SocketTable
from pytest_noblock.engine.now import now
from pytest_noblock.engine.stacks import called_from, current_stack, walk_out
from pytest_noblock.engine.steps.meter import StepMeter
from pytest_noblock.engine.usercode import UserCode
from pytest_noblock.model.frames import Frame, Stack
from pytest_noblock.model.observation import LineCost

_thread_cpu = time.thread_time_ns

_SHORT_NS = 20_000
_NOTABLE_NS = 300_000
_QUIET_NS = 10_000
_BUDGET_NS = 400_000_000
"""So much time for our own counting; then the lines seen so far must do (a hot loop repeats itself)."""

Key = tuple[CodeType, int]


@dataclass(slots=True)
class Cost:
    """What a line has cost so far in the present segment."""

    hits: int = 0
    wall: int = 0
    cpu: int = 0
    asleep: int = 0
    switches: int = 0
    round_trips: int = 0
    others_cpu: int = 0
    stack: Stack = ()
    call: str | None = None


class LineCounters:
    """One reckoning for both tracers: `at` says which line runs from now on, None that no user line does."""

    def __init__(self, meter: StepMeter, clock: Clock, user: UserCode, sockets: SocketTable | None) -> None:
        self.spent = 0
        self._meter = meter
        self._clock = clock
        self._user = user
        self._sockets = sockets
        self._costs: dict[Key, Cost] = {}
        self._line: Key | None = None
        self._wall = self._cpu = 0
        self._full = clock.begin()
        self._left = 0
        self._own = 0

    @property
    def exhausted(self) -> bool:
        return self.spent > _BUDGET_NS

    def enter(self) -> None:
        """A step begins: nothing before it counts."""
        self._line = None
        self._costs = {}
        self._baseline()

    def leave(self) -> tuple[LineCost, ...]:
        """The step is over; its notable lines."""
        self._line = None
        return tuple(_line_cost(key, cost) for key, cost in self._costs.items() if _notable(cost))

    def at(self, line: Key | None, frame: FrameType | None) -> None:
        """`frame` is the one whose line has just ended; it still has its variables."""
        if self._meter.owner is None:
            return
        entered = now()
        with self._meter.excluded():
            if self._line is not None:
                own = self._meter.own_cpu - self._own  # what we did in the line, when it made a known call
                self._charge(self._line, entered - self._wall - own, _thread_cpu() - self._cpu - own, frame)
            elif entered - self._left > _SHORT_NS:  # what code outside the user's did is not the next line's
                self._baseline()
            if line is None:
                self._left = now()
            elif now() - self._full[0] > _SHORT_NS:  # nor what the machine did before it
                self._full = self._clock.begin()
            self._line = line
            self._wall, self._cpu = now(), _thread_cpu()
        self._own = self._meter.own_cpu
        self.spent += now() - entered

    def _charge(self, line: Key, wall: int, cpu: int, frame: FrameType | None) -> None:
        cost = self._costs.get(line)
        if cost is None:
            cost = self._costs[line] = Cost()
        cost.hits += 1
        cost.wall += wall
        cost.cpu += cpu
        if wall > _SHORT_NS:
            self._charge_waiting(cost)
            if not cost.stack and _notable(cost):
                cost.stack, cost.call = self._where(line, frame)
            self._full = self._clock.begin()

    def _charge_waiting(self, cost: Cost) -> None:
        """All parts from the same two readings: no preemption may count in one and not in another."""
        end = self._clock.end()
        if self._clock.splits_waiting and end[3] > self._full[3]:
            delay = queued(end[2]) - queued(self._full[2])
            cost.asleep += max(0, (end[0] - self._full[0]) - (end[1] - self._full[1]) - delay)
            cost.switches += end[3] - self._full[3]
        others = others_cpu(self._full, end)
        cost.others_cpu += others
        if self._sockets is not None:
            trips = self._sockets.take_stock(end[0] - self._full[0])
            cost.round_trips += trips if others < _QUIET_NS else 0

    def _baseline(self) -> None:
        if self._sockets is not None:
            self._sockets.refresh()
        self._full = self._clock.begin()

    def _where(self, line: Key, frame: FrameType | None) -> tuple[Stack, str | None]:
        """The frame is that of the line when the line ended by going on or by leaving it."""
        for each in walk_out(frame):
            if each.f_code is line[0]:
                call = called_from(each, line[1])
                top = Frame(line[0].co_filename, line[1], line[0].co_name, call, user=True)
                return (top, *current_stack(each.f_back, self._user)), call
        return (), None


def _notable(cost: Cost) -> bool:
    return bool(cost.round_trips) or max(cost.asleep, cost.cpu) > _NOTABLE_NS


def _line_cost(key: Key, cost: Cost) -> LineCost:
    code, line = key
    frame = Frame(code.co_filename, line, code.co_name, cost.call, user=True)
    return LineCost(
        frame, cost.stack, cost.hits, cost.wall, cost.cpu, cost.asleep, cost.switches, cost.round_trips, cost.others_cpu
    )
