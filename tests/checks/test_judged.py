"""What the check of a request of the fixture says, of what its runs have shown: values alone."""

import pytest

from pytest_noblock.checks.assemble import Subject
from pytest_noblock.checks.judged import Rules, Shown, judged
from pytest_noblock.checks.plan import Plan
from pytest_noblock.judge.inconclusive import NO_PATHS
from pytest_noblock.model.limits import Limits
from pytest_noblock.model.observation import Exchange, Observation
from pytest_noblock.model.pace import STEADY
from pytest_noblock.model.segment import Segment

MS = 1_000_000
SUBJECT = Subject("test_it", "GET /a", 50 * MS, "full")
PLAN = Plan(Limits(50 * MS))
ANSWERED = Exchange(1, "GET", "/a", sent=0, started=MS, completed=MS, returned=MS, status=200, steps=1, entered=True)
REFUSED = ANSWERED._replace(status=401, entered=False)


def told(*exchanges, plan=PLAN, segments=(), **shown):
    """The check, where nothing blocked."""
    observation = Observation("full", exchanges, segments)
    values = {"found": [], "sure": [], "warm_up": [], "left": [], "once": False, "response": None} | shown
    return judged(SUBJECT, Shown(observation, **values), Rules(plan, lambda: NO_PATHS, lambda: STEADY, str))


def test_an_answer_of_the_endpoint_passes():
    check = told(ANSWERED)
    assert (check.outcome, check.reason, check.notes, check.exchange) == ("passed", None, (), ANSWERED)


def test_an_answer_from_in_front_of_the_endpoint_is_no_measurement():
    check = told(REFUSED)
    assert check.outcome == "inconclusive"
    assert check.reason.startswith("GET /a answered 401 before its endpoint was called: the endpoint was not reached (")


@pytest.mark.parametrize(("again", "outcome"), [(True, "inconclusive"), (False, "passed")])
def test_what_no_rule_explains_counts_where_each_run_shows_it(again, outcome):
    check = told(ANSWERED, unexplained="a probe waited", came_again=again)
    assert check.outcome == outcome
    assert check.reason == ("a probe waited" if again else None)
    doubt = "unsettled: a probe waited; another run did not show it again; not counted"
    assert (doubt in check.notes) == (not again)


def test_of_copies_it_is_said_how_many_were_not_measured():
    check = told(ANSWERED, REFUSED, REFUSED, plan=PLAN._replace(concurrency=3))
    assert check.reason.endswith("; so did 2 of 3 copies")
    assert check.exchanges == (ANSWERED, REFUSED, REFUSED)


def test_of_redirects_the_last_answer_counts():
    check = told(REFUSED, ANSWERED)
    assert (check.outcome, check.exchange) == ("passed", ANSWERED)


def test_a_test_that_takes_any_answer_has_a_note_in_its_place():
    check = told(REFUSED, plan=PLAN._replace(expect="any"))
    assert check.outcome == "passed"
    (note,) = check.notes
    assert note.startswith("GET /a answered 401 before its endpoint was called: the endpoint was not reached; ")
    assert note.endswith("; the test takes any answer, and the endpoint was not measured")


@pytest.mark.parametrize(
    ("once", "note"),
    [
        (True, "cold: imports, 60 ms (shop), the first time only"),
        (
            False,
            "unsettled: imports, 60 ms (shop), in a request that is not the first of its path; imports are not counted",
        ),
    ],
)
def test_imports_are_a_first_time_only_where_no_other_run_was_made(once, note):
    step = Segment(1, 0, MS, 0, 0, 0, 1, 0, 0, 0, imported=60 * MS, modules=(("shop", 60 * MS),))
    assert told(ANSWERED, segments=(step,), once=once).notes == (note,)


def test_what_all_runs_left_is_told_once():
    assert told(ANSWERED, left=["a task", "a timer", "a task"]).notes == ("a task", "a timer")
