"""The values that tests read."""

from dataclasses import FrozenInstanceError, replace

import pytest

from pytest_noblock.model.check import Check, ProbeWaits, TaskRun, outcome_of, with_findings
from tests.report.golden_checks import CHECKS

CHECK = Check("test_report", "GET /report", None, None, "passed", 0, 50_000_000, "full")
VALUES = [
    CHECK,
    ProbeWaits("/health", sent=3, waited=1, worst=20_500_000, alone=1_000),
    TaskRun("write_log", 1.0, 2.0, 3.0, None),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_a_field_more_changes_neither_length_nor_unpacking(value):
    assert not isinstance(value, tuple)
    with pytest.raises(TypeError):
        len(value)


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_nobody_changes_a_value_and_equal_ones_are_equal(value):
    name = next(iter(type(value).__dataclass_fields__))
    with pytest.raises(FrozenInstanceError):
        setattr(value, name, "other")
    assert replace(value) == value
    assert replace(value, **{name: "other"}) != value


FINDING = CHECKS["cpu"].findings[0]


def test_where_something_was_found_something_was_measured():
    unmeasured = replace(CHECK, outcome=outcome_of((), "no such route"), reason="no such route")
    assert unmeasured.outcome == "inconclusive"
    found = with_findings(unmeasured, [FINDING])
    assert (found.outcome, found.reason, found.findings) == ("failed", None, (FINDING,))
    assert with_findings(unmeasured, []) == unmeasured


def test_ns_have_twins_in_ms():
    probe = VALUES[1]
    assert (probe.worst_ms, probe.alone_ms) == (20.5, 0.001)
    assert replace(CHECK, duration=1_234_567).duration_ms == 1.235
