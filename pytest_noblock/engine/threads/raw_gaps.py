"""A wait of the watchdog for the GIL, as it was noted: who burned meanwhile. And as a value, once the test is over."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from pytest_noblock.engine.raw_stacks import RawFrame
from pytest_noblock.engine.stacks import as_stack
from pytest_noblock.engine.steps.python_threads import Marks, burned_by_one_that_ended, is_the_apps
from pytest_noblock.engine.threads.under_way import UnderWay, first_at_user_line
from pytest_noblock.engine.usercode import UserCode
from pytest_noblock.model.frames import Stack

if TYPE_CHECKING:
    from pytest_noblock.model.concurrency import Gap, Worker

_MOST_THREADS = 8
"""Threads of a gap that are kept: those that burned most."""
_ONE_IN = 10
"""A thread that keeps the GIL and computes does so for one in so many ns at least; see `judge.gil_waits`."""


class ThreadInGap(NamedTuple):
    """One thread in a gap."""

    cpu: int
    """ns, a lower bound: what it burned while the watchdog waited."""
    frames: list[RawFrame]
    is_the_apps: bool
    runs_loop: bool
    """Whether it is the loop thread of a request under way: it cannot keep the GIL from itself."""
    is_tests: bool = False
    """Whether it runs the tests."""
    exchanges: tuple[int, ...] = ()
    """The numbers of the requests that it works for, where somebody asked."""
    thread: threading.Thread | None = None
    """None where it has ended."""
    sleeps: int | None = None
    """How often it has gone to sleep since the watchdog's last wake; None where nobody knows."""
    ended: bool = False
    """Whether it had ended when the wait did."""
    at_most: int = 0
    """ns, an upper bound: a part of it may have been burned before the watchdog was due."""


class Burned(NamedTuple):
    """Who computed in a gap, and how much; times in ns. As it stands: nobody knows."""

    threads: Sequence[ThreadInGap] = ()
    """Those that burned most, the first one most of all."""
    others_cpu: int = 0
    computed: int | None = None
    """An upper bound: what the whole process computed; None where nobody knows."""
    collected: int = 0
    """What full collections took of that, which are nobody's."""


class RawGap(NamedTuple):
    """A wait of the watchdog; times in ns."""

    due: int
    ended: int
    switches: int
    asleep: int
    burned: Burned
    awaits: Sequence[tuple[int, list[RawFrame]]]
    """Where the requests wait: the numbers of their exchanges, and the await chains of their tasks or, where the loop
    thread is in a step, its stack; the `def` of the endpoint. Those that wait for a worker come first."""

    @property
    def idle(self) -> bool:
        """Whether the process computed next to nothing: a thread kept the GIL and slept."""
        computed = self.burned.computed
        return computed is not None and _ONE_IN * computed < self.asleep

    @property
    def shared(self) -> int:
        """ns that several threads may have computed in turns, none of them for long."""
        computed, collected = self.burned.computed, self.burned.collected
        return 0 if computed is None else max(0, min(self.asleep, computed - collected))


class Look(NamedTuple):
    """At all threads, in a wait of the watchdog or at its end."""

    at: int
    """ns."""
    stacks: Mapping[int, list[RawFrame]]
    """By identity of the thread."""
    marks: Marks | None
    """None where no thread has a clock."""
    owners: Mapping[int, tuple[int, ...]] = {}
    """See `GapOwners.now`; empty where nobody asked."""


_UNSEEN = Look(0, {}, None)


def looks_at_each(marks: Marks, looks: Sequence[Look]) -> Mapping[int, Look]:
    """For each thread the look at the end of its longest go since the marks: there it has just let go of the GIL."""
    found: dict[int, Look] = {}
    longest: dict[int, int] = {}
    before = marks.cpu
    for look in looks:
        present = look.marks.cpu if look.marks is not None else before
        cpu = {each.ident: ns - before.get(each, 0) for each, ns in present.items()}
        for ident in look.stacks:
            if cpu.get(ident, 0) >= longest.get(ident, 0):
                found[ident], longest[ident] = look, cpu.get(ident, 0)
        before = present
    return found


def burned_in(
    due: int, looks: Mapping[int, Look], under_way: Sequence[UnderWay], marks: Marks, present: Marks
) -> Burned:
    """What was burned while the watchdog waited from `due` on, from one reading of the clocks to another."""
    threads = _threads(due, looks, under_way, marks, present)
    others = sum(each.cpu for each in threads)
    collected = present.collected - marks.collected
    return Burned(threads[:_MOST_THREADS], others, _computed(due, marks, present), collected)


def _threads(
    due: int, looks: Mapping[int, Look], under_way: Sequence[UnderWay], marks: Marks, present: Marks
) -> list[ThreadInGap]:
    """The threads that burned while the watchdog waited from `due` on, the one that burned most first."""
    loops, runners = [each.loop for each in under_way], {each.ident for each in under_way}
    threads = []
    for thread, cpu in present.cpu.items():
        ident = thread.ident or 0
        look = looks.get(ident, _UNSEEN)
        threads.append(
            ThreadInGap(
                _burned(thread, cpu, due, marks),
                look.stacks.get(ident, []),
                _works(thread, loops),
                ident in runners,
                thread is threading.main_thread(),
                look.owners.get(ident, ()),
                thread,
            )
        )
    gone = burned_by_one_that_ended(marks, present)
    sure = max(0, gone - max(0, due - marks.at))  # it may have burned before, too
    threads.append(ThreadInGap(sure, [], is_the_apps=True, runs_loop=False, ended=True, at_most=gone))
    return sorted((each for each in threads if each.cpu), key=lambda each: -each.cpu)


def _computed(due: int, marks: Marks, present: Marks) -> int:
    """CPU (ns) of the whole process after `due`: collections and native threads as well, and the watchdog.

    Before `due` one thread had the GIL, and may have computed all the time since the marks.
    """
    all_since = present.process + present.collected - marks.process - marks.collected
    return max(0, all_since - max(0, due - marks.at))


def _burned(thread: threading.Thread, cpu: int, due: int, marks: Marks) -> int:
    """What the thread burned after `due`, at least: before that it may have burned all the time since the marks."""
    born: int = getattr(thread, "noblock_born", 0)
    since = max(marks.at, born)
    return max(0, cpu - marks.cpu.get(thread, 0) - max(0, due - since))


def with_upper_bounds(burned: Burned, before: Marks, present: Marks) -> Burned:
    """`before`: the last reading of the clocks before the wait."""
    since = {each: cpu - before.cpu.get(each, 0) for each, cpu in present.cpu.items()}
    return burned._replace(
        threads=[each._replace(at_most=since.get(each.thread, 0)) if each.thread else each for each in burned.threads]
    )


def _works(thread: threading.Thread, loops: Sequence[object]) -> bool:
    """Whether the thread is known to work for the app. anyio's workers (4.9 to 4.16) have their loop in `loop`."""
    loop = vars(thread).get("loop")
    return is_the_apps(thread) or (loop is not None and any(loop is each for each in loops))


def as_gaps(raw: Sequence[RawGap], user: UserCode) -> "Iterator[Gap]":
    """Those in which an app's thread burned most, or nobody burned, or nobody read who did."""
    from pytest_noblock.model.concurrency import Gap, Worker

    for gap in raw:
        threads = gap.burned.threads
        apps = [each for each in threads if not each.runs_loop and (each.is_the_apps or _runs_app(each, user))]
        strangers = max((each.cpu for each in threads if each not in apps), default=0)
        known = apps and 2 * strangers < apps[0].cpu  # else nobody knows which of them kept it
        keeper = None if known else _stranger(threads)
        unread = gap.burned.computed is None
        if gap.idle or unread or known or keeper is not None or _ONE_IN * strangers < gap.shared:
            number, awaited = first_at_user_line(gap.awaits, user)
            yield Gap(
                began=gap.due,
                ended=gap.ended,
                late=gap.ended - gap.due,
                switches=gap.switches,
                asleep=gap.asleep,
                others_cpu=gap.burned.others_cpu,
                shared_cpu=gap.shared,
                workers=tuple(_worker(each, awaited, user) for each in apps),
                exchange=_only_owner(apps) if number is None else number,
                seen_by="watchdog",
                stranger=keeper and Worker(keeper.cpu, as_stack(keeper.frames, user)),
                unread=unread,
            )


def _worker(each: ThreadInGap, awaited: Stack, user: UserCode) -> "Worker":
    from pytest_noblock.model.concurrency import Worker

    stack = as_stack(each.frames, user)
    most = max(each.cpu, each.at_most)
    return Worker(each.cpu, stack, awaited, each.exchanges, sleeps=each.sleeps, ended=each.ended, at_most=most)


def _only_owner(apps: Sequence[ThreadInGap]) -> int | None:
    """Whose thread computed most, where it is known."""
    known = apps[0].exchanges if apps else ()
    return known[0] if len(known) == 1 else None


def _stranger(threads: Sequence[ThreadInGap]) -> ThreadInGap | None:
    """The thread that burned most, and more than all others, where it is neither the app's nor the one of the tests.

    An SDK has such a thread, started as the app was imported; a server of a fixture's may be one as well.
    """
    most = max(threads, key=lambda each: each.cpu, default=None)
    if most is None or most.is_the_apps or most.runs_loop or most.is_tests or not most.frames:
        return None
    return most if 2 * most.cpu > sum(each.cpu for each in threads) else None


def _runs_app(each: ThreadInGap, user: UserCode) -> bool:
    return any(user.is_the_apps(code.co_filename) for code, *_ in each.frames)
