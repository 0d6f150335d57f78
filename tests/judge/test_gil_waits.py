"""What voluntary switches say of waits for the GIL: tables of literals, most of them measured."""

import pytest

from pytest_noblock.judge import gil_waits
from pytest_noblock.model.frames import Frame
from pytest_noblock.model.segment import BlockingCall, LineCost, Sample, Segment
from pytest_noblock.model.stall import BlamedLine

MS = 1_000_000
FRAME = Frame("/app/main.py", 7, "report", user=True)
CAUGHT = BlamedLine(FRAME)
WITNESSED = CAUGHT._replace(witnessed=True)
COST = LineCost(FRAME, (FRAME,), hits=1, cpu=0, asleep=80 * MS, round_trips=0)
CALL = BlockingCall("time.sleep", False, 0, 5 * MS, (FRAME,))


def segment(asleep, switches, *, cpu=0, queued=0, others_cpu=0, collected=0, **more):
    """One step in ms."""
    asleep, cpu, queued, others_cpu, collected = (round(x * MS) for x in (asleep, cpu, queued, others_cpu, collected))
    return Segment(
        exchange=1,
        began=0,
        ended=asleep + cpu + queued + collected,
        cpu=cpu,
        collected=collected,
        queued=queued,
        switches=switches,
        others_cpu=others_cpu,
        round_trips=0,
        doubtful_trips=0,
        **more,
    )


def sample(due, ended, syscall="futex", gil_wait=None):
    return Sample(due * MS, due * MS, ended * MS, (), syscall, None if gil_wait is None else round(gil_wait * MS))


def looks(*gil_waits):
    """Short samples, for each of which the watchdog waited for the GIL so long (ms)."""
    return tuple(sample(20 * number, 20 * number, gil_wait=wait) for number, wait in enumerate(gil_waits))


RARER = tuple(
    sample(due, due + took, gil_wait=wait)
    for due, took, wait in [
        (17, 1, 1.7), (37, 1, 9.3), (58, 1, 0.1), (89, 1, 0.9), (132, 1, 0.1), (182, 1, 0.2), (243, 1, 0.2),
    ]
)  # fmt: skip
"""Measured beside other processes while `multiprocessing.Pool` started its threads and slept: a look waits longer for
the next one each time."""
KEPT_LATER = tuple(
    look._replace(gil_wait=wait * MS) for look, wait in zip(RARER, [0, 0, 0, 0, 0, 0, 30], strict=True)
)  # the last 61 of 226 ms


SQLITE = tuple(sample(at, at, "clock_nanosleep") for at in (0, 40, 120))
"""A locked database, beside a thread that computes all the time."""


@pytest.mark.parametrize(
    ("switches", "waited", "looks"),
    [
        (21, 99, True),
        (33, 152, True),
        (142, 717, True),
        (119, 617, True),
        (1, 100, False),  # a sleep
        (2, 100, False),
        (2, 5, False),
        (3, 5, True),
        (8, 99, False),
        (9, 99, True),  # 12 ms a switch
    ],
)
def test_a_wait_for_the_gil_shows_many_switches(switches, waited, looks):
    assert gil_waits.looks_like_gil_wait(switches, waited * MS) is looks


@pytest.mark.parametrize(
    ("switches", "asleep", "futile"),
    [(142, 717, True), (72, 118, False), (21, 99, True), (250, 628, True), (164, 392, True)],
)
def test_one_long_wait_wakes_in_vain_and_many_short_ones_do_not(switches, asleep, futile):
    assert gil_waits.mostly_futile(switches, asleep * MS) is futile


@pytest.mark.parametrize(
    ("step", "waited"),
    [
        (segment(99, 21, others_cpu=99), 99),
        (segment(717, 142, others_cpu=202), 717),  # the thread that had it waited for a processor
        (segment(99, 9, others_cpu=99), 54),  # 6 ms a switch
        (segment(99, 21, others_cpu=9), 0),  # hardly anybody computed
        (segment(99, 1, others_cpu=99), 0),  # one sleep beside a busy thread
        (segment(99, 21, others_cpu=99, calls=(CALL,) * 20), 0),  # twenty sleeps, all of them seen
        (segment(99, 21, others_cpu=99, calls=(CALL,) * 2), 99),
        (segment(97.6, 21, cpu=8.8, queued=4.4, others_cpu=177.4, threads_cpu=0), 0),  # argon2's own four threads
        (segment(89, 22, cpu=8.4, queued=15.6, others_cpu=150.7, threads_cpu=int(4.5 * MS)), 0),  # and a small thread
        (segment(77.8, 21, cpu=10.3, queued=168.8, others_cpu=194, threads_cpu=14 * MS), 0),  # beside busy processes
        (segment(60.8, 13, cpu=7.3, queued=59.3, others_cpu=19, threads_cpu=19 * MS), 60.8),  # json.dumps, beside 4
        (segment(110.9, 17, cpu=0.9, queued=9.3, others_cpu=26.8, threads_cpu=26 * MS), 102),
        (segment(62.3, 47, cpu=70, queued=11.7, others_cpu=66.8, threads_cpu=67 * MS), 62.3),  # in pure Python
        (segment(125.7, 12, cpu=1.4, others_cpu=68.8, samples=SQLITE), 5.7),  # it sleeps again and again, but alone
        (segment(125.7, 12, cpu=1.4, others_cpu=68.8, samples=(SQLITE[0], sample(40, 40), SQLITE[2])), 72),
        (segment(210, 98, cpu=100, queued=2000, others_cpu=100, threads_cpu=100 * MS), 210),  # the same, beside 15
    ],
)
def test_what_of_the_sleep_was_a_wait_for_threads_that_computed(step, waited):
    assert gil_waits.waited_for_threads(step) == round(waited * MS)


@pytest.mark.parametrize(
    ("step", "waited"),
    [
        (segment(80, 7), 0),
        (segment(30, 7, samples=(sample(10, 40),)), 30),
        (segment(30, 7, samples=(sample(10, 40, "poll"),)), 0),  # it waited for something else
        (segment(30, 7, samples=(sample(10, 20), sample(20, 25, "running"), sample(25, 40, "poll"))), 15),
        (segment(80, 3, samples=(sample(10, 70),)), 10),  # one of the three is another sleep: it is too long
        (segment(80, 1, samples=(sample(10, 70),), calls=(CALL,)), 0),
        (segment(20, 7, samples=(sample(0, 30),), calls=(CALL,) * 5), 10),
    ],
)
def test_what_of_the_sleep_was_a_wait_for_the_watchdog(step, waited):
    assert gil_waits.waited_for_watchdog(step) == waited * MS


@pytest.mark.parametrize(
    ("step", "place", "own"),
    [
        (segment(80, 1), BlamedLine(), True),
        (segment(80, 1, cpu=3), BlamedLine(), True),
        (segment(80, 1, cpu=4), BlamedLine(), False),  # it may have been made to hand over the GIL
        (segment(80, 1, cpu=1, queued=3), BlamedLine(), False),
        (segment(80, 1, cpu=1, collected=3), BlamedLine(), False),
        (segment(80, 1, cpu=1, queued=3), CAUGHT, True),
        (segment(80, 1, cpu=4), CAUGHT, False),
        (segment(80, 1, cpu=40), WITNESSED, False),
        (segment(80, 1, cpu=40, samples=(sample(20, 21, "poll"),)), WITNESSED, True),
        (segment(80, 1, cpu=40, lines=(COST,)), WITNESSED, True),
        (segment(80, 1, cpu=1, queued=3, samples=(sample(10, 50),)), CAUGHT, False),  # the sampling explains it
        (segment(80, 1, cpu=1, queued=3, samples=(sample(10, 49),)), CAUGHT, True),
    ],
)
def test_a_sleep_is_the_apps_own_where_nobody_could_make_it_hand_over_the_gil(step, place, own):
    assert gil_waits.slept_by_itself(step, place, 50 * MS) is own


@pytest.mark.parametrize(("waits", "own"), [((6.1, 5.2), False), ((0.1, 0.1), True)])
def test_cpu_that_was_taken_off_is_time_with_the_gil(waits, own):
    """Datasette: 16 templates loaded for the first time, 86 ms, beside threads of its pool; asleep 54.6 ms."""
    loading = segment(54.6, 12, cpu=86.8, first_use=86 * MS, threads_cpu=0, samples=looks(*waits))
    assert gil_waits.slept_by_itself(loading.without_first_use(), CAUGHT, 50 * MS) is own
    assert gil_waits.slept_by_itself(segment(54.6, 12, cpu=0.8), CAUGHT, 50 * MS)  # nothing was taken off


@pytest.mark.parametrize(
    ("step", "free"),
    [
        (segment(97.6, 21, cpu=8.8, others_cpu=177, threads_cpu=0, samples=looks(0.08, 0.17, 0.09, 0.07)), True),
        (segment(132, 22, cpu=7.7, others_cpu=149, threads_cpu=0, samples=looks(0.05, 0.05, 6.05, 0.04, 0.06)), True),
        (segment(97.6, 21, cpu=8.8, others_cpu=177, threads_cpu=0, samples=looks(0.08)), False),  # one is by chance
        (segment(97.6, 21, cpu=8.8, others_cpu=177, threads_cpu=0, samples=looks(None, None)), False),
        (segment(322, 10, cpu=6.1, queued=20.3, others_cpu=1.9, samples=looks(*[0.08] * 7)), True),  # threads of a Pool
        (segment(425, 14, cpu=6.9, queued=33.5, others_cpu=250, samples=looks(*[0.08] * 7)), False),
        (segment(97.6, 21, cpu=8.8, others_cpu=177, samples=looks(0.08, 0.17)), False),  # perhaps a Python thread's CPU
        (segment(113, 41, cpu=1.2, others_cpu=131, threads_cpu=131 * MS, samples=looks(0.2, 0.1)), False),
        (segment(113, 41, cpu=1.2, others_cpu=131, threads_cpu=131 * MS, samples=looks(*[0.1] * 6)), False),
        (segment(221, 30, cpu=8.7, others_cpu=300, threads_cpu=25 * MS, samples=looks(*[0.1] * 5)), True),
        (segment(221, 30, cpu=8.7, others_cpu=300, threads_cpu=25 * MS, samples=looks(0.1, 0.1)), False),
        (segment(179, 52, cpu=13, others_cpu=336, threads_cpu=13 * MS, samples=looks(*[0.1] * 6, 4.1)), True),
        (segment(416, 44, cpu=12, others_cpu=329, threads_cpu=None, samples=looks(*[0.1] * 17)), True),  # argon2's own
        (segment(416, 200, cpu=12, others_cpu=329, threads_cpu=None, samples=looks(*[0.1] * 17)), False),  # as short
        (segment(416, 44, cpu=12, others_cpu=329, threads_cpu=None, samples=looks(*[0.1] * 16, 5)), False),
        (segment(416, 44, cpu=12, others_cpu=329, threads_cpu=300 * MS, samples=looks(*[0.1] * 17)), False),
        (segment(80, 16, cpu=5, others_cpu=1, threads_cpu=MS, samples=looks(62.8, 8.7)), False),  # it had no processor
        (segment(80, 16, cpu=5, others_cpu=1, threads_cpu=MS, samples=looks(0.1, 0.1, 13.6, 8.7)), False),
        (segment(262, 10, cpu=13.1, queued=4.1, others_cpu=1.1, samples=RARER), True),
        (segment(262, 10, cpu=13.1, queued=4.1, others_cpu=1.1, samples=RARER[3:]), True),
        (segment(262, 10, cpu=13.1, queued=4.1, others_cpu=1.1, samples=KEPT_LATER), False),
    ],
)
def test_the_gil_was_free_where_the_watchdog_got_it_and_no_python_thread_computed(step, free):
    assert gil_waits.gil_was_free(step) is free
    assert gil_waits.slept_by_itself(step, CAUGHT, 50 * MS) is (free or step.cpu < 4 * MS)
    assert not gil_waits.slept_by_itself(step._replace(cpu=5 * MS), BlamedLine(), 50 * MS)


@pytest.mark.parametrize(
    ("syscall", "wants"), [("futex", True), ("running", True), ("unknown", True), ("poll", False), ("read", False)]
)
def test_in_any_other_kernel_call_a_thread_does_not_want_the_gil(syscall, wants):
    assert gil_waits.may_want_gil(sample(0, 1, syscall)) is wants


def test_beside_a_small_thread_the_free_gil_shows_that_the_loop_thread_slept_by_itself():
    """argon2 on four threads of its own, for 221 ms, beside a thread that works 20 us every 0.3 ms."""
    beside = {"cpu": 8.7, "others_cpu": 300, "threads_cpu": 25 * MS}
    assert gil_waits.waited_for_threads(segment(221, 30, **beside, samples=looks(*[0.1] * 5))) == 0
    assert gil_waits.waited_for_threads(segment(221, 30, **beside, samples=looks(0.1, *[5.2] * 5))) > 150 * MS
