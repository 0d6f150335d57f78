"""How long the other Python threads waited for a processor while the loop thread slept.

A loop thread that waits for a worker's result, or for a lock that a worker has, sleeps until the worker has run. On a
busy machine the worker waits for a processor first: the sleep is long, and the app did not make it so. The kernel knows
each thread's run-queue delay (`clocks.queued`). It is read where the watchdog looks at a step, and at the step's end:
a short step is never looked at, and pays nothing. Only Linux tells; elsewhere such a sleep counts as the app's.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from pytest_noblock.engine.steps.thread_marks import Marks
from pytest_noblock.model.segment import BesideIt

_STARVED_SHARE = 1 / 2
"""Of the loop thread's sleep, as far as both were read: from here on, what was not read may have been a wait for a
processor as well. Measured for 12 ms of work beside three busy processes on two processors: 70 to 95 %; for a worker
that sleeps 200 ms there: under 20 %."""

_IDLE_NS, _IDLE_CPU_NS = 40_000_000, 1_000_000
"""Ns. A thread that computed for no more than the second in the first had nothing to do: it ended its last work. Of
those that compute all the time, one that three busy processes keep waiting for so long looks the same, but seldom."""


class Look(NamedTuple):
    """One moment of a step."""

    asleep: int
    """Ns that the loop thread had slept by then, in this step."""
    waits: bool | None
    """Whether the loop thread was in a wait that another thread may end; None: it was in no wait, or nobody knows."""
    marks: Marks


class Queued(NamedTuple):
    """Ns of the loop thread's sleep."""

    surely: int
    """In which each thread that may have ended the sleep waited for a processor."""
    at_most: int
    """In which one of them did, or may have done so."""
    threads: tuple[BesideIt, ...] = ()
    """Those that ran since the first look that met the sleep."""


NOTHING = Queued(0, 0)


class Begin(NamedTuple):
    """A step's begin."""

    at: int
    """When it was (ns)."""
    cpu: Mapping[int, int]
    """The CPU time (ns) of the threads then, or a little before, by their native ids."""


def queued_meanwhile(looks: Sequence[Look], loop: int, began: Begin, wall: int) -> Queued:
    """Of the sleep in one step, which took `wall` ns. `looks`: its own and one at its end; `loop`: a native id.

    Which thread ended the sleep is not known, only that it ran after the last look that met the sleep. So the least
    delay of those is sure, if they had nothing to do before the step: what computes all the time, or works now and
    then, does so whatever the loop thread waits for. Possible is the greatest delay of all that ran after the first
    such look, because one may have waited for another.
    """
    natives = {native for look in looks for native in look.marks.threads} - {loop}
    idle = _idle_before(looks[0].marks, began)
    looks = [_begin(looks[0], began.cpu), *looks]
    met = [number for number, look in enumerate(looks) if look.waits and number] or [0]
    clocks = {native: _clocks(native, looks, began.cpu) for native in natives}
    ran = [native for native, cpu in clocks.items() if _has_run(cpu[met[0] :])]
    sure = {
        native: _thread(native, looks, sure=True).queued if native in idle else 0
        for native in ran
        if _has_run(clocks[native][met[-1] :])
    }
    return all_of(
        [
            BesideIt(each, sure.get(each), _thread(each, looks, sure=False).at_most, _burned(clocks[each]) / wall)
            for each in ran
        ]
    )


def all_of(threads: Sequence[BesideIt]) -> Queued:
    """What they explain of the sleep together: the least of those that may have ended it is sure."""
    ended_it = [each.surely for each in threads if each.surely is not None]
    return Queued(min(ended_it, default=0), max((each.at_most for each in threads), default=0), tuple(threads))


def _has_run(cpu: Sequence[int | None]) -> bool:
    return len(set(cpu)) > 1


def _burned(cpu: Sequence[int | None]) -> int:
    """As far as it was read."""
    known = [ns for ns in cpu if ns is not None]
    return known[-1] - known[0]


def _idle_before(first: Marks, began: Begin) -> set[int]:
    """The threads that had not run for a while when the step began, and those that began in it."""
    born = first.threads.keys() - began.cpu.keys() if began.cpu else set()
    in_wait = {native for native, mark in first.before.items() if mark.state == "waits"}
    long_ago = {native for native in in_wait if 0 < first.before[native].at <= began.at - _IDLE_NS}
    spent = {native: began.cpu[native] - first.before[native].cpu for native in long_ago & began.cpu.keys()}
    return born | {native for native, ns in spent.items() if ns < _IDLE_CPU_NS}


def _clocks(native: int, looks: Sequence[Look], at_begin: Mapping[int, int]) -> list[int | None]:
    """The CPU time of a thread at each look; None where it has ended, or nobody knew it yet."""
    marks = (each.marks.threads.get(native) for each in looks[1:])
    return [at_begin.get(native), *(None if each is None else each.cpu for each in marks)]


def _begin(first: Look, at_begin: Mapping[int, int]) -> Look:
    """The step's begin, as far as it is known: a thread that has not run since its last mark has not queued either."""
    before = first.marks.before
    still = {native: mark for native, mark in before.items() if mark.cpu == at_begin.get(native)}
    return Look(0, first.waits, first.marks._replace(threads=still))


class _Thread(NamedTuple):
    """What one thread did while the loop thread slept; ns of the loop thread's sleep."""

    queued: int
    read: int
    """In which the thread's delay was read."""
    cpu: int
    """What it computed meanwhile."""
    begin: int
    """Before the first reading."""
    begin_queued: int
    """What the thread queued then, at most."""
    end: int
    """After the last reading of a thread that has ended."""
    watchdog: int
    """Run-queue delay of the watchdog: it may have had the GIL of those who handed it over."""
    sleeps: bool
    """Whether a look met it in a wait of its own."""

    @property
    def at_most(self) -> int:
        if self.sleeps:
            return self.queued
        delayed = self.queued + self.begin_queued
        if not delayed or delayed + self.watchdog < _STARVED_SHARE * (self.read + self.begin):
            return self.queued
        most = min(delayed + self.end + self.watchdog, self.read + self.begin + self.end - self.cpu)
        return max(self.queued, most)


def _thread(native: int, looks: Sequence[Look], *, sure: bool) -> _Thread:
    """`sure`: only of the sleep that was seen to be a wait for another thread.

    A wait for a processor that goes on at a look is told by a later one: `room` is the sleep that it may have made.
    """
    found = read = room = cpu = begin = begin_queued = end = 0
    seen = sleeps = False
    for before, after in pairwise(looks):
        waits = before.waits or (before.waits is None and not sure)
        passed = max(0, after.asleep - before.asleep) if waits else 0
        known, present = before.marks.threads.get(native), after.marks.threads.get(native)
        if present is None:
            end += passed if seen or known is not None else 0  # before it began, nobody waited for it
        elif known is None:
            begin += passed
            begin_queued += min(passed, present.queued - after.marks.before[native].queued)
        else:
            read += passed
            room += passed
            delayed = min(room, max(0, present.queued - known.queued))
            found, room = found + delayed, room - delayed
            cpu += present.cpu - known.cpu
        seen = seen or present is not None
        sleeps = sleeps or (present is not None and present.state == "sleeps" and after is not looks[-1])
        if present is not None and present.state != "wants":
            room = 0
    watchdog = max(0, looks[-1].marks.watchdog - looks[0].marks.watchdog)
    return _Thread(found, read, cpu, begin, begin_queued, end, watchdog, sleeps)
