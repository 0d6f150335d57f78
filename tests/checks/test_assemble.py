"""From an exchange and the judges' verdict to a check, from literal values."""

from dataclasses import replace

import pytest

from pytest_noblock.checks.assemble import (
    Subject,
    Verdict,
    measured,
    route_of,
    steps,
    unmeasured,
    with_mocked_calls,
    with_task_faults,
)
from pytest_noblock.judge.background import Fault
from pytest_noblock.model.check import outcome_of, with_findings
from pytest_noblock.model.finding import MOCKED, Finding
from pytest_noblock.model.frames import Frame
from pytest_noblock.model.observation import Exchange, Phase, Task
from pytest_noblock.model.segment import BlockingCall, Segment

MS = 1_000_000
SUBJECT = Subject("tests/test_api.py::test_it", "GET /users/7", 50 * MS, "full")
EXCHANGE = Exchange(
    1, "GET", "/users/7", sent=100 * MS, completed=130 * MS, route="/users/{id}", endpoint="app.user", steps=2
)
FINDING = Finding(
    kind="cpu",
    phase=Phase.HANDLER,
    blocked_ns=60 * MS,
    cpu=60 * MS,
    asleep=0,
    count=1,
    file="app.py",
    line=3,
    function="user",
    code="for each in these:",
    call=None,
    replacement="smaller pieces",
    confirmed=True,
    evidence="sample",
)
ACCEPTED = replace(FINDING, accepted="legacy")
TASK = Task("write_log", "app", "write_log", "", None, None, None, None, None, 1)
CALL = BlockingCall("requests.get", True, 110 * MS, 110 * MS, (Frame("/project/app.py", 4, "user", user=True),))


def relative(file):
    return file.removeprefix("/project/")


def built(*findings, exchange=EXCHANGE, reason=None, notes=(), **more):
    return measured(SUBJECT, exchange, Verdict(findings, notes, reason), relative, **more)


def segment(*answered, exchange=1):
    return Segment(
        exchange, 100 * MS, 120 * MS, cpu=0, collected=0, queued=0, switches=0, others_cpu=0, round_trips=0,
        doubtful_trips=0, answered=answered,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("findings", "reason", "outcome"),
    [
        ((), None, "passed"),
        ((), "no such route", "inconclusive"),
        ((FINDING,), None, "failed"),
        ((FINDING,), "no such route", "failed"),
        ((ACCEPTED,), None, "accepted"),
        ((ACCEPTED, FINDING), None, "failed"),
        ((FINDING, ACCEPTED), None, "failed"),
        ((ACCEPTED, ACCEPTED), "no such route", "accepted"),
    ],
)
def test_the_outcome_is_decided_by_findings_and_reason(findings, reason, outcome):
    assert outcome_of(findings, reason) == outcome
    check = built(*findings, reason=reason)
    assert (check.outcome, check.reason) == (outcome, None if findings else reason)
    assert with_findings(built(reason=reason), findings).outcome == outcome


def test_what_is_known_of_the_exchange_is_in_the_check():
    check = built(notes=("a note",), loop="trio", capacity="40 at once")
    assert (check.id, check.request, check.limit, check.meter) == SUBJECT
    assert (check.route, check.endpoint, check.duration_ms) == ("/users/{id}", "app.user", 30.0)
    assert (check.exchange, check.exchanges) == (EXCHANGE, (EXCHANGE,))
    assert (check.notes, check.loop, check.capacity) == (("a note",), "trio", "40 at once")


@pytest.mark.parametrize(
    ("completed", "returned", "ms"), [(130, 140, 30.0), (None, 140, 40.0), (None, None, 0.0)], ids=str
)
def test_a_request_lasts_until_its_response_is_complete(completed, returned, ms):
    moments = [moment and moment * MS for moment in (completed, returned)]
    assert built(exchange=EXCHANGE._replace(completed=moments[0], returned=moments[1])).duration_ms == ms


def test_copies_are_told_where_there_are_some():
    others = (EXCHANGE._replace(number=2), EXCHANGE)
    assert built(exchanges=others).exchanges == others


@pytest.mark.parametrize(
    ("request_line", "exchange", "route"),
    [
        ("GET /users/7", EXCHANGE, "GET /users/{id}"),
        ("WEBSOCKET /users/7", EXCHANGE, "WEBSOCKET /users/{id}"),
        ("GET /users/7", EXCHANGE._replace(route=None), SUBJECT.id),
    ],
)
def test_each_finding_has_the_route_and_so_an_identity(request_line, exchange, route):
    verdict = Verdict((FINDING, ACCEPTED), (), None)
    check = measured(SUBJECT._replace(request=request_line), exchange, verdict, relative)
    assert route_of(check) == route
    assert [finding.identity for finding in check.findings] == [("cpu", route, "app.py", "user", None)] * 2


def test_nothing_is_said_of_a_request_that_was_not_measured():
    check = unmeasured(SUBJECT, "it cannot be sent")
    assert (check.outcome, check.reason, check.findings) == ("inconclusive", "it cannot be sent", ())
    assert (check.exchange, check.route, check.duration) == (None, None, 0)


def test_how_far_a_stuck_request_came_is_told():
    check = unmeasured(SUBJECT, "it did not end", EXCHANGE._replace(tasks=(TASK,)), relative)
    assert [task.name for task in check.background] == ["write_log"]
    assert check.exchange is not None


@pytest.mark.parametrize("fail", [True, False])
def test_a_call_that_a_mock_answered_is_a_finding_or_a_note(fail):
    check = with_mocked_calls(built(), [segment(), segment(CALL)], relative, fail=fail)
    assert check.outcome == ("failed" if fail else "passed")
    assert [(each.evidence, each.route) for each in check.findings] == [(MOCKED, "GET /users/{id}")] * fail
    assert len(check.notes) == (not fail)


def test_without_mocks_a_check_is_left_as_it_is():
    check = built()
    assert with_mocked_calls(check, [segment()], relative, fail=True) is check
    assert with_mocked_calls(check, [segment(CALL, exchange=2)], relative, fail=True) == check


def test_a_task_that_went_wrong_is_a_finding_of_its_own_request():
    first, second = built(), built(exchange=EXCHANGE._replace(number=2, route=None))
    faults = [Fault("background-failed", "write_log", "it raised", "handle it", second.exchange, TASK)]
    one, other = with_task_faults([first, second], faults, relative)
    assert one == first
    assert other.outcome == "failed"
    assert [(each.kind, each.route) for each in other.findings] == [("background-failed", SUBJECT.id)]


def test_a_task_of_no_request_is_a_finding_of_the_last():
    checks = with_task_faults([built(), built()], [Fault("background-missing", "", "none was added")], relative)
    assert [check.outcome for check in checks] == ["passed", "failed"]


def test_the_steps_are_the_requests_own_the_longest_of_them_and_in_order():
    def step(began, ended, exchange=1):
        return segment(exchange=exchange)._replace(began=began, ended=ended)

    own = [step(1000 * number, 1000 * number + number) for number in range(1, 151)]
    got = steps(EXCHANGE, [*reversed(own), step(1, 999, exchange=2)])
    assert got == tuple((1000 * number, 1000 * number + number) for number in range(51, 151))
