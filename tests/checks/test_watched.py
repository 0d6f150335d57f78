"""The checks of a watched test, from literal observations."""

import random

import pytest

from pytest_noblock.checks import watched
from pytest_noblock.checks.watched import WatchRules, judge_watched, sure_in_one_run
from pytest_noblock.model.concurrency import HeldTurn
from pytest_noblock.model.frames import Frame
from pytest_noblock.model.limits import Limits
from pytest_noblock.model.observation import LIFESPAN, Exchange, Left, Observation, Task
from pytest_noblock.model.rules import Readings, Rule
from pytest_noblock.model.segment import BlockingCall, Sample, Segment, SocketExchange
from pytest_noblock.model.stall import BlamedLine, Stall

MS = 1_000_000
LINE = Frame("/project/app.py", 7, "report", "time.sleep", user=True)
HOME = Exchange(1, "GET", "/", sent=0, completed=90 * MS, returned=91 * MS, route="/", endpoint="app.home", steps=1)
OTHER = HOME._replace(number=2, path="/other", route="/other")
START = HOME._replace(method=LIFESPAN, path="", route=None, endpoint=None)
RULES = WatchRules()
TASK = Task("write_log", "app", "write_log", "", None, 91 * MS, 92 * MS, None, None, None)


def segment(exchange=1, *, ms=80, cpu=0, slept=True, imported=0, answered=()):
    """A step in which the thread slept in a known call, unless told otherwise."""
    calls = (BlockingCall("time.sleep", False, 0, (ms - cpu) * MS, (LINE,), asked=(ms - cpu) * MS),) if slept else ()
    samples = () if slept else (Sample(10 * MS, 10 * MS, 10 * MS, (LINE,), "running"),)
    return Segment(
        exchange, 0, ms * MS, cpu=cpu * MS, collected=0, queued=0, switches=1 if slept else 0, others_cpu=0,
        round_trips=0, doubtful_trips=0, imported=round(imported * MS), samples=samples, calls=calls, answered=answered,
    )  # fmt: skip


def judged(*segments, exchanges=(HOME,), rules=RULES, loop="asyncio"):
    observation = Observation("full", exchanges, segments, loop=loop)
    return judge_watched("test_it", observation, rules, lambda file: file.removeprefix("/project/"))


def test_a_sleep_over_the_limit_fails_its_request_and_no_other():
    first, second = judged(segment(2), exchanges=(HOME, OTHER))
    assert (first.request, first.outcome, first.findings) == ("GET /", "passed", ())
    assert (second.request, second.outcome) == ("GET /other", "failed")
    (finding,) = second.findings
    assert (finding.kind, finding.file, finding.line, finding.route) == ("sync-io", "app.py", 7, "GET /other")


def test_under_the_limit_it_is_a_note():
    (check,) = judged(segment(ms=20))
    assert (check.outcome, check.notes) == ("passed", ("sync-io, 20 ms at app.py:7: under the limit of 50 ms",))


def test_the_limit_is_the_tests():
    assert judged(segment(ms=20), rules=WatchRules(Limits(10 * MS)))[0].outcome == "failed"


def test_what_the_app_answered_is_the_tests_business():
    (check,) = judged(exchanges=(HOME._replace(route=None, endpoint=None, status=404),))
    assert check.outcome == "passed"


def test_a_request_without_a_metered_step_was_not_measured():
    (check,) = judged(exchanges=(HOME._replace(steps=0),))
    assert check.outcome == "inconclusive"
    assert "ran no step" in check.reason


@pytest.mark.parametrize("lifespan_fails", [True, False])
def test_the_start_of_the_app_fails_only_if_told_to(lifespan_fails):
    (check,) = judged(segment(), exchanges=(START,), rules=WatchRules(lifespan_fails=lifespan_fails))
    assert check.request == LIFESPAN
    assert check.outcome == ("failed" if lifespan_fails else "passed")
    told = [
        note
        for note in check.notes
        if note.endswith("in the app's lifespan: noblock_lifespan = fail would make it red")
    ]
    assert len(told) == len(check.notes) == (not lifespan_fails)


@pytest.mark.parametrize(
    ("exchange", "rules", "outcome"),
    [
        (HOME, WatchRules(mocked_calls_fail=True), "failed"),
        (HOME, WatchRules(), "passed"),
        (START, WatchRules(mocked_calls_fail=True), "passed"),
        (START, WatchRules(mocked_calls_fail=True, lifespan_fails=True), "failed"),
    ],
)
def test_what_a_mock_answered_fails_only_if_told_to(exchange, rules, outcome):
    answered = (BlockingCall("requests.get", True, 1, 2, (LINE,)),)
    (check,) = judged(segment(ms=1, cpu=1, slept=False, answered=answered), exchanges=(exchange,), rules=rules)
    assert check.outcome == outcome


@pytest.mark.parametrize(
    ("imported", "notes"), [(20, ("cold: imports, 20 ms, the first time only",)), (0.9, ()), (0, ())]
)
def test_first_imports_are_noted(imported, notes):
    assert judged(segment(ms=30, slept=False, cpu=0, imported=imported))[0].notes == notes


def test_the_loop_is_the_observations():
    assert judged(loop="trio")[0].loop == "trio"


@pytest.mark.parametrize(
    ("kind", "sure", "frame", "first_use", "counts"),
    [
        ("sync-io", True, None, False, True),
        ("sync-io", False, LINE, False, False),
        ("sync-network", True, LINE, True, True),
        ("cpu", True, LINE, False, True),
        ("cpu", True, None, False, True),
        ("cpu", True, LINE, True, False),
        ("cpu", False, LINE, False, False),
    ],
)
def test_one_run_is_proof_of_a_sleep_and_of_computing_wherever_that_was(kind, sure, frame, first_use, counts):
    place = BlamedLine(frame, first_use=first_use)
    stall = Stall(kind, HOME, 0, 1, 1, 0, place, rule=Rule("slept", "by the clock"), readings=Readings(1), sure=sure)
    assert sure_in_one_run(stall) is counts


def test_the_quick_way_gives_the_check_of_the_full_way(monkeypatch):
    """Of 600 observations, most with some request of which there is nothing to say, and many without another."""
    chance = random.Random(11)
    observations = [_any_observation(chance) for _ in range(600)]
    quick = []
    is_quiet = watched._Run.is_quiet
    monkeypatch.setattr(watched._Run, "is_quiet", lambda *args: quick.append(is_quiet(*args)) or quick[-1])
    fast = [_checks(each) for each in observations]
    monkeypatch.setattr(watched._Run, "is_quiet", lambda *_: False)
    assert fast == [_checks(each) for each in observations]
    assert 400 < sum(quick) < len(quick) - 300


def _checks(observation):
    return judge_watched("test_it", observation, RULES, lambda file: file.removeprefix("/project/"))


def _any_observation(chance):
    """One to four requests: each usual, or one of the sorts that some judge tells of, with steps of all lengths."""
    odd = chance.choice([0, 0, 0, 0.3, 1])
    exchanges = [_any_exchange(number, chance, odd) for number in range(1, chance.randint(2, 5))]
    segments = [_any_segment(chance.choice(exchanges).number, chance, odd) for _ in range(chance.randint(0, 6))]
    held = [HeldTurn(1, 80 * MS, (LINE,))] if chance.random() < odd / 8 else []
    slowdown = 80 if chance.random() < odd / 4 else 1
    return Observation("full", tuple(exchanges), tuple(segments), loop="asyncio", slowdown=slowdown, held=tuple(held))


def _any_exchange(number, chance, odd):
    usual = HOME._replace(
        number=number, path=f"/{number}", route=chance.choice([None, "/{it}"]), brief=chance.randint(0, MS)
    )
    if chance.random() >= odd:
        return usual._replace(entered=chance.choice([None, True]), completed=chance.choice([None, 7 * MS]))
    return chance.choice(
        [
            usual._replace(steps=0),
            usual._replace(returned=None),
            usual._replace(returned=None, method=chance.choice([LIFESPAN, "WEBSOCKET"])),
            usual._replace(entered=False, status=404),
            usual._replace(left=(Left("running", LINE),)),
            usual._replace(tasks=(TASK,)),
            START._replace(number=number),
        ]
    )


def _any_segment(exchange, chance, odd):
    plain = segment(exchange, ms=chance.choice([1, 9, 30]), cpu=1, slept=False)
    short = plain._replace(samples=(), queued=chance.randint(0, 9) * MS, turn=chance.randint(0, 3))
    if chance.random() >= odd:
        return short
    mocked = BlockingCall("requests.get", True, 0, 1, (LINE,))
    return chance.choice(
        [
            segment(exchange, ms=chance.choice([20, 80])),
            segment(exchange, cpu=chance.choice([20, 60]), slept=False),
            short._replace(imported=5 * MS),
            short._replace(first_use=5 * MS, cpu=6 * MS, first_uses=(("the pattern a", 5 * MS),)),
            short._replace(answered=(mocked,)),
            short._replace(doubtful_trips=1, exchanged=(SocketExchange("127.0.0.1:1", 1, 1),)),
            short._replace(round_trips=1, exchanged=(SocketExchange("127.0.0.1:1", 1, 1),)),
        ]
    )
