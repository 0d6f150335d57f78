"""Gaps of watched tests: while a request is under way and no step runs, the watchdog asks for the GIL now and then.

Nothing of ours runs on the loop thread between two steps, and the loop is the test's own. But a thread that keeps the
GIL from the loop thread keeps it from the watchdog as well. All of it but `overtaken` runs on the watchdog's thread,
which mostly has the GIL right after the C call that kept it.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from pytest_noblock.engine.clocks import Clock, queued, voluntary_switches
from pytest_noblock.engine.current_frames import current_frames
from pytest_noblock.engine.now import now
from pytest_noblock.engine.raw_stacks import capture
from pytest_noblock.engine.steps.python_threads import Marks, PythonThreads, read_clocks
from pytest_noblock.engine.threads.raw_gaps import Burned, Look, RawGap, as_gaps, burned_in, stacks_of
from pytest_noblock.engine.threads.under_way import UnderWay, endpoints_of, places_of, waits_for_no_worker
from pytest_noblock.engine.usercode import UserCode

if TYPE_CHECKING:
    from pytest_noblock.model.concurrency import Gap

_KEPT_NS = 1_000_000_000
"""So long after its return a request is still looked at: a late wake asks who was under way when it was due."""
_MOST_GAPS = 100
_MOST_LOOKS = 8
"""So many times other threads look while the watchdog waits."""
_OFTEN = 20
"""So many times the watchdog wakes after `after` while the same requests are under way, later after twice that. It
keeps the GIL for 30 to 60 us each time: half a per cent of the time at 10 ms."""


class WatchedGaps:
    """The gaps of one watched test in which the watchdog waited `after` ns and longer."""

    def __init__(
        self, after: int, requests: Callable[[int], Sequence[UnderWay]], marks: Callable[[], Sequence[Marks | None]]
    ) -> None:
        """`requests`: all but the first so many. `marks`: the CPU time of the threads when the last steps began."""
        self._after = after
        self._requests = requests
        self._known = 0
        """So many requests have been looked at."""
        self._open: list[UnderWay] = []
        """Those of them that were under way not long ago: a test may make thousands."""
        self._marks_of_steps = marks
        self._marks: Marks | None = None
        """At its last wake; before the first one, those of `begin`."""
        self._earlier: Marks | None = None
        """Those before: a look that a thread interrupts has its marks after the wait."""
        self._early: list[Look] = []
        """Those of threads that got the GIL before the watchdog, since its last wake."""
        self._gaps: list[RawGap] = []
        self._under_way: set[int] = set()
        self._over: list[UnderWay] = []
        """Those that are over, and whose last turn goes on."""
        self._wakes = 0
        self.also: list[Callable[[Sequence[UnderWay]], object]] = []
        """Called at each wake as well, with the requests under way; with those that are just over where none is. A true
        answer asks for another wake."""

    def begin(self, threads: PythonThreads) -> None:
        """The first request enters, on a loop thread whose steps mark the threads. The rest is the watchdog's.

        The first wait may end after several steps have begun, and marked anew.
        """
        if self._marks is None:
            threads.step_begins(now())
            self._marks = threads.marks

    def woke(self, due: int, ended: int, clock: Clock, delay: bytes, switches: int) -> None:
        """See `BetweenSteps`."""
        with suppress(Exception):  # the loop goes on once this thread lets go of the GIL: a set may change its size
            self._note(due, ended, clock, delay, switches)
        self._early = []
        self._earlier, self._marks = self._marks, read_clocks(now())

    def _note(self, due: int, ended: int, clock: Clock, delay: bytes, switches: int) -> None:
        asleep = ended - due - queued(clock.delay()) + queued(delay) if ended - due >= self._after else 0
        if asleep < self._after or len(self._gaps) >= _MOST_GAPS:
            return
        looks = [*(each for each in self._early if due < each.at), _look()]
        under_way = self._at(due)
        if under_way:
            awaits = [each for request in under_way for each in places_of(request)]
            awaits = [*sorted(awaits, key=waits_for_no_worker), *endpoints_of(under_way)]
            woken = voluntary_switches() - switches - 1  # the timer is no wait in vain
            burned = self._burned(due, looks, under_way)
            self._gaps.append(RawGap(due, ended, woken, asleep, burned, awaits))

    def overtaken(self) -> None:
        """See `BetweenSteps`. The thread that kept the GIL until now may go on before the watchdog looks."""
        since = self._early[-1].at if self._early else 0
        if now() - since >= self._after and len(self._early) < _MOST_LOOKS:
            with suppress(Exception):  # as in `woke`
                self._early.append(_look())

    def _burned(self, due: int, looks: Sequence[Look], under_way: Sequence[UnderWay]) -> Burned:
        marks, present = self._marks_before(due), looks[-1].marks
        return burned_in(due, stacks_of(marks, looks), under_way, marks, present) if marks and present else Burned()

    def _at(self, moment: int) -> list[UnderWay]:
        """The requests under way then (ns)."""
        new = self._requests(self._known)
        self._known += len(new)
        self._open = [each for each in (*self._open, *new) if not each.over_by(moment - _KEPT_NS)]
        return [each for each in self._open if each.at(moment)]

    def again(self) -> int:
        """In how many ns the watchdog is to wake again; 0 while no request is under way."""
        moment = now()
        requests = self._at(moment)
        under_way = {each.record.number for each in requests}
        if under_way != self._under_way:
            self._under_way, self._wakes = under_way, 0
        self._wakes += 1
        goes_on, seen = False, requests or self._over or self._just_over(moment)
        for look in self.also:
            with suppress(Exception):  # as in `woke`
                goes_on |= bool(look(seen))
        self._over = seen if goes_on and not under_way else []
        if not under_way:
            return self._after if goes_on else 0
        return self._after if self._wakes <= _OFTEN else 2 * self._after

    def _just_over(self, moment: int) -> list[UnderWay]:
        """The turn in which a request ended may go on: the loop lets go of what the request leaves, as a result."""
        return [each for each in self._open if not each.over_by(moment - 2 * self._after)]

    def _marks_before(self, due: int) -> Marks | None:
        """The last ones that were made by then (ns)."""
        before = (
            each
            for each in (self._marks, self._earlier, *self._marks_of_steps())
            if each is not None and each.at <= due
        )
        return max(before, key=lambda each: each.at, default=None)

    def gaps(self, user: UserCode) -> "tuple[Gap, ...]":
        """All gaps in which an app's thread burned most, or nobody burned, once the test is over."""
        return tuple(as_gaps(self._gaps, user))

    def __bool__(self) -> bool:
        return bool(self._gaps)


def _look() -> Look:
    """The stacks first: to read the clocks takes time."""
    moment = now()
    stacks = {ident: capture(frame) for ident, frame in current_frames().items()}
    return Look(moment, stacks, read_clocks(now()))
