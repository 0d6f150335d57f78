"""The step meter: what each uninterrupted run of a callback on the loop thread cost, and whose it was."""

import itertools
import threading
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING

from pytest_noblock.engine.clocks import Clock
from pytest_noblock.engine.exchange import LiveExchange
from pytest_noblock.engine.network.call_shapes import Due, Polling
from pytest_noblock.engine.network.known_calls import Effect
from pytest_noblock.engine.network.round_trips import RoundTrips
from pytest_noblock.engine.network.tcp_info import SocketTable
from pytest_noblock.engine.now import now
from pytest_noblock.engine.steps.counters import Counters, Span
from pytest_noblock.engine.steps.deductions import Deductions
from pytest_noblock.engine.steps.rings import NEVER_DUE
from pytest_noblock.engine.steps.step_calls import StepCalls
from pytest_noblock.engine.steps.watchdog import Watchdog
from pytest_noblock.engine.usercode import UserCode
from pytest_noblock.model.segment import Segment

if TYPE_CHECKING:
    from pytest_noblock.engine.steps.observers import GapObserver, LineObserver

_steps = itertools.count(1)
_turns = itertools.count(1)
"""Numbers for the turns of all loops: a request's steps in two threads never share one."""
_native_id = threading.get_native_id

STEPPING: "dict[int, StepMeter]" = {}
"""The meters whose threads are in a step of a request now, by `threading.get_ident()`. Mostly empty: wrappers that
every call passes look here first."""
POLLING = Polling()
"""The meters whose loops' turns are counted: a loop polls its selector once in each turn."""

SHORT_NS = 30_000
"""Wall ns. A shorter step holds neither a round trip (33 us at best, measured on loopback) nor a sleep worth a note."""
_REUSE_NS = 50_000
"""ns. A step begins with the last reading where that is younger than this: nothing of 1 ms fits in between."""
_NOTABLE_NS = 500_000
"""Wall ns. A shorter step needs no segment unless it made a round trip or imported. (A connection that Python opens is
seen at that moment. A C driver takes longer than this to open one and to talk.)"""
_KEPT_NS = _NOTABLE_NS // 2
"""ns of CPU, of sleep or of imports. A segment with less of each is dropped. Of a notable step the machine may have
taken a part; what remains still adds up with the other steps of its turn."""
_RESUME_NS = 1_000_000
"""ns. The same where a request's step goes on at once after a cut, and nobody counts the turns of the loop. What the
request did since the reading counts twice then: 1 ms at most, and only more than that is worth a note."""

_WAITS: "tuple[Effect, ...]" = ("wait", "over", "local")
"""What is, or may be, a wait for another thread or process."""


class StepMeter:
    """Meters the steps of the thread that makes it.

    All of it runs on that thread, but for `close`, `another_thread_called` and the `look_...` methods.

    Four parties may observe a meter, each by its `attach_...`: a watchdog, line counters,
    a GIL gap detector, and a function that is called before each step.
    """

    __slots__ = (
        "_began", "_between", "_brief_before", "_calls", "_chain_began", "_chain_of", "_chain_turn", "_counters",
        "_ended_at", "_gaps", "_lines", "_on_step_begin", "_read_at", "_read_for", "_step", "_step_at", "_trips",
        "_watchdog", "clock", "closed", "deductions", "ident", "loop", "native", "owner", "polled", "rings",
        "segments", "threads", "turn", "waits",
    )  # fmt: skip
    # Slots, and no defaults on the class: with a default, CPython 3.11 to 3.13 looks each access up anew (40 ns).

    owner: LiveExchange | None
    """The request whose step runs now."""
    turn: int
    """The number of the loop's turn, as the last step or `present_turn` found it: unique in the process; 0 where the
    turns of the loop are not counted."""
    polled: bool
    """The loop has polled since its turn was numbered. Most turns hold no step of a request, and get no number."""
    loop: object
    """The last loop whose turns were counted for this meter."""
    _read_at: int
    """When the counters were read (ns). 0: a step has been charged from that reading, and no other step may use it."""
    _chain_of: LiveExchange | None
    """The owner of the last step. A step of the same owner that follows at once, in the same turn of the loop, goes on
    with the chain: no poll of the selector lies in between. A chain is measured and sampled as if it were one step."""
    _between: int
    """Ns between the steps of the chain since `_began`: they belong to nobody, and are taken off."""
    _step_at: int
    """When the present step began (ns)."""
    _brief_before: int
    """`LiveExchange.brief` of the owner at `_began`: a segment that begins there takes in what was added since."""

    def __init__(self, clock: Clock, user: UserCode, sockets: SocketTable | None = None) -> None:
        self.ident = threading.get_ident()
        self.clock = clock
        self.segments: list[tuple[Segment, int]] = []
        """Each with the number of its step, by which the watchdog's samples are joined to it."""
        self.waits: dict[int, int] = {}
        """When a request last waited, or was about to wait, for another thread or process (ns), by the number of its
        exchange. How long it waited is no matter: that may have been over by then."""
        self.deductions = Deductions(clock)
        self.native = _native_id()
        """By which the kernel knows the thread."""
        self._trips = RoundTrips(sockets)
        self._calls = StepCalls(user, self._trips, self.deductions, counts_sleeps=clock.splits_waiting)
        self._counters = Counters(clock, self._trips, self._calls, self.deductions)
        self.threads = self._counters.threads
        self._watchdog: Watchdog | None = None
        self.rings: Due = NEVER_DUE
        """The watchdog's."""
        self._lines: LineObserver | None = None
        self._gaps: GapObserver | None = None
        self._on_step_begin: Callable[[], None] | None = None
        self._read_for: LiveExchange | None = None
        self.owner = self.loop = self._chain_of = None
        self.polled = self.closed = False
        self.turn = self._read_at = self._step = self._began = self._ended_at = self._chain_turn = 0
        self._chain_began = self._between = self._step_at = self._brief_before = 0

    def attach_watchdog(self, watchdog: Watchdog) -> None:
        """The watchdog samples steps that run long."""
        self._watchdog = self.deductions.watchdog = self._counters.watchdog = watchdog
        self.rings = watchdog.rings

    def attach_lines(self, lines: "LineObserver | None") -> None:
        """The counters count the cost of each user line; None ends it."""
        self._lines = lines
        self._counters.exact = lines is not None

    def attach_gaps(self, gaps: "GapObserver | None") -> None:
        """The detector looks for threads that hold the GIL, in steps and where the watchdog is late; None ends it."""
        self._gaps = self._counters.gaps = gaps
        if self._watchdog is not None:
            self._watchdog.on_late = gaps.sample_early if gaps is not None else None

    def attach_step_begin(self, function: Callable[[], None]) -> None:
        """The meter calls the function before each step of a request."""
        self._on_step_begin = function

    def close(self) -> None:
        """The meter does nothing from now on: an app may outlive the test that metered it. Any thread may call it."""
        self.give_up()
        self.clock.close()

    def give_up(self) -> None:
        """The same, where the step that runs may not end. The clock stays open: the step, if it ends, reads it."""
        self.closed = True
        if self._watchdog is not None:  # nobody ends the step in which a meter is closed
            self._watchdog.step_ended(self.ident)

    @property
    def runs_since(self) -> int:
        """When the request's step began that runs now (ns); 0 where none runs. Any thread may ask."""
        return self._began if self.owner is not None else 0

    @property
    def last_owner(self) -> LiveExchange | None:
        """Whose the last step was."""
        return self._chain_of

    def present_turn(self) -> int:
        """The number of the turn that runs now. Any thread may call it."""
        if self.polled:
            number = next(_turns)
            self.polled, self.turn = False, number  # no poll gets lost: between two stores nobody else gets the GIL
        return self.turn

    def step_of_nobody(self) -> None:
        """A step that no request owns begins, on a loop whose turns nobody counts: it counts as a turn by itself."""
        self.turn = next(_turns)

    def goes_on_in(self, turn: int) -> None:
        """The turn that runs now counts as this one, which was its number before."""
        self.polled, self.turn = False, turn

    def of_this_thread(self) -> bool:
        """A later thread may have the ident of one that has ended."""
        return _native_id() == self.native

    def begin(self, owner: LiveExchange) -> None:
        """A step of the owner begins, or goes on after a cut."""
        if self.closed or _native_id() != self.native:
            return
        if self._on_step_begin is not None:
            self._on_step_begin()
        self.owner = owner
        STEPPING[self.ident] = self
        owner.steps += 1
        moment = self._step_at = now()
        since = moment - self._ended_at
        turn = self.present_turn() if self.polled else self.turn
        if since > SHORT_NS:
            self._trips.stale = True
            usable = _REUSE_NS
        elif owner is self._chain_of and turn == self._chain_turn != 0 and self._chain_began >= owner.phase_began:
            self._go_on(moment, since)
            return
        else:
            usable = _RESUME_NS if owner is self._read_for else _REUSE_NS
        step = self._step = next(_steps)
        self._chain_of = owner
        self._chain_turn = turn
        began = self._chain_began = self._begin_at(owner, moment, usable)
        if self._watchdog is not None:
            self._watchdog.step_began(self.ident, self.native, step, began)

    def _go_on(self, moment: int, since: int) -> None:
        """The chain goes on at `moment`, `since` ns after its last step."""
        if self._read_at:
            self._between += since
        else:
            self._begin_at(self._chain_of, moment, 0)  # type: ignore[arg-type]  # whose chain it is
        if self._watchdog is not None:
            self._watchdog.step_resumed(self.ident, (self.native, self._step, self._chain_began))

    def _begin_at(self, owner: LiveExchange, moment: int, usable: int) -> int:
        """What is charged next begins at `moment`, or a little later, which is returned.

        The last reading serves if it is no older than `usable` ns.
        """
        self._between = 0
        self._brief_before = owner.brief
        if self.deductions.used:
            self.deductions.reset()
        if self._lines is not None:
            self._lines.enter()
        if moment - self._read_at > usable:
            moment = self._read_at = self._counters.begin()
            self._read_for = owner
        self._began = moment  # the reading may be older: the phase of the request is that of this moment
        return moment

    def end(self) -> None:
        """The owner's step ends, or is cut here; the owner is charged for it."""
        owner = self.owner
        if owner is None:
            return
        self._ended_at = ended = now()
        wall = ended - self._began - self._between - self.deductions.wall
        if self._watchdog is not None:
            self._watchdog.step_ended(self.ident)
        notable = wall > _NOTABLE_NS or (wall > SHORT_NS and self._trips.count_now())
        if (
            notable
            or self._calls.blocking
            or self._calls.answered
            or self.deductions.imported >= _KEPT_NS  # `wall` is without it
            or (self._lines is not None and self._lines.notable())
        ):
            self.look_between_steps()  # before the clocks are read: to read the sockets releases the GIL
            self._charge(owner)
            owner.brief = self._brief_before
            self._calls.clear()
            self._read_at = 0
            self._ended_at = now()  # our own work lies between this step and the next, and nothing else
        else:
            STEPPING.pop(self.ident, None)
            began = max(self._began, self._step_at)  # reading may wait for the GIL
            owner.brief += ended - began if not self.deductions.used else max(0, min(ended - began, wall))
        self.owner = None

    def switch_owner(self, owner: LiveExchange | None) -> None:
        """Cut the step: the rest of it belongs to `owner`; None: to no request."""
        if self.owner is not None:
            self.end()
        if owner is not None:
            self.begin(owner)

    def _charge(self, owner: LiveExchange) -> None:
        end, lines = self.clock.end(), self._lines
        STEPPING.pop(self.ident, None)  # not before: a collection that falls due until then is in what was read
        notable = lines.leave() if lines is not None else ()
        span = Span(owner.number, self._began, self._between, self._chain_turn, self._step)
        segment = self._counters.segment(span, end)
        if lines is not None:
            segment = segment._replace(lines=notable, counted=not lines.exhausted)
        if self._gaps is not None:
            self._gaps.in_step(segment)
            self._gaps.close_interval()  # reading the sockets has released the GIL
        longest = max(segment.cpu, segment.asleep, segment.off_cpu, segment.imported)
        trips = segment.round_trips or segment.doubtful_trips
        if trips or segment.calls or segment.answered or longest >= _KEPT_NS:
            self.segments.append((segment, self._step))

    def exchange_begins(self) -> int:
        """A call on this thread begins that may make a round trip; see `known_calls.Observer`."""
        return self._calls.exchange_begins() if self.owner is not None else 0

    def known_call_ended(
        self, name: str, effect: Effect, began: int, frame: FrameType, asked: int = 0, slept: int = 0
    ) -> None:
        """A known blocking call on this thread has just ended; see `known_calls.Observer`."""
        if self.owner is None:
            return
        if effect in _WAITS:
            self._note_wait(began, frame)
        if effect != "over":
            self._calls.ended(name, effect, began, frame, asked, slept)

    def _note_wait(self, moment: int, frame: FrameType) -> None:
        """asyncio itself asks for results that are there, and a thread that is started says so at once."""
        caller = str(frame.f_globals.get("__name__"))
        if self.owner is not None and caller != "threading" and not caller.startswith("asyncio."):
            self.waits[self.owner.number] = moment

    def another_thread_called(self) -> None:
        """Another thread makes a known call, so it has the GIL now. Runs on that thread."""
        self.look_if_late()
        self.look_between_steps()

    def look_if_late(self) -> None:
        """A look at the step, if it is overdue and none came. The caller has the GIL; it may be the meter's thread."""
        if self._watchdog is not None:
            self._watchdog.sample_if_late()

    def look_between_steps(self) -> None:
        """A look at all threads, if the watchdog is overdue while no step is. The caller has the GIL, as above."""
        if self._watchdog is not None and not self.closed:
            self._watchdog.look_between_steps()

    def look_from_outside(self) -> None:
        """All looks that are due. The caller is another thread that has waited, and may have got the GIL first."""
        self.another_thread_called()
        if self._gaps is not None:
            self._gaps.sample_early()

    def close_gap_interval(self) -> None:
        """Work of ours on this thread has just released the GIL and got it back."""
        if self._gaps is not None:
            self._gaps.close_interval()
