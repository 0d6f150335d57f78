"""What each round puts into the results of its routes: by what is recorded, without a clock."""

from types import SimpleNamespace

import httpx
import pytest

from pytest_noblock.engine.exchange import LiveExchange
from pytest_noblock.engine.many.flights import Flight, Many
from pytest_noblock.engine.observe import Request
from pytest_noblock.model.concurrency import Gap, Worker
from pytest_noblock.model.frames import Frame
from pytest_noblock.model.limits import Limits
from pytest_noblock.model.observation import Exchange, Observation
from pytest_noblock.model.segment import BlockingCall, Sample, Segment
from pytest_noblock.sweep.outcome import RouteResult
from pytest_noblock.sweep.rounds import Rounds
from pytest_noblock.sweep.route import Route

MS = 1_000_000


@pytest.fixture
def rounds():
    return Rounds(Limits(50 * MS), str, lambda frame: frame)


def pair(path="/a"):
    return RouteResult(Route("GET", path)), flight(path)


def flight(path="/a", *, second=False):
    exchanges = [LiveExchange("GET", path)]
    return Flight(Request("GET", path), exchanges=exchanges, response=httpx.Response(200), second=second)


def as_observed(flights, **beside):
    exchanges = [
        Exchange(each.number, "GET", each.path, 0, 1, 999 * MS, 999 * MS, 200, entered=True, steps=1)
        for sent in flights
        for each in sent.exchanges
    ]
    return Observation("full", tuple(exchanges), (), **beside)


def gap(whose):
    worker = Worker(100 * MS, (Frame("app.py", 3, "burns", user=True),))
    return Gap(
        began=20 * MS, ended=130 * MS, late=110 * MS, switches=22, asleep=110 * MS, others_cpu=100 * MS,
        workers=(worker,), exchange=whose, waiting=(),
    )  # fmt: skip


def test_a_route_whose_first_request_kept_the_gil_is_no_pass_where_the_run_ends_before_the_second(rounds):
    (bad, kept), (good, other) = pair("/a"), pair("/b")
    seen = as_observed([kept, other], gaps=(gap(kept.exchanges[0].number),))
    rounds.cold([(bad, kept), (good, other)], Many([kept, other]), seen)
    assert (bad.measured_cold, bad.suspect) == (True, False)
    rounds.interrupted([bad, good])
    assert (bad.suspect, good.suspect) == (True, False)


def computes(cpu, asleep=0):
    return Segment(
        exchange=1, began=0, ended=cpu + asleep, cpu=cpu, collected=0, queued=0, switches=bool(asleep), others_cpu=0,
        round_trips=0, doubtful_trips=0,
    )  # fmt: skip


STACK = (Frame("app.py", 3, "asks", "time.sleep", user=True),)
ASKED = BlockingCall("socket.recv", True, 0, 8 * MS, STACK)


@pytest.mark.parametrize(
    ("status", "segments", "again"),
    [
        (200, [computes(MS)], True),
        (302, [], True),
        (404, [], False),
        (200, [computes(MS, asleep=60 * MS)], True),  # two runs may be proof
        (200, [computes(MS, asleep=8 * MS)], False),  # counters tell more
        (200, [computes(MS, asleep=8 * MS)._replace(calls=(ASKED,))], True),
        (200, [computes(60 * MS, asleep=60 * MS)], True),  # a first request computes what later ones need not
    ],
)
def test_which_first_requests_are_followed_by_a_second_one_at_once(rounds, status, segments, again):
    sent = flight()
    sent.response = httpx.Response(status)
    assert rounds.is_sent_again(sent, segments) is again
    sent.unfinished = True
    assert rounds.is_sent_again(sent, segments) is False


def test_what_may_be_a_first_requests_doing_waits_for_another_second_round(rounds):
    (early, first), (late, of_late) = pair("/a"), pair("/b")
    second = flight("/a", second=True)
    pairs = [(early, first), (late, of_late), (early, second)]
    flights = [first, of_late, second]
    rounds.both(pairs, Many(flights), as_observed(flights, gaps=(gap(None),)))
    assert early.measured_cold
    assert early.requests == 2
    rounds.both([(early, second)], Many([second]), as_observed([second]))
    assert (early.measured, early.suspect) == (True, False)


@pytest.mark.parametrize(("call", "counted"), [("time.sleep", False), ("driver.execute", True)])
def test_a_sleeper_whose_two_requests_of_one_run_are_proof_is_not_counted(rounds, call, counted):
    (result, first), second = pair(), flight(second=True)
    looks = tuple(Sample(at * MS, at * MS, at * MS, (STACK[0]._replace(call=call),), "futex") for at in (10, 30))
    slept = [
        computes(MS, asleep=80 * MS)._replace(exchange=each.exchanges[0].number, samples=looks)
        for each in (first, second)
    ]
    flights = [first, second]
    rounds.both(
        [(result, first), (result, second)], Many(flights), as_observed(flights)._replace(segments=tuple(slept))
    )
    assert (result.measured, result.suspect, result.cold is not None) == (True, True, True)
    assert rounds.may_be_counted(result) is counted


def test_what_was_not_counted_is_sent_again_alone(rounds):
    (hot, first), (later, second) = pair("/a"), pair("/b")
    numbers = [each.exchanges[0].number for each in (first, second)]
    ran = [
        computes(60 * MS)._replace(exchange=number, began=at, ended=at + 60 * MS, counted=counted)
        for number, at, counted in zip(numbers, (0, 100 * MS), (False, True), strict=True)
    ]
    seen = as_observed([first, second])._replace(segments=tuple(ran))
    rounds.exact([(hot, first), (later, second)], Many([first, second]), seen)
    assert (hot.exact is not None, later.exact) == (True, None)
    assert (hot.requests, later.requests) == (1, 1)


@pytest.mark.parametrize("sleeps", [True, False])
def test_what_waited_for_the_gil_of_another_is_asked_once_more_without_it(rounds, sleeps):
    result, sent = pair()
    number = sent.exchanges[0].number
    waited = computes(MS, asleep=300 * MS)._replace(exchange=number, switches=60, others_cpu=290 * MS)
    result.cold = as_observed([sent])
    rounds.warm([(result, sent)], Many([sent]), as_observed([sent])._replace(segments=(waited,)))
    assert result.suspect
    assert rounds.may_be_counted(result)
    again = computes(MS, asleep=sleeps * 100 * MS)._replace(exchange=number)
    rounds.exact([(result, sent)], Many([sent]), as_observed([sent])._replace(segments=(again,)))
    assert (result.suspect, result.alone, result.exact) == (sleeps, sleeps, None)


@pytest.mark.parametrize("hidden", [None, 147 * MS])
def test_nor_does_that_run_tell_whose_thread_it_waited_for(rounds, hidden):
    result, sent = pair()
    result.cold = result.first = as_observed([sent])
    result.suspect = result.alone = result.in_doubt = True
    result.hidden = hidden  # as a suspect it was in no run with fewer requests
    rounds.exact([(result, sent)], Many([sent]), result.first)
    assert (result.suspect, result.alone) == (hidden is not None, hidden is not None)
    assert result.hidden is None  # its own check tells


@pytest.mark.parametrize("late", [True, False])
def test_such_a_doubt_stays_where_that_run_made_its_wait_shorter(rounds, late):
    result, sent = pair()
    result.cold = result.first = as_observed([sent])
    result.suspect = result.alone = result.in_doubt = True
    many, (exchange,) = Many([sent]), result.first.exchanges
    many.metering = SimpleNamespace(steps=SimpleNamespace(waits={exchange.number: exchange.sent + 100 * MS}))
    many.late = [(0, exchange.sent + 80 * MS)] if late else []
    rounds.exact([(result, sent)], many, result.first)
    assert (result.suspect, result.shortened, result.may_wait_shorter) == (late, late, late)


@pytest.mark.parametrize(
    ("found", "may"),
    [
        ({"shortened": True}, True),
        ({"in_steps": True}, True),
        ({"in_steps": True, "alone": False}, False),  # its check knows
        ({}, False),
    ],
)
def test_whose_own_check_a_busy_machine_may_deceive(found, may):
    result, _sent = pair()
    for name, value in {"suspect": True, "alone": True, **found}.items():
        setattr(result, name, value)
    assert result.may_wait_shorter is may
