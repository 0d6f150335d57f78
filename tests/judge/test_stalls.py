"""What an observation means: tables of literals; no loop, no clock."""

import pytest

from pytest_noblock.judge.stalls import breaking, doubtful, stalls
from pytest_noblock.model.frames import Frame
from pytest_noblock.model.limits import Limits, sample_after
from pytest_noblock.model.observation import Exchange, Observation, Phase
from pytest_noblock.model.rules import Readings
from pytest_noblock.model.segment import BlockingCall, LineCost, Sample, Segment, SocketExchange

MS = 1_000_000
LIMITS = Limits(50 * MS)
FRAME = Frame("/app/main.py", 7, "report", "time.sleep", user=True)
NETWORK = Frame("/app/main.py", 7, "report", "requests.get", user=True)


def segment(wall=0, cpu=0, collected=0, queued=0, switches=1, began=0, **more):
    """One step in ms; times of a full meter unless `queued` and `switches` are None."""
    return Segment(
        exchange=1,
        began=began * MS,
        ended=(began + wall) * MS,
        cpu=cpu * MS,
        collected=collected * MS,
        queued=None if queued is None else queued * MS,
        switches=switches,
        others_cpu=more.pop("others_cpu", 0) * MS,
        round_trips=more.pop("round_trips", 0),
        doubtful_trips=more.pop("doubtful_trips", 0),
        **more,
    )


def observation(*segments, meter="full", completed=None):
    exchange = Exchange(1, "GET", "/", sent=0, completed=completed and completed * MS, steps=1)
    return Observation(meter, (exchange,), segments)


def judged(*segments, limits=LIMITS, **more):
    """Kind, CPU and sleep in ms of each stall, those under the limit marked."""
    return [
        (stall.kind, stall.cpu // MS, stall.asleep // MS, "red" if stall.breaks(limits) else "note")
        for stall in stalls(observation(*segments, **more), limits)
    ]


def sample(due, ended, syscall="running", frame=FRAME):
    return Sample(due * MS, due * MS, ended * MS, (frame,) if frame else (), syscall)


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (segment(wall=80, cpu=80), [("cpu", 80, 0, "red")]),
        (segment(wall=50, cpu=50), [("cpu", 50, 0, "red")]),
        (segment(wall=49, cpu=49), [("cpu", 49, 0, "note")]),
        (segment(wall=80, cpu=0), [("sync-io", 0, 80, "red")]),
        (segment(wall=30, cpu=1), [("sync-io", 1, 29, "note")]),
        (segment(wall=0.5, cpu=0), []),
        (segment(wall=1, cpu=1), [("cpu", 1, 0, "note")]),
    ],
    ids="cpu at-the-limit cpu-note sleep sleep-note tiny first-note".split(),
)
def test_cpu_and_sleep_are_told_apart_and_held_to_the_limit(step, expected):
    assert judged(step) == expected


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (segment(wall=500, cpu=2, queued=498), [("cpu", 2, 0, "note")]),
        (segment(wall=500, cpu=0, queued=500), []),
        (segment(wall=500, cpu=60, queued=440), [("cpu", 60, 0, "red")]),
        (segment(wall=500, cpu=0, queued=420), [("sync-io", 0, 80, "red")]),
        (segment(wall=500, cpu=0, queued=600), []),
    ],
    ids="mostly-queued only-queued cpu-beside sleep-beside reads-apart".split(),
)
def test_time_in_the_run_queue_is_the_machines(step, expected):
    assert judged(step) == expected


def test_time_off_the_processor_without_a_voluntary_switch_is_no_sleep():
    """The machine was frozen, or the thread preempted: it did not go to sleep by itself."""
    assert judged(segment(wall=500, cpu=0, switches=0)) == []


def test_garbage_collection_is_nobodys():
    assert judged(segment(wall=200, cpu=5, collected=195)) == [("cpu", 5, 0, "note")]


@pytest.mark.parametrize(
    ("cpu", "asleep", "expected"),
    [
        (30, 30, [("sync-io", 30, 30, "red")]),
        (31, 30, [("cpu", 31, 30, "red")]),
        (20, 20, [("sync-io", 20, 20, "note")]),
        (60, 60, [("cpu", 60, 0, "red"), ("sync-io", 0, 60, "red")]),
        (60, 49, [("cpu", 60, 49, "red")]),
    ],
)
def test_cpu_and_sleep_of_one_step_add_up(cpu, asleep, expected):
    assert judged(segment(wall=cpu + asleep, cpu=cpu)) == expected


@pytest.mark.parametrize(
    ("switches", "others_cpu", "expected"),
    [
        (21, 99, []),  # woke every 5 ms while another thread worked: it wanted the GIL
        (20, 30, []),  # the one that had it waited for a processor
        (9, 99, [("sync-io", 0, 45, "note")]),  # so few wakes tell of 54 ms
        (21, 5, [("sync-io", 0, 99, "red")]),  # hardly anybody worked
        (21, 0, [("sync-io", 0, 99, "red")]),  # nobody worked: many short sleeps of its own
        (1, 99, [("sync-io", 0, 99, "red")]),  # one long sleep beside a busy thread
        (2, 99, [("sync-io", 0, 99, "red")]),
    ],
)
def test_waiting_for_the_gil_is_not_the_steps_own_sleep(switches, others_cpu, expected):
    assert judged(segment(wall=99, switches=switches, others_cpu=others_cpu)) == expected


def test_a_short_wait_for_the_lock_needs_three_switches():
    assert judged(segment(wall=5, switches=2, others_cpu=5)) == [("sync-io", 0, 5, "note")]
    assert judged(segment(wall=5, switches=3, others_cpu=5)) == []


def test_a_seen_call_slept_once_itself():
    calls = [BlockingCall("time.sleep", False, at * MS, (at + 4) * MS, (FRAME,)) for at in range(0, 100, 5)]
    assert judged(segment(wall=99, switches=21, others_cpu=99)) == []
    assert judged(segment(wall=99, switches=21, others_cpu=99, calls=tuple(calls))) == [("sync-io", 0, 99, "red")]


@pytest.mark.parametrize(("syscall", "left"), [("running", 50), ("futex", 50), ("unknown", 50), ("poll", 80)])
def test_what_it_waited_for_our_own_look_is_not_its_own(syscall, left):
    """A thread in any other kernel call did not want the lock that the watchdog held."""
    step = segment(wall=80, switches=7, samples=(sample(10, 40, syscall),))
    assert judged(step) == [("sync-io", 0, left, "red" if left >= 50 else "note")]


def test_a_look_that_came_late_explains_no_more_than_the_switches_do():
    """A known call slept once by itself: the watchdog, starved, was not what it waited for."""
    call = BlockingCall("time.sleep", False, 0, 80 * MS, (FRAME,))
    step = segment(wall=80, switches=1, calls=(call,), samples=(sample(10, 80, "futex"),))
    assert judged(step) == [("sync-io", 0, 80, "red")]


def test_a_sleep_longer_than_its_switches_could_wait_for_the_lock_is_one_of_them():
    """`usleep` with the GIL held, beside 4 busy processes; nobody saw the call."""
    step = segment(wall=79, cpu=1, queued=10, switches=4, samples=(sample(46, 67),))
    assert judged(step) == [("sync-io", 1, 53, "red")]


@pytest.mark.parametrize(
    ("seen", "sure"),
    [
        ({}, False),
        ({"queued": 140, "wall": 350}, True),
        ({"samples": (sample(20, 64, "clock_nanosleep"),)}, True),
        ({"calls": (BlockingCall("time.sleep", False, 0, 53 * MS, (FRAME,), 53 * MS),)}, True),
        ({"calls": (BlockingCall("open", False, 0, 53 * MS, (FRAME,)),)}, True),
    ],
    ids="nobody short-queue look asked call".split(),
)
def test_a_sleep_that_nobody_saw_is_in_doubt_where_the_thread_waited_far_longer_for_a_processor(seen, sure):
    """Measured beside 4 busy processes on a virtual machine: a request that computed for 157 ms."""
    asleep = line(7, asleep=53)
    step = segment(**({"wall": 1412, "cpu": 157, "queued": 1202, "switches": 4, "lines": (asleep,)} | seen))
    stall = next(each for each in stalls(observation(step), LIMITS) if each.kind == "sync-io")
    assert (stall.asleep, stall.sure) == (53 * MS, sure)


@pytest.mark.parametrize(
    ("queued", "at_most", "asleep", "sure"),
    [
        (148, 150, 12, None),  # only its worker's wait for a processor made it long
        (0, 148, 160, False),
        (50, 60, 110, True),
        (0, 9, 160, True),
        (100, 148, 60, False),
    ],
)
def test_a_sleep_in_which_the_awaited_thread_had_no_processor_is_the_machines(queued, at_most, asleep, sure):
    """Measured beside three busy processes: 161 ms asleep for a worker that computed for 12 ms."""
    step = segment(wall=161, cpu=1, others_queued=queued * MS, others_may_have_queued=at_most * MS)
    (stall,) = stalls(observation(step), LIMITS)
    assert stall.asleep == asleep * MS
    if sure is None:
        assert not stall.breaks(LIMITS)
    else:
        assert (stall.breaks(LIMITS), stall.sure) == (True, sure)
        assert stall.in_doubt == (at_most - queued) * MS


def test_what_a_call_asked_for_is_slept_whoever_had_a_processor():
    step = segment(wall=161, cpu=1, others_may_have_queued=150 * MS, calls=(sleeping(60),))
    assert [stall.sure for stall in stalls(observation(step), LIMITS)] == [True]
    step = segment(wall=161, cpu=1, others_queued=150 * MS, others_may_have_queued=150 * MS, calls=(sleeping(60),))
    assert judged(step) == [("sync-io", 1, 60, "red")]


def sleeping(asked, began=0, ended=68):
    return BlockingCall("time.sleep", False, began * MS, ended * MS, (FRAME,), asked * MS)


@pytest.mark.parametrize(
    ("measured", "calls", "slept"),
    [
        ({"queued": 23}, [sleeping(60)], 60),
        ({"queued": 67}, [sleeping(60)], 60),
        ({"queued": 23}, [sleeping(30, 0, 34), sleeping(30, 34, 68)], 60),
        ({"samples": (sample(20, 64),), "switches": 4}, [sleeping(60)], 60),
        ({"others_cpu": 60, "switches": 7}, [sleeping(60)], 60),
        ({"queued": 60}, [sleeping(7)], 7),
        ({"queued": 0}, [sleeping(60)], 60),
        ({"queued": 0}, [sleeping(20)], 20),
        ({"queued": 0}, [sleeping(20, 0, 21)], 66),
        ({"queued": 23}, [sleeping(0)], 44),
        ({"queued": 67}, [sleeping(60, 0, 0)], 0),
    ],
    ids="begin all twice looked-at beside-a-thread short late very-late another-sleep asked-none gave-none".split(),
)
def test_who_asked_for_a_sleep_got_it_whatever_was_measured(measured, calls, slept):
    """Preempted on its way to sleep, a thread waits for a processor while its time runs."""
    step = segment(wall=68, cpu=1, calls=tuple(calls), **measured)
    kind = "sync-io" if slept else "cpu"
    assert judged(step) == [(kind, 1, slept, "red" if slept >= 50 else "note")]


def test_a_sleep_that_was_asked_for_needs_no_witness():
    """Neither has the portable meter to wait for a machine that has time."""

    def sure(asked):
        step = segment(wall=150, cpu=5, calls=(sleeping(asked, 0, 140),), **PORTABLE)
        return [stall.sure for stall in stalls(observation(step, meter="portable"), LIMITS)]

    assert sure(60) == [True]
    assert sure(0) == [False]


def line(number, *, cpu=0, asleep=0, trips=0):
    frame = Frame("/app/main.py", number, "report", "requests.get", user=True)
    return LineCost(
        frame,
        (frame,),
        hits=1,
        cpu=cpu * MS,
        asleep=asleep * MS,
        round_trips=trips,
    )


def test_a_round_trip_is_red_at_any_speed():
    assert judged(segment(wall=0.04, round_trips=1)) == [("sync-network", 0, 0, "red")]


def test_each_line_that_made_a_round_trip_is_one_stall_and_the_rest_is_judged_by_itself():
    step = segment(
        wall=100, cpu=70, round_trips=3, lines=(line(3, cpu=5, asleep=10, trips=1), line(4, asleep=20, trips=2))
    )
    assert judged(step) == [
        ("sync-network", 5, 10, "red"),
        ("sync-network", 0, 20, "red"),
        ("cpu", 65, 0, "red"),
    ]


def test_a_known_network_call_is_a_round_trip_even_where_no_socket_is_left():
    call = BlockingCall("socket.connect", True, 0, 20 * MS, (FRAME,))
    assert judged(segment(wall=20, calls=(call,))) == [("sync-network", 0, 20, "red")]


def test_a_known_call_that_is_no_network_is_held_to_the_limit():
    call = BlockingCall("time.sleep", False, 0, 20 * MS, (FRAME,))
    assert judged(segment(wall=20, calls=(call,))) == [("sync-io", 0, 20, "note")]


PORTABLE = {"queued": None, "switches": None}


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (segment(wall=300, cpu=80, **PORTABLE), [("cpu", 80, 0, "red")]),
        (segment(wall=300, cpu=0, **PORTABLE), []),
        (
            segment(wall=300, calls=(BlockingCall("time.sleep", False, 0, 80 * MS, (FRAME,)),), **PORTABLE),
            [("sync-io", 0, 80, "red")],
        ),
        (
            segment(wall=60, calls=(BlockingCall("time.sleep", False, 0, 80 * MS, (FRAME,)),), **PORTABLE),
            [("sync-io", 0, 60, "red")],
        ),
        (
            segment(wall=300, samples=(sample(10, 30), sample(50, 100)), **PORTABLE),
            [("sync-io", 0, 90, "red")],
        ),
        (
            segment(
                wall=300,
                samples=(sample(10, 100, frame=Frame("/app/main.py", 7, "report", "compute", user=True)),),
                **PORTABLE,
            ),
            [],
        ),
    ],
    ids="cpu wall-alone known-call call-cut-at-the-step samples-in-a-known-call samples-elsewhere".split(),
)
def test_the_portable_rules_never_go_by_wall_time_alone(step, expected):
    assert judged(step, meter="portable") == expected


def test_stalls_of_other_exchanges_are_not_judged():
    other = Exchange(2, "GET", "/other", sent=0, returned=0)
    assert stalls(Observation("full", (other,), (segment(wall=80, cpu=80),)), LIMITS) == []


@pytest.mark.parametrize(
    ("began", "phase"),
    [
        (0, Phase.HANDLER),
        (9, Phase.HANDLER),
        (10, Phase.BACKGROUND),
        (19, Phase.BACKGROUND),
        (20, Phase.DETACHED),
    ],
)
def test_a_step_belongs_to_the_phase_in_which_it_began(began, phase):
    exchange = Exchange(1, "GET", "/", sent=0, completed=10 * MS, returned=20 * MS, steps=1)
    (stall,) = stalls(Observation("full", (exchange,), (segment(wall=80, cpu=80, began=began),)), LIMITS)
    assert stall.phase is phase


def app_started(**more):
    return Exchange(2, "LIFESPAN", "", sent=0, started=100 * MS, completed=500 * MS, **more)


def request(sent, returned):
    return Exchange(3, "GET", "/queue", sent=sent * MS, returned=returned and returned * MS, steps=1)


@pytest.mark.parametrize(
    ("exchanges", "owner", "began", "expected"),
    [
        pytest.param((request(200, 300),), 9, 250, ("GET", Phase.APP), id="nobody's, during the request"),
        pytest.param((request(200, None),), 9, 250, ("GET", Phase.APP), id="the request has not returned"),
        pytest.param((request(255, 300),), 9, 250, ("GET", Phase.APP), id="the request came meanwhile"),
        pytest.param((request(100, 200),), 9, 250, None, id="nobody's, after the request"),
        pytest.param(
            (request(100, 200)._replace(settled=260 * MS),), 9, 250, ("GET", Phase.APP), id="woken by the request"
        ),
        pytest.param((request(340, 400),), 9, 250, None, id="nobody's, before the request"),
        pytest.param((app_started(), request(200, 300)), 2, 250, ("GET", Phase.APP), id="the lifespan's task"),
        pytest.param((app_started(), request(200, 300)), 2, 50, ("LIFESPAN", Phase.LIFESPAN), id="the start"),
        pytest.param((app_started(), request(500, 600)), 2, 550, ("LIFESPAN", Phase.LIFESPAN), id="the stop"),
        pytest.param((app_started(),), 2, 250, ("LIFESPAN", Phase.APP), id="the lifespan's task, and no request"),
        pytest.param((request(200, 300), request(0, 900)), 3, 250, ("GET", Phase.HANDLER), id="a request's own"),
    ],
)
def test_what_the_app_runs_by_itself_is_told_of_the_request_that_was_under_way(exchanges, owner, began, expected):
    step = segment(wall=80, cpu=80, began=began)._replace(exchange=owner)
    found = stalls(Observation("full", exchanges, (step,)), LIMITS)
    assert [(each.exchange.method, each.phase) for each in found] == ([expected] if expected else [])
    assert all((each.proof is not None) is each.of_app for each in found)


def test_only_what_breaks_the_limits_is_kept():
    found = stalls(observation(segment(wall=60, cpu=60), segment(wall=20, cpu=20, began=100)), LIMITS)
    assert [stall.blocked_ns for stall in breaking(found, LIMITS)] == [60 * MS]
    assert len(breaking(found, Limits(10 * MS))) == 2


@pytest.mark.parametrize(
    ("step", "sure"),
    [
        (segment(wall=80, cpu=80), True),
        (segment(wall=55, cpu=30), False),  # computed alone is under the limit
        (segment(wall=55, cpu=30, samples=(sample(20, 20, "poll"), sample(40, 40))), True),
        (segment(wall=80, cpu=1), True),  # worked too little to be made to hand over the GIL
        (segment(wall=80, cpu=10), False),
        (segment(wall=186, cpu=1, queued=51, switches=2), False),  # waiting for a processor it kept the lock as well
        (segment(wall=706, cpu=1, queued=204, samples=(sample(248, 705, frame=None),)), False),
        (segment(wall=706, cpu=1, queued=204, samples=(sample(248, 705),)), False),
        (segment(wall=79, cpu=1, queued=10, switches=4, samples=(sample(58, 67),)), True),
        (segment(wall=80, cpu=10, samples=(sample(20, 20, "poll"),)), True),
        (segment(wall=80, cpu=10, samples=(sample(20, 20, "futex"),)), False),
        (segment(wall=80, cpu=10, calls=(BlockingCall("time.sleep", False, 0, 70 * MS, (FRAME,)),)), True),
    ],
    ids=(
        "cpu mostly-cpu both idle worked queued late-look late-look-there in-time waiting at-a-lock in-a-known-call"
    ).split(),
)
def test_a_single_run_is_believed_where_the_sleep_was_its_own_beyond_doubt(step, sure):
    (stall,) = stalls(observation(step), LIMITS)
    assert stall.sure is sure


@pytest.mark.parametrize(
    ("late", "sure"), [((1, 14), True), ((14,), False), ((1, 15), False), ((15, 1), False), ((), False)]
)
def test_on_the_portable_meter_the_machine_must_have_had_time_to_wake_the_watchdog_twice(late, sure):
    call = BlockingCall("open", False, 0, 80 * MS, (FRAME,))
    samples = tuple(Sample(20 * MS, (20 + each) * MS, 40 * MS, (FRAME,), "unknown") for each in late)
    step = segment(wall=90, calls=(call,), samples=samples, **PORTABLE)
    (stall,) = stalls(observation(step, meter="portable"), LIMITS)
    assert (stall.kind, stall.sure) == ("sync-io", sure)


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (segment(wall=5), True),
        (segment(wall=0.1, cpu=0, doubtful_trips=1), True),
        (segment(wall=30, cpu=30), False),
        (segment(wall=0.1), False),
    ],
    ids="slept doubtful-trip computed nothing".split(),
)
def test_line_counters_are_needed_where_the_step_alone_cannot_tell(step, expected):
    seen = observation(step)
    assert doubtful(seen, stalls(seen, LIMITS)) is expected


CALL = BlockingCall("time.sleep", network=False, began=0, ended=20 * MS, stack=(FRAME,))


@pytest.mark.parametrize(
    ("step", "concerned"),
    [
        (segment(wall=24, cpu=24), False),
        (segment(wall=24, cpu=0), False),
        (segment(wall=24, cpu=0, queued=None, switches=None), False),
        (segment(wall=25, cpu=25), True),  # half of the limit: a baseline asks for it
        (segment(wall=25, cpu=0), True),
        (segment(wall=20, cpu=20, samples=(sample(10, 11),)), True),
        (segment(wall=20, cpu=9, queued=11, switches=0, samples=(sample(10, 11),)), False),  # it waited for a processor
        (segment(wall=90, cpu=24, queued=66, switches=0, samples=(sample(10, 11),)), True),
        (segment(wall=49, cpu=5, queued=44, switches=0, samples=(sample(10, 11),)), False),
        (segment(wall=90, cpu=5, queued=85, switches=0), False),
        (segment(wall=90, cpu=5, queued=85, switches=0, samples=(sample(10, 11),)), True),  # of a loop that waits
        (segment(wall=20, calls=(CALL,)), True),
        (segment(wall=1, round_trips=1), True),
        (segment(wall=1, doubtful_trips=1), True),
    ],
)
def test_a_step_that_is_of_no_concern_breaks_nothing_and_has_no_line(step, concerned):
    """Or it is one that the watchdog looked at too soon, as the machine was busy."""
    assert LIMITS.concern((step,)) is concerned
    found = stalls(observation(step), LIMITS)
    told = [stall for stall in found if stall.breaks(LIMITS) or stall.place.frame is not None]
    assert concerned or all(stall.blocked_ns < sample_after(LIMITS.max_block) for stall in told)


def rules(*segments, **more):
    return [(stall.kind, stall.rule.id) for stall in stalls(observation(*segments, **more), LIMITS)]


@pytest.mark.parametrize(
    ("step", "rule"),
    [
        (segment(wall=80, cpu=80), ("cpu", "cpu-clock")),
        (segment(wall=80), ("sync-io", "slept")),
        (segment(wall=80, calls=(sleeping(60, 0, 80),)), ("sync-io", "slept-asked")),  # its timer rang late
        (segment(wall=68, queued=23, calls=(sleeping(60),)), ("sync-io", "slept-asked")),
        (segment(wall=68, queued=8, calls=(sleeping(60),)), ("sync-io", "slept-asked")),
        (segment(wall=300, calls=(sleeping(0, 0, 80),), **PORTABLE), ("sync-io", "seen-in-known-calls")),
        (segment(wall=300, calls=(sleeping(80, 0, 80),), **PORTABLE), ("sync-io", "slept-asked")),
        (segment(wall=0.1, round_trips=1), ("sync-network", "round-trip")),
        (segment(wall=0.1, calls=(CALL._replace(network=True),)), ("sync-network", "known-call")),
        (segment(wall=0.1, round_trips=1, lines=(line(7, trips=1),)), ("sync-network", "round-trip")),
        (
            segment(wall=0.1, doubtful_trips=1, samples=(sample(0, 0, "poll", NETWORK),)),
            ("sync-network", "doubtful-trip"),
        ),
    ],
)
def test_each_stall_says_which_rule_decided(step, rule):
    meter = "portable" if step.queued is None else "full"
    assert rules(step, meter=meter) == [rule]


def test_each_stall_carries_what_was_read_of_its_step():
    bytes_ = (SocketExchange("127.0.0.1:5432", 12, 40),)
    step = segment(
        wall=100,
        cpu=20,
        collected=5,
        queued=10,
        switches=2,
        others_cpu=3,
        samples=(sample(10, 10, "poll"),),
        exchanged=bytes_,
    )
    (stall,) = stalls(observation(step), LIMITS)
    assert stall.readings == Readings(
        wall=100 * MS,
        cpu=20 * MS,
        queued=10 * MS,
        asleep=65 * MS,
        switches=2,
        others_cpu=3 * MS,
        collected=5 * MS,
        samples=1,
        exchanged=bytes_,
    )


def test_the_portable_meter_reads_neither_delay_nor_sleep_nor_switches():
    (stall,) = stalls(observation(segment(wall=80, cpu=80, **PORTABLE), meter="portable"), LIMITS)
    assert (stall.readings.queued, stall.readings.asleep, stall.readings.switches) == (None, None, None)
    assert (stall.readings.wall, stall.readings.cpu) == (80 * MS, 80 * MS)


def test_a_recorded_round_trip_keeps_its_time_where_the_loop_thread_waited_for_the_gil_in_it():
    """Beside a thread that computes, its 200 ms look like a wait for the GIL. The call waited, all the same."""
    call = BlockingCall("Cursor.execute", True, 0, 200 * MS, (NETWORK,))
    step = segment(wall=208, cpu=2, switches=40, others_cpu=190, calls=(call,))
    assert [each for each in judged(step) if each[0] == "sync-network"] == [("sync-network", 0, 200, "red")]
