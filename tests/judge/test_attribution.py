"""Which line a stall is put down to: tables of literals."""

import pytest

from pytest_noblock.judge import attribution
from pytest_noblock.model.frames import Frame
from pytest_noblock.model.segment import BlockingCall, LineCost, Sample, Segment

MS = 1_000_000
DRIVER = Frame("/site/requests/api.py", 5, "get")


def user(line, call=None):
    return Frame("/app/main.py", line, "report", call, user=True)


def stack(line, call=None):
    return (DRIVER, user(line, call), Frame("/app/main.py", 99, "caller", user=True))


def sample(line, syscall="running", due=0, ended=0):
    return Sample(due * MS, due * MS, ended * MS, stack(line) if line else (DRIVER,), syscall)


def cost(line, *, cpu=0, asleep=0, trips=0, hits=1):
    return LineCost(
        user(line),
        stack(line),
        hits=hits,
        cpu=cpu * MS,
        asleep=asleep * MS,
        round_trips=trips,
    )


def doubtful(line, name, *, asleep):
    """The cost of a line that calls `name` while another thread may have used the socket that it used."""
    return cost(line, asleep=asleep)._replace(frame=user(line, name), doubtful_trips=1)


def call(line, wall, *, network=False, began=0):
    return BlockingCall("socket.connect", network, began * MS, (began + wall) * MS, stack(line))


def named(line, name):
    return sample(line)._replace(stack=stack(line, name))


def recorded(line, wall, name):
    return call(line, wall)._replace(stack=stack(line, name))


def segment(wall=100, cpu=0, trips=0, **more):
    return Segment(1, 0, wall * MS, cpu * MS, 0, 0, 1, 0, trips, 0, **more)


def line_and_evidence(place):
    return (place.frame and place.frame.line, place.evidence)


def test_the_users_innermost_line_is_named_not_the_drivers():
    assert attribution.user_frame(stack(7)) == user(7)
    assert attribution.user_frame((DRIVER,)) is None


def test_of_a_lines_calls_the_one_that_most_samples_show_is_named():
    """`with get_context().Pool(1) as pool: pool.map(...)`: the first look fell into the making of the pool."""
    made, mapped = named(7, "multiprocessing.context.BaseContext.Pool"), named(7, "multiprocessing.pool.Pool.map")
    place = attribution.of_sleep(segment(samples=(made, mapped, mapped)))
    assert place.frame.call == "multiprocessing.pool.Pool.map"
    assert place.stack == mapped.stack
    assert attribution.of_sleep(segment(samples=(made, mapped, made))).stack == made.stack


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        ({"lines": (cost(3, asleep=10), cost(4, asleep=60, cpu=1))}, (4, "line counters")),
        ({"lines": (cost(3, cpu=10),), "calls": (call(5, 80),)}, (5, "call")),
        ({"calls": (call(3, 20), call(5, 80))}, (5, "call")),
        ({"calls": (call(5, 20),), "samples": (sample(6, "futex"),)}, (6, "sample")),
        ({"samples": (sample(3, "running"), sample(3, "running"), sample(4, "fsync"))}, (4, "sample")),
        ({"samples": (sample(3, "running"),)}, (3, "sample")),
        ({}, (None, "none")),
    ],
    ids="counters call-over-idle-counters longest-call call-too-short waiting-before-running anything nothing".split(),
)
def test_the_line_that_slept(seen, expected):
    assert line_and_evidence(attribution.of_sleep(segment(**seen))) == expected


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        ({"lines": (cost(3, asleep=2, trips=1), cost(4, asleep=1))}, [(3, 2)]),
        ({"lines": (cost(3, asleep=2, trips=1), cost(4, asleep=1, trips=2))}, [(3, 2), (4, 1)]),
        ({"calls": (call(5, 8, network=True), call(6, 20))}, [(5, 8)]),
        ({"calls": (call(5, 8, network=True), call(5, 4, network=True, began=20))}, [(5, 12)]),
        ({"calls": (call(5, 8, network=True), call(5, 4, network=True, began=2))}, [(5, 8)]),
        ({"calls": (call(3, 8, network=True),), "lines": (cost(3, asleep=30, trips=1),)}, [(3, 30)]),
        ({"calls": (call(5, 8, network=True),), "lines": (cost(3, asleep=30, trips=1),)}, [(5, 8), (3, 30)]),
        ({"trips": 1, "samples": (sample(3, "running"), sample(4, "recvfrom"))}, [(4, 100)]),
        ({"trips": 1, "samples": (sample(3, "running"),)}, [(3, 100)]),
        ({"trips": 1}, [(None, 100)]),
        ({"lines": (cost(3, asleep=2),), "samples": (sample(3, "poll"),)}, []),
        ({"lines": (doubtful(3, "pycurl.Curl.perform", asleep=21), cost(4, asleep=1))}, [(3, 21)]),
        ({"lines": (doubtful(3, "pycurl.Curl.perform", asleep=0),)}, []),  # answered at once, as by a mock
        ({"lines": (doubtful(3, "time.sleep", asleep=21),)}, []),
    ],
    ids="line two-lines call two-calls nested-calls line-and-call two-places waiting running unseen none "
    "doubtful mocked not-network".split(),
)
def test_the_lines_that_talked_to_the_network(seen, expected):
    trips = attribution.of_network(segment(**seen))
    assert [(trip.place.frame and trip.place.frame.line, trip.asleep // MS) for trip in trips] == expected


@pytest.mark.parametrize(
    ("syscalls", "witnessed"), [(["poll"], True), (["futex"], False), (["running"], False), (["futex", "fsync"], True)]
)
def test_a_thread_seen_in_a_kernel_call_was_seen_waiting(syscalls, witnessed):
    place = attribution.of_sleep(segment(samples=tuple(sample(3, each) for each in syscalls)))
    assert place.witnessed is witnessed


@pytest.mark.parametrize(
    ("spans", "total"),
    [
        ([], 0),
        ([(0, 10)], 10),
        ([(0, 10), (20, 30)], 20),
        ([(0, 10), (5, 15)], 15),
        ([(5, 15), (0, 20)], 20),
        ([(0, 10), (10, 20)], 20),
    ],
)
def test_known_calls_that_overlap_count_once(spans, total):
    calls = tuple(call(3, end - began, began=began) for began, end in spans)
    assert attribution.waited_in_known_calls(segment(calls=calls)) == total * MS


@pytest.mark.parametrize(
    ("looks", "line"),
    [
        ([sample(7, "unknown"), sample(8, "clock_nanosleep")], 8),  # a look in passing does not tell
        ([sample(7, "futex"), sample(8, "clock_nanosleep")], 8),  # measured beside a thread that computes
        ([sample(7, "futex"), sample(7, "futex"), sample(8, "read")], 7),  # a lock
        ([sample(7, "running"), sample(7, "running"), sample(8, "unknown")], 8),
        ([sample(7, "running")], 7),
    ],
)
def test_a_sleep_is_named_by_the_looks_that_met_the_loop_thread_waiting(looks, line):
    place = attribution.of_sleep(segment(samples=tuple(looks)))
    assert place.frame is not None
    assert place.frame.line == line


def test_a_sample_inside_a_known_call_counts_as_one():
    inside = Sample(10 * MS, 10 * MS, 12 * MS, (user(3, "time.sleep"),), "unknown")
    later = Sample(40 * MS, 40 * MS, 45 * MS, (user(3, "time.sleep"),), "unknown")
    elsewhere = Sample(80 * MS, 80 * MS, 90 * MS, (user(4, "compute"),), "unknown")
    assert attribution.waited_in_known_calls(segment(samples=(inside, later, elsewhere))) == 35 * MS


def test_a_sample_inside_a_known_computation_shows_no_wait():
    """On a busy machine the thread waits for a processor meanwhile, and the portable meter cannot tell."""
    inside = Sample(10 * MS, 10 * MS, 40 * MS, (user(3, "json.loads"),), "unknown")
    assert attribution.waited_in_known_calls(segment(samples=(inside,))) == 0


def test_a_wait_for_a_clients_thread_is_a_round_trip():
    """`publisher.publish(...).result()`: another thread moves the bytes."""
    result = BlockingCall("Future.result", False, 0, 8 * MS, stack(5, "google.cloud.pubsub_v1.PublisherClient.publish"))
    [trip] = attribution.of_network(segment(calls=(result,)))
    assert (trip.place.frame.line, trip.asleep // MS, trip.rule.id, trip.witnessed) == (5, 8, "known-wait", True)


@pytest.mark.parametrize(
    "waited",
    [
        BlockingCall("Future.result", False, 0, 8 * MS, stack(5, "pool.submit")),
        BlockingCall("time.sleep", False, 0, 8 * MS, stack(5, "requests.get")),
        BlockingCall("time.sleep", False, 0, 8 * MS, stack(5, "requests.get"), asked=8 * MS),
        BlockingCall("Future.result", False, 0, 8 * MS, ()),
    ],
    ids=["no client", "a sleep of a retry", "a sleep that was asked for", "no user line"],
)
def test_other_waits_are_none(waited):
    assert attribution.of_network(segment(calls=(waited,))) == []


@pytest.mark.parametrize(
    ("more", "call"),
    [
        ({}, None),  # the counters' own guess stands
        ({"samples": (named(7, "fcntl.flock"), named(7, "fcntl.flock"), named(7, "Thread.start"))}, "fcntl.flock"),
        ({"samples": (named(8, "time.sleep"),)}, None),  # another line
        ({"calls": (recorded(7, 90, "Thread.join"),), "samples": (named(7, "Thread.start"),)}, "Thread.join"),
        ({"calls": (recorded(7, 1, "Thread.start"),), "samples": (named(7, "fcntl.flock"),)}, "fcntl.flock"),
    ],
)
def test_of_two_calls_on_one_line_the_one_that_was_seen_is_named(more, call):
    place = attribution.of_sleep(segment(lines=(cost(7, asleep=90),), **more))
    assert (place.frame.line, place.evidence, place.call) == (7, "line counters", call)


def test_what_the_loop_itself_called_has_its_own_name():
    loop = Frame("/lib/events.py", 84, "_run", module="asyncio.events")
    wait = Frame("/lib/threading.py", 9, "wait", name="threading.Event.wait", module="threading")
    by_loop = BlockingCall("time.sleep", network=False, began=0, ended=90 * MS, stack=(loop,))
    assert attribution.of_sleep(segment(calls=(by_loop,))).call == "time.sleep"
    by_method = by_loop._replace(name="lock.acquire", stack=(wait, loop))
    assert attribution.of_sleep(segment(calls=(by_method,))).call == "threading.Event.wait"
    by_library = by_loop._replace(stack=(DRIVER._replace(name="requests.get"), loop))
    assert attribution.of_sleep(segment(calls=(by_library,))).call is None  # `library_call` finds it


@pytest.mark.parametrize(("asleep", "witnessed"), [((25, 12, 5), False), ((70, 10), True), ((100,), True)])
def test_lines_that_slept_for_a_little_of_the_sleep_are_no_witness(asleep, witnessed):
    """Waits for the GIL come anywhere."""
    lines = tuple(cost(number, asleep=ms) for number, ms in enumerate(asleep, 3))
    place = attribution.of_sleep(segment(wall=100, lines=lines))
    assert (place.frame.line, place.witnessed) == (3, witnessed)


@pytest.mark.parametrize(("asked", "line"), [(60, 5), (0, 7), (30, 7)])
def test_what_a_call_asked_for_is_its_sleep_however_long_the_step_waited_for_a_processor(asked, line):
    """Of 425 ms, 342 were run-queue delay; the looks came before the call. One that asked for less may have queued."""
    slept = call(5, 66, began=358)._replace(name="time.sleep", asked=asked * MS)
    step = segment(425, cpu=2, calls=(slept,), samples=(sample(7, "unknown"),))._replace(queued=342 * MS)
    assert line_and_evidence(attribution.of_sleep(step))[0] == line
