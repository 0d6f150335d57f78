"""What the voluntary context switches of a thread say of its waits for the GIL: pure functions.

A thread that waits for the GIL wakes every 5 ms and asks for the GIL again (CPython's `take_gil`). So one long
wait for the GIL shows many switches, and one long sleep shows one switch.
"""

from collections.abc import Sequence
from itertools import pairwise

from pytest_noblock.judge import own_sleeps
from pytest_noblock.judge.own_sleeps import GIL_FREE_NS, found_free, in_own_wait, may_want_gil
from pytest_noblock.model.concurrency import Gap, Worker
from pytest_noblock.model.segment import Sample, Segment
from pytest_noblock.model.stall import BlamedLine
from pytest_noblock.model.units import NS_OF_ONE_WAKE, SWITCH_INTERVAL_NS

FEWEST_SWITCHES = 3
"""The fewest voluntary switches of a wait for the GIL. A sleep of 100 ms, or a wait for a processor, shows 1 or 2."""

NS_PER_SWITCH = 12_000_000
"""Ns: a wait for the GIL shows at least one voluntary switch in this time. The switch interval is 5 ms; measured on a
quiet machine: 99 ms late with 21 switches, 152 ms with 33; 12 ms leaves room for a busy one."""

_FUTILE_SHARE = 9 / 20
"""The share of switches in vain in one long wait, at least. Two threads that wait for the GIL wake at the same time and
wait for each other's lock: two switches for each interval. Measured: 142 switches in 717 ms for one wait beside 4 busy
processes, 250 in 628 and 164 in 392 ms beside a second thread that waits, 72 in 118 ms for many short waits."""

_ONE_SHARE = 4 / 5
"""The same, where a second thread that waits is no excuse. Measured on a quiet machine: 0.98 to 1.01 for one wait, 0.42
to 0.66 for twenty in a row, of 5 ms each."""

_NS_PER_HANDOVER = 2 * SWITCH_INTERVAL_NS
"""Ns: a thread that runs Python code hands the GIL over at least once in this time, while another one asks for it."""

_LEAST_SHARE_OF_CPU = 1 / 10
"""The share of the loop thread's time off the processor that the threads with the GIL compute, at least. Measured on
two processors: 16 % and more for a thread that computes beside 4 or 8 busy processes, 4 to 8 % for one that works 20 us
every 0.3 ms."""

_SHARE_OF_SLEEP = 1 / 3
"""As above, of the sleep alone: where the loop thread waits long for a processor, nobody may have the GIL meanwhile.
Measured beside 15 busy processes: 45 % and more for a thread that computes in turns with the loop thread, which queued
2 s; 18 % for a thread that works 20 us every 0.3 ms beside 4."""

_FEWEST_LOOKS, _FEWEST_BESIDE_THREADS = 2, 4
"""So many looks must find the GIL free; the second where other threads computed as much as one that keeps the GIL and
waits for a processor."""
_FREE_SHARE = 3 / 4
"""The share of the looks, or of the time that was looked at, that found the GIL free, at least. The loop thread may
have had the GIL at one look."""
_LOOKS_OF_ONE_ANSWER, _TIMES_LONGER = 8, 4
"""So many looks, all of which got the GIL at once, tell how long a wait for it takes; and a wait of the loop thread
that is so many times longer was none. Measured: 17 looks of 0 to 0.1 ms beside 44 waits of 9.4 ms for argon2's lanes.
Threads that pass the GIL on after 0.2 ms each let all of them wait about as long."""
_QUEUED_FOR_EACH_SLEPT = 8
"""Ns in the run queue for each ns of a sleep that nobody saw, from which on the machine may have made the sleep. What a
host takes from a virtual machine counts neither as CPU nor as run-queue delay. Measured on pure computations beside
4 busy processes: asleep 53 ms with 1,202 ms in the run queue, 165 with some 2,700."""

_HANDS_OVER_AFTER_NS = 4 * SWITCH_INTERVAL_NS // 5
"""Ns, a little under the switch interval: nobody made a thread hand over the GIL that had it for less."""


def looks_like_gil_wait(switches: int, waited: int) -> bool:
    """Whether a thread that waited for `waited` ns, with so many voluntary switches, may have waited for the GIL."""
    return switches >= max(FEWEST_SWITCHES, waited / NS_PER_SWITCH)


def mostly_futile(switches: int, asleep: int) -> bool:
    """Whether the thread mostly woke in vain, as in one long wait. Each of many short waits ends with the GIL.

    `asleep`: ns that the thread slept in these switches, added up.
    """
    return asleep / SWITCH_INTERVAL_NS >= _FUTILE_SHARE * switches - FEWEST_SWITCHES


def is_surely_one(gap: Gap) -> bool:
    """Whether the gap was one wait, and not many short ones: of a thread that has ended nobody saw the goes."""
    return gap.asleep / SWITCH_INTERVAL_NS >= _ONE_SHARE * gap.switches


def hands_over(worker: Worker) -> bool:
    """Whether the thread let go of the GIL again and again, as one that runs Python code while others ask for it."""
    return worker.sleeps is not None and worker.sleeps >= max(FEWEST_SWITCHES, worker.cpu / _NS_PER_HANDOVER)


def may_pass_it_on(worker: Worker, gap: Gap) -> bool:
    """Whether the thread may have handed the GIL to others in the gap, and had it for a few ms each time.

    In a wait of the watchdog, too: others that wait may have had it before the watchdog. With two threads that work
    20 us every 0.3 ms the watchdog waited 68 ms for a thread that computes in Python: 0.41 to 0.55 of one wait.
    """
    return not is_surely_one(gap) and (worker.ended or hands_over(worker))


def is_known_to_keep_it(worker: Worker, gap: Gap) -> bool:
    """Whether nothing is missing to say so; the loop thread's own waits are mostly futile, or no gap."""
    return gap.seen_by != "watchdog" or is_surely_one(gap) or worker.sleeps is not None


def is_gil_wait(gap: Gap, ns: int) -> bool:
    """Whether the gap was one wait for the GIL, of which `ns` are to be explained.

    The watchdog's is one by itself: it has not had the GIL since it was due. Others may have had it meanwhile.
    """
    one = gap.seen_by == "watchdog" or mostly_futile(gap.switches, gap.asleep)
    return one and looks_like_gil_wait(gap.switches, ns)


def is_lost_in_queue(asleep: int, queued: int | None) -> bool:
    """Whether the thread waited for a processor for so much longer than it slept that the sleep may be no one's."""
    return queued is not None and queued >= _QUEUED_FOR_EACH_SLEPT * asleep


def seen_asleep(segment: Segment) -> bool:
    """Whether a look met the loop thread in a kernel call that waits, and not for the GIL."""
    return any(map(in_own_wait, segment.samples))


def waited_for_watchdog(segment: Segment) -> int:
    """Ns of the sleep in which the watchdog may have had the GIL, for its samples, while the loop thread wanted it."""
    switches = segment.switches or 0
    one_is_longer = segment.asleep > switches * SWITCH_INTERVAL_NS  # then one switch at least was another sleep
    waits = max(0, switches - max(len(segment.calls), one_is_longer))  # each known call slept once itself
    return min(_sampling(segment), waits * SWITCH_INTERVAL_NS)


def waited_for_threads(segment: Segment) -> int:
    """Ns of the sleep in which the loop thread waited for the GIL while other threads had it and computed.

    The number of switches limits this time. The CPU of the other threads does not: the thread that has the GIL may
    wait for a processor, and then computes less than the loop thread waits. Where the GIL was free, nobody waited; nor
    did the loop thread where look after look meets it in another wait.
    """
    if gil_was_free(segment):
        return 0
    waits = max(0, (segment.switches or 0) - len(segment.calls))  # each known call slept once itself
    if not (_threads_computed(segment) and looks_like_gil_wait(waits, segment.asleep)):
        return 0
    others = segment.asleep - own_sleeps.between_looks(segment)
    return max(0, min(others, waits * NS_OF_ONE_WAKE))


def slept_by_itself(segment: Segment, place: BlamedLine, needed: int) -> bool:
    """Whether one run proves that the app itself slept for the ns that are `needed`; for the full meter.

    After a switch interval another thread may make the loop thread hand over the GIL. On a busy machine the other
    thread then waits for a processor, and the loop thread sleeps for as long. This did not happen where the loop
    thread was seen in another wait for so long, or had the GIL for less than the interval, or where nobody else had the
    GIL for long. In all other cases a user line must have been sampled, and the watchdog's samples must not explain
    the sleep.
    """
    had_gil = segment.cpu + segment.taken_off
    if place.witnessed and (segment.lines or own_sleeps.shown(segment) >= needed):
        return True
    if had_gil + segment.collected + (segment.queued or 0) < _HANDS_OVER_AFTER_NS:
        return True
    by_watchdog = 2 * _sampling(segment) >= segment.asleep
    kept_to_itself = had_gil < _HANDS_OVER_AFTER_NS or _slept_while_gil_was_free(segment, needed)
    return kept_to_itself and place.frame is not None and not by_watchdog


def _slept_while_gil_was_free(segment: Segment, needed: int) -> bool:
    return gil_was_free(segment) and own_sleeps.shown(segment, _asleep_without_gil) >= needed


def _asleep_without_gil(look: Sample) -> bool:
    """Whether it met the loop thread asleep, while nobody had the GIL. One that runs may compute without the GIL."""
    return in_own_wait(look) or (found_free(look) and look.syscall != "running")


def gil_was_free(segment: Segment) -> bool:
    """Whether nobody had the GIL for long while the loop thread slept.

    Two things show it: the watchdog got the GIL at once when it asked, and the threads that can have the GIL computed
    for less than half of the sleep. A thread that has the GIL and waits for a processor computes little, and keeps the
    watchdog waiting. Where the threads' CPU is not known by thread, it shows too that each wait of the loop thread was
    much longer than the watchdog's.
    """
    looks = [sample for sample in segment.samples if sample.gil_wait is not None]
    at_once = sum(map(found_free, looks))
    fewest = _FEWEST_BESIDE_THREADS if _threads_computed(segment) else _FEWEST_LOOKS
    if at_once < fewest or not _mostly_free(looks):
        return False
    return 2 * _threads_cpu(segment) < segment.off_cpu or (
        segment.threads_cpu is None and at_once == len(looks) and _waited_longer(segment, at_once)
    )


def _waited_longer(segment: Segment, looks: int) -> bool:
    """Whether a wait of the loop thread took far longer on average than any of so many looks waited for the GIL."""
    waits = max(1, segment.switches or 0)
    return looks >= _LOOKS_OF_ONE_ANSWER and segment.asleep >= waits * _TIMES_LONGER * GIL_FREE_NS


def _mostly_free(looks: Sequence[Sample]) -> bool:
    """By their number, or by the time since the look before each: they become rarer the longer the step lasts.

    By number alone, two early looks while the threads of a `multiprocessing.Pool` started outweighed 200 ms of sleep.
    By time alone, one late look that waited 4 ms for the GIL outweighed six of argon2's lanes: that look met a thread
    in its turn. One that waited longer than a turn met a thread that kept the GIL, and stands for its time.
    """
    spans = [look.ended - before.ended for before, look in pairwise(looks)]
    free = sum(span for span, look in zip(spans, looks[1:], strict=True) if found_free(look))
    in_turns = all(look.gil_wait is not None and look.gil_wait < SWITCH_INTERVAL_NS for look in looks)
    by_number = in_turns and sum(map(found_free, looks)) >= _FREE_SHARE * len(looks)
    return by_number or free >= _FREE_SHARE * sum(spans)


def _threads_computed(segment: Segment) -> bool:
    """Whether other threads computed as much as the threads would that kept the GIL for the whole sleep."""
    computed = _threads_cpu(segment)
    return threads_computed(computed, segment.off_cpu) or computed >= segment.asleep * _SHARE_OF_SLEEP


def threads_computed(cpu: int, waited: int) -> bool:
    """Whether other threads computed so much (ns) in a time (ns) that they may have had the GIL in it."""
    return cpu >= waited * _LEAST_SHARE_OF_CPU


def _threads_cpu(segment: Segment) -> int:
    """The most CPU (ns) that other threads burned that can have the GIL.

    What a thread burned that has ended since, as those of `multiprocessing.Pool`, is known as part of the process's.
    """
    return segment.others_cpu if segment.threads_cpu is None else min(segment.others_cpu, segment.threads_cpu)


def _sampling(segment: Segment) -> int:
    """Ns in which the watchdog took samples while the loop thread may have wanted the GIL."""
    return sum(sample.ended - sample.due for sample in segment.samples if may_want_gil(sample))
