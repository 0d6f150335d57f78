"""Evidence on demand: what a rule read, and which rule it was."""

from dataclasses import replace

import pytest

from pytest_noblock.model.finding import Part
from pytest_noblock.model.frames import Frame
from pytest_noblock.model.rules import Readings, Rule
from pytest_noblock.model.segment import SocketExchange
from pytest_noblock.report.evidence import readings
from pytest_noblock.report.failure import failure
from tests.report.golden_checks import CHECKS, NETWORK

MS = 1_000_000
READ = replace(
    NETWORK,
    rule=Rule("round-trip", "a socket sent and received"),
    readings=Readings(
        wall=320 * MS,
        cpu=2 * MS,
        queued=19 * MS,
        asleep=299 * MS,
        switches=2,
        others_cpu=0,
        collected=0,
        samples=29,
        exchanged=(SocketExchange("127.0.0.1:8000", 180, 2400), SocketExchange(None, 1, 2)),
    ),
)
CHECK = replace(CHECKS["sync-network"], findings=(READ,), notes=("cold: sync-io, 20 ms at app.py:3",))
OTHERS = ("CPU of other threads 0 ms", "garbage collection 0 ms")
LINES = [
    "  rule    round-trip: a socket sent and received",
    f"  read    wall 320 ms, CPU 2.0 ms, run-queue delay 19 ms, asleep 299 ms, {', '.join(OTHERS)}",
    "          voluntary switches 2, stack samples 29",
    "          127.0.0.1:8000: 180 bytes sent, 2400 bytes received",
    "          a closed socket: 1 bytes sent, 2 bytes received",
]
NOTES = ["  notes   seen, and fails nothing", "            cold: sync-io, 20 ms at app.py:3"]


def test_the_rule_and_all_that_it_read_are_told():
    assert list(readings(READ)) == LINES


def test_what_was_not_read_is_not_told_as_nothing():
    lines = list(readings(replace(READ, readings=Readings(wall=MS))))
    assert lines[1].count("not read") == 5
    assert lines[2] == "          voluntary switches not read, stack samples not read"


def test_a_background_task_has_none():
    (finding,) = CHECKS["background-early"].findings
    assert list(readings(finding)) == []


@pytest.mark.parametrize(
    ("verbosity", "asked", "shown"),
    [(0, False, False), (2, False, False), (3, False, True), (0, True, True), (1, True, True)],
)
def test_they_are_told_at_vvv_and_where_they_are_asked_for(verbosity, asked, shown):
    lines = failure(CHECK, verbosity, readings=asked).splitlines()
    assert [line in lines for line in (*LINES, *NOTES)] == [shown] * (len(LINES) + len(NOTES))


def test_without_them_the_text_is_the_same():
    """They come between the rows, and change none."""
    lines = failure(CHECK, 2, readings=True).splitlines()
    assert [line for line in lines if line not in (*LINES, *NOTES)] == failure(CHECK, 2).splitlines()


def test_quiet_is_one_line_all_the_same():
    assert failure(CHECK, -1, readings=True) == failure(CHECK, -1)


def test_the_notes_of_what_was_not_measured_are_told():
    text = failure(replace(CHECKS["inconclusive"], notes=("a note",)), readings=True)
    assert text.splitlines()[-2:] == ["  notes   seen, and fails nothing", "            a note"]


def test_the_lines_that_held_the_loop_together_are_told_at_v():
    parts = tuple(Part(Frame("app.py", line, "report"), ms * MS) for line, ms in ((7, 40), (9, 20)))
    told = ["  part    40 ms by app.py:7 in report", "  part    20 ms by app.py:9 in report"]
    check = replace(CHECK, findings=tuple(replace(each, parts=parts) for each in CHECK.findings))
    assert not set(told) & set(failure(check).splitlines())
    assert set(told) <= set(failure(check, 1).splitlines())
