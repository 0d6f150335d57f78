"""What becomes of a known blocking call that a mock answered."""

from dataclasses import replace

import pytest

from pytest_noblock.judge.mocked import judged
from pytest_noblock.model.check import Check
from pytest_noblock.model.frames import Frame
from pytest_noblock.model.observation import Exchange, Phase
from pytest_noblock.model.segment import BlockingCall, Segment

EXCHANGE = Exchange(1, "GET", "/report", sent=0, completed=100)
FRAME = Frame("/project/app.py", 7, "report", "requests.get", user=True)
CALL = BlockingCall("Session.send", network=True, began=10, ended=20, stack=(FRAME,))
SEGMENT = Segment(
    1, 0, 30, cpu=30, collected=0, queued=0, switches=0, others_cpu=0, round_trips=0, doubtful_trips=0, answered=(CALL,)
)
PASSED = Check("test_report", "GET /report", None, None, "passed", 0, 50, "full", exchanges=(EXCHANGE,))
NOTE = "sync-network, requests.get at app.py:7: known blocking call, answered by a mock"


def shown(file: str) -> str:
    return file.removeprefix("/project/")


def judge(*segments: Segment, fails: bool = True, check: Check = PASSED) -> Check:
    return judged(check, segments, shown, fails=fails)


def test_it_is_a_note():
    assert judge(SEGMENT, fails=False) == replace(PASSED, notes=(NOTE,))


def test_it_fails_where_it_must():
    check = judge(SEGMENT)

    (finding,) = check.findings
    assert check.outcome == "failed"
    assert (finding.kind, finding.file, finding.line, finding.call) == ("sync-network", "app.py", 7, "requests.get")
    assert finding.evidence == "known blocking call, answered by a mock"
    assert finding.confirmed
    assert (finding.rule.id, finding.readings.wall) == ("mocked-call", SEGMENT.wall)


def test_a_line_is_told_once():
    check = judge(SEGMENT._replace(answered=(CALL, CALL)), SEGMENT)

    assert [finding.count for finding in check.findings] == [3]
    assert judge(SEGMENT, check=check) == check


@pytest.mark.parametrize("fails", [True, False])
def test_other_requests_are_others_business(fails):
    assert judge(SEGMENT._replace(exchange=2), fails=fails) is PASSED


def test_a_mock_of_a_sleep_is_no_network():
    call = CALL._replace(network=False, stack=(FRAME._replace(call="time.sleep"),))

    assert judge(SEGMENT._replace(answered=(call,))).findings[0].kind == "sync-io"


def test_after_the_response_it_is_the_background_tasks():
    late = CALL._replace(began=110, ended=120)

    assert judge(SEGMENT._replace(answered=(late,))).findings[0].phase is Phase.BACKGROUND


def test_an_inconclusive_check_fails():
    check = judge(SEGMENT, check=replace(PASSED, outcome="inconclusive", reason="raised"))

    assert (check.outcome, check.reason) == ("failed", None)
