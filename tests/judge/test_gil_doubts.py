"""Waits for the GIL for which no one thread is to blame are told: tables of literals."""

from dataclasses import replace
from fnmatch import fnmatch

import pytest

from pytest_noblock.judge import gil, gil_doubts
from pytest_noblock.model.concurrency import Gap, LongTurn, Worker
from pytest_noblock.model.frames import Frame
from pytest_noblock.model.limits import Limits
from pytest_noblock.model.observation import LOOP, Exchange, Observation, Probe

MS = 1_000_000
LIMITS = Limits(50 * MS)
EXCHANGE = Exchange(1, "GET", "/report", sent=0, returned=400 * MS)
LINE = (Frame("/app/main.py", 7, "score", user=True),)


def gap(late, switches, cpu, *workers, asleep=None):
    """All in ms."""
    slept = late if asleep is None else asleep
    return Gap(0, late * MS, late * MS, switches, slept * MS, cpu * MS, workers)


def notes(*gaps, turn=None, waited=0, found=()):
    probes = (Probe(LOOP, 5 * MS, (5 + waited) * MS),)
    turns = () if turn is None else (turn,)
    observation = Observation("full", (EXCHANGE,), (), probes, gaps=gaps, long_turns=turns)
    return list(gil_doubts.notes(observation, found, LIMITS, lambda file: file.removeprefix("/")))


@pytest.mark.parametrize(
    ("what", "told"),
    [
        pytest.param(gap(200, 40, 0), True, id="asleep with it"),
        pytest.param(gap(200, 40, 30), False, id="computed a part of the time: it had no processor for the rest"),
        pytest.param(gap(200, 1, 0), False, id="a sleep of its own, or a frozen machine"),
        pytest.param(gap(99, 21, 0), False, id="less than twice the limit"),
        pytest.param(gap(155, 72, 0, asleep=118), False, id="it had the GIL, again and again"),
    ],
)
def test_a_wait_that_nobodys_cpu_explains_is_told(what, told):
    said = notes(what)
    assert [note.startswith("unsettled: the event loop waited 200 ms for the GIL") for note in said] == [True] * told
    assert list(gil.kept(Observation("full", (EXCHANGE,), gaps=(what,)))) == []


@pytest.mark.parametrize(("unread", "why"), [(False, "no thread"), (True, "nobody read what the threads")])
def test_what_nobody_read_is_not_told_as_idle(unread, why):
    (note,) = notes(replace(gap(200, 40, 0), unread=unread))
    assert f"waited 200 ms for the GIL, and {why} computed meanwhile" in note


SEVERAL = tuple(Worker(6 * MS, LINE) for _ in range(8))


def test_waits_in_which_threads_had_it_in_turns_are_told_with_the_line_of_one():
    (note,) = notes(gap(80, 16, 76, *SEVERAL))
    assert note == (
        "unsettled: the event loop waited 76 ms for the GIL, most for app/main.py:7: threads computed meanwhile, and "
        "none is known to have kept it (fewer at once, or a process); not counted"
    )
    seen_by_watchdog = replace(gap(40, 9, 3), shared_cpu=38 * MS)
    (note,) = notes(seen_by_watchdog, seen_by_watchdog)
    assert "waited 76 ms for the GIL, in 2 waits of up to 38 ms: threads" in note


@pytest.mark.parametrize(
    "waits",
    [
        pytest.param([gap(74, 15, 74, *SEVERAL)], id="too little"),
        pytest.param([gap(24, 5, 24)] * 9, id="two threads alone: none of the waits is long"),
        pytest.param([gap(80, 16, 30, *SEVERAL)], id="they had no processor"),
        pytest.param([gap(80, 1, 80, *SEVERAL)], id="a sleep of its own"),
    ],
)
def test_shorter_ones_are_not(waits):
    assert notes(*waits) == []


WAIT = replace(gap(73, 37, 71), seen_by="watchdog", shared_cpu=73 * MS)


@pytest.mark.parametrize(
    ("keeper", "told"),
    [
        (
            Worker(71 * MS, LINE, sleeps=28),
            " at app/main.py:7 while * it went to sleep 28 times, as if it handed the GIL",
        ),
        (Worker(71 * MS, (), ended=True), " while * it has ended, and nobody counted how often it handed the GIL"),
        (Worker(49 * MS, LINE, sleeps=28), None),  # shorter than the limit
        (Worker(71 * MS, LINE, sleeps=2), None),  # it kept it: a finding, and no doubt
        (Worker(71 * MS, LINE), None),  # nobody counted: the finding is not sure, and says so itself
    ],
)
def test_a_thread_that_may_have_handed_it_over_in_a_wait_of_the_watchdog_is_told_and_never_dropped(keeper, told):
    wait = replace(WAIT, workers=(keeper,))
    found = list(gil.kept(Observation("full", (EXCHANGE,), gaps=(wait,))))
    said = notes(wait, found=found)
    assert [fnmatch(note, f"unsettled: a thread computed 71 ms{told}*") for note in said] == [True] * bool(told)
    assert bool(said) == (not any(each.breaks(LIMITS) for each in found) and keeper.cpu >= LIMITS.max_block)


HOGS = Gap(0, 1078 * MS, 1078 * MS, 75, 352 * MS, 44 * MS, seen_by="watchdog", shared_cpu=48 * MS)
"""A watched `def` that computes 83 ms with the GIL beside 8 busy processes, once of 30: the clocks were read early."""


@pytest.mark.parametrize(
    ("keeper", "told"),
    [
        (Worker(44 * MS, LINE, at_most=83 * MS), True),
        (Worker(44 * MS, LINE, at_most=49 * MS), False),  # less than the limit in any case
        (Worker(44 * MS, LINE), False),
    ],
)
def test_a_thread_that_may_have_kept_it_for_longer_than_is_known_is_told(keeper, told):
    kept = "a thread kept the GIL at app/main.py:7 for 44 ms to 83 ms, nobody knows more exactly; not counted"
    assert notes(replace(HOGS, workers=(keeper,))) == [f"unsettled: {kept}"] * told
    turns = replace(HOGS, late=360 * MS, switches=150, workers=(replace(keeper, sleeps=30),))
    assert notes(turns) == []  # it handed the GIL over, and others had it in between


@pytest.mark.parametrize(
    ("ms", "workers", "told"),
    [
        (71, (), True),  # nobody knows who it was: a worker that has ended since
        (49, (), False),
        (71, (Worker(22 * MS, LINE),), False),
    ],
)
def test_what_nobody_is_known_to_have_computed_in_one_wait_of_the_watchdog_is_told_from_the_limit_on(ms, workers, told):
    said = notes(replace(HOGS, shared_cpu=ms * MS, workers=workers))
    assert [note.startswith("unsettled: the event loop waited 71 ms for the GIL: threads") for note in said] == [
        True
    ] * told


TURN = LongTurn(0, 300 * MS, 5 * MS, 0, 295 * MS, 60, 0, 0, others_cpu=290 * MS)


STRANGER = (
    Frame("/lib/json/encoder.py", 200, "encode", module="json.encoder", name="json.JSONEncoder.encode"),
    Frame("/lib/vendor.py", 8, "_run", module="vendor", qualname="Sdk._run"),
    Frame("/lib/threading.py", 990, "run", module="threading", name="threading.Thread.run"),
)


@pytest.mark.parametrize(
    ("ms", "stack", "told"),
    [(190, STRANGER, "which `vendor.Sdk._run` kept"), (190, (), "which a thread kept"), (49, STRANGER, None)],
    ids="named no-stack under-the-limit".split(),
)
def test_a_thread_that_may_be_the_apps_is_told_and_not_blamed(ms, stack, told):
    kept = replace(gap(200, 40, 190), stranger=Worker(ms * MS, stack), shared_cpu=190 * MS)
    said = notes(kept)
    if told is None:
        assert said == []
    else:
        (note,) = said
        assert note.startswith(f"unsettled: the event loop waited 190 ms for the GIL, {told}; nobody knows whether")
    assert list(gil.kept(Observation("full", (EXCHANGE,), gaps=(kept,)))) == []


def test_many_short_waits_in_one_turn_are_told_where_a_probe_waited():
    told = (
        "unsettled: the event loop waited 295 ms for the GIL in one turn: threads computed meanwhile, and none is "
        "known to have kept it (fewer at once, or a process); not counted"
    )
    assert notes(turn=TURN, waited=280) == [told]
    assert notes(gap(80, 16, 76, *SEVERAL), turn=TURN, waited=280) == [told]  # once, by the longer one


@pytest.mark.parametrize(
    ("turn", "waited"),
    [
        pytest.param(TURN, 99, id="no probe waited for long"),
        pytest.param(replace(TURN, others_cpu=99 * MS), 280, id="they had no processor"),
        pytest.param(replace(TURN, switches=2), 280, id="a sleep of its own"),
        pytest.param(replace(TURN, asleep=99 * MS), 280, id="it computed itself"),
        pytest.param(replace(TURN, ended=4 * MS), 280, id="over before"),
    ],
)
def test_else_no_turn_is(turn, waited):
    assert notes(turn=turn, waited=waited) == []


def test_what_is_a_finding_is_no_doubt():
    kept = gap(200, 40, 198, Worker(198 * MS, LINE))
    found = list(gil.kept(Observation("full", (EXCHANGE,), gaps=(kept,))))
    assert found
    assert notes(kept) != []
    assert notes(kept, turn=TURN, waited=280, found=found) == []


def test_each_request_is_told_of_its_own():
    other = EXCHANGE._replace(number=2, path="/other")
    one = replace(gap(200, 40, 0), exchange=2)
    observation = Observation("full", (EXCHANGE, other), (), gaps=(one,))
    assert not list(gil_doubts.of_exchange(observation, EXCHANGE, (), LIMITS, str))
    assert list(gil_doubts.of_exchange(observation, other, (), LIMITS, str))
