"""Gaps of watched tests: while a request is under way and no step runs, the watchdog asks for the GIL now and then.

Nothing of ours runs on the loop thread between two steps, and the loop is the test's own. But a thread that keeps the
GIL from the loop thread keeps it from the watchdog as well. All of it but `overtaken` runs on the watchdog's thread,
which mostly has the GIL right after the C call that kept it.
"""

from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from pytest_noblock.engine.clocks import Clock, queued, voluntary_switches
from pytest_noblock.engine.current_frames import current_frames
from pytest_noblock.engine.now import now
from pytest_noblock.engine.raw_stacks import capture
from pytest_noblock.engine.steps.python_threads import Marks, PythonThreads, read_clocks
from pytest_noblock.engine.threads.raw_gaps import (
    Burned,
    Look,
    RawGap,
    ThreadInGap,
    as_gaps,
    burned_in,
    looks_at_each,
    with_upper_bounds,
)
from pytest_noblock.engine.threads.sleep_counts import SleepCounts
from pytest_noblock.engine.threads.under_way import UnderWay, endpoints_of, places_of, waits_for_no_worker
from pytest_noblock.engine.usercode import UserCode

if TYPE_CHECKING:
    from pytest_noblock.engine.threads.gap_owners import GapOwners
    from pytest_noblock.model.concurrency import Gap

_KEPT_NS = 1_000_000_000
"""So long after its return a request is still looked at: a late wake asks who was under way when it was due."""
_MOST_GAPS = 100
_MOST_MARKS = 8
_MOST_THREADS_OF_MANY = 400
"""A sweep widens the pools. To read so many takes 0.2 ms, at each wake."""
_MOST_LOOKS = 8
"""So many times other threads look while the watchdog waits."""
_OFTEN = 20
"""So many times the watchdog wakes after `after` while the same requests are under way, later after twice that. It
keeps the GIL for 30 to 60 us each time: half a per cent of the time at 10 ms."""


class WatchedGaps:
    """The gaps of one watched test in which the watchdog waited `after` ns and longer."""

    def __init__(
        self,
        after: int,
        requests: Callable[[int], Sequence[UnderWay]],
        marks: Callable[[], Sequence[Marks | None]],
        owners: "GapOwners | None" = None,
    ) -> None:
        """`requests`: all but the first so many. `marks`: the CPU time of the threads when the last steps began.

        `owners`: tells whose thread it was, where many requests are under way; else whoever waits for one may be it.
        """
        self._after = after
        self._owners = owners
        self._requests = requests
        self._known = 0
        """So many requests have been looked at."""
        self._open: list[UnderWay] = []
        """Those of them that were under way not long ago: a test may make thousands."""
        self._marks_of_steps = marks
        self._marks: deque[Marks] = deque(maxlen=_MOST_MARKS)
        """Those of `begin`, of the last wakes, and of the looks."""
        self._early: list[Look] = []
        """Those of threads that got the GIL before the watchdog, since its last wake."""
        self._sleeps = SleepCounts()
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
        if not self._marks:
            threads.step_begins(now())
            self._keep(threads.marks)
            self._sleeps.begin(threads.marks)

    def _keep(self, marks: Marks | None) -> None:
        if marks is not None:
            self._marks.append(marks)

    def woke(self, due: int, ended: int, clock: Clock, delay: bytes, switches: int) -> None:
        """See `BetweenSteps`."""
        with suppress(Exception):  # the loop goes on once this thread lets go of the GIL: a set may change its size
            self._note(due, ended, clock, delay, switches)
        self._early = []
        marks = self._clocks()
        self._keep(marks)
        self._sleeps.count(marks)

    def _note(self, due: int, ended: int, clock: Clock, delay: bytes, switches: int) -> None:
        asleep = ended - due - queued(clock.delay()) + queued(delay) if ended - due >= self._after else 0
        if asleep < self._after or len(self._gaps) >= _MOST_GAPS:
            return
        looks = [*(each for each in self._early if due < each.at), self._look()]
        under_way = self._at(due)
        if under_way:
            burned = self._burned(due, looks, under_way)
            burned = burned._replace(threads=[self._with_sleeps(each) for each in burned.threads])
            owners = under_way if self._owners is None else self._owners.of(burned.threads, under_way)
            awaits = [each for request in owners for each in places_of(request)]
            awaits = [*sorted(awaits, key=waits_for_no_worker), *endpoints_of(owners)]
            woken = voluntary_switches() - switches - 1  # the timer is no wait in vain
            self._gaps.append(RawGap(due, ended, woken, asleep, burned, awaits))

    def _with_sleeps(self, each: ThreadInGap) -> ThreadInGap:
        """Of one that computed for so long that it may be the one which kept the GIL."""
        sleeps = self._sleeps.since(each.thread) if each.cpu >= self._after else None
        return each._replace(thread=None, sleeps=sleeps)

    def overtaken(self) -> None:
        """See `BetweenSteps`. The thread that kept the GIL until now may go on before the watchdog looks."""
        since = self._early[-1].at if self._early else 0
        if now() - since >= self._after and len(self._early) < _MOST_LOOKS:
            with suppress(Exception):  # as in `woke`
                self._early.append(self._look())

    def _look(self) -> Look:
        """The stacks first: to read the clocks takes time."""
        moment = now()
        stacks = {ident: capture(frame) for ident, frame in current_frames().items()}
        owners = self._owners.now() if self._owners is not None else {}
        marks = self._clocks()
        self._keep(marks)
        return Look(moment, stacks, marks, owners)

    def _clocks(self) -> Marks | None:
        return read_clocks(now()) if self._owners is None else read_clocks(now(), most=_MOST_THREADS_OF_MANY)

    def _burned(self, due: int, looks: Sequence[Look], under_way: Sequence[UnderWay]) -> Burned:
        """Each reading of the clocks gives a lower bound of what the threads burned, and the highest one counts.

        The last one before `due` is too old where a thread kept the GIL from one wait to the next: what the thread
        before it burned may be all that was burned since. Then somebody has looked in between.
        """
        present = looks[-1].marks
        if present is None:
            return Burned()
        known = [each for each in (*self._marks, *self._marks_of_steps()) if each is not None]
        before = max((each for each in known if each.at <= due), key=lambda each: each.at, default=None)
        later = [each for each in known if due < each.at < present.at]
        first = self._since(before, due, looks, under_way) if before is not None else Burned()
        most = max((self._since(each, due, looks, under_way) for each in later), key=_others_cpu, default=first)
        more = most.others_cpu >= first.others_cpu + self._after
        burned = most._replace(computed=first.computed, collected=first.collected) if more else first
        return burned if before is None else with_upper_bounds(burned, before, present)

    @staticmethod
    def _since(marks: Marks, due: int, looks: Sequence[Look], under_way: Sequence[UnderWay]) -> Burned:
        present = looks[-1].marks or marks
        return burned_in(due, looks_at_each(marks, looks), under_way, marks, present)

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

    def gaps(self, user: UserCode) -> "tuple[Gap, ...]":
        """All gaps in which an app's thread burned most, or nobody burned, once the test is over."""
        return tuple(as_gaps(self._gaps, user))

    def __bool__(self) -> bool:
        return bool(self._gaps)


def _others_cpu(burned: Burned) -> int:
    return burned.others_cpu
