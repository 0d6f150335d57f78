"""One line of code that is red in many tests is told once in full, then in one line for each test."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from pytest_noblock.plugin.telling import Telling
from tests.report.golden_checks import CHECKS

RED = CHECKS["sync-network"]
OTHER = replace(RED, findings=(replace(RED.findings[0], line=99),))
TASK = CHECKS["background-failed"]
FULL = "  instead "
AGAIN = "GET /report blocked the event loop 301 ms (limit 50 ms), sync-network by app/main.py:44 in report, as "


def ended(telling, test, *outcomes):
    """The phases of the test end so."""
    for when, outcome in zip(("setup", "call", "teardown"), outcomes, strict=False):
        report = SimpleNamespace(nodeid=test, when=when, outcome=outcome, failed=outcome == "failed")
        telling.pytest_runtest_logreport(report)


def failed(telling, test, *checks):
    """The text of a test that fails by these checks."""
    text = telling.text(test, checks)
    ended(telling, test, "passed", "failed", "passed")
    return text


def test_the_second_test_is_told_in_one_line():
    telling = Telling(0)
    assert FULL in failed(telling, "t.py::a", RED)
    assert failed(telling, "t.py::b", RED) == f"{AGAIN}in t.py::a"
    assert failed(telling, "t.py::c", RED) == f"{AGAIN}in t.py::a"


def test_what_stands_above_in_the_same_text_is_told_in_one_line_as_well():
    telling = Telling(0)
    text = failed(telling, "t.py::a", RED, RED)
    assert text.count(FULL) == 1
    assert text.endswith(f"{AGAIN}above")


def test_a_line_whose_remedy_is_another_here_is_told_with_that_one():
    """A background task may become a plain def; the same function given to `create_task` may not."""
    telling = Telling(0)
    detached = replace(RED, findings=(replace(RED.findings[0], replacement="await other(...)"),))
    failed(telling, "t.py::a", RED)
    assert failed(telling, "t.py::b", detached) == f"{AGAIN}in t.py::a\n  instead await other(...)"
    assert failed(telling, "t.py::c", RED) == f"{AGAIN}in t.py::a"
    assert telling.text("t.py::d", [RED, detached]).endswith("in t.py::a\n  instead await other(...)")


def test_another_line_is_told_in_full_beside_it():
    telling = Telling(0)
    failed(telling, "t.py::a", RED)
    both = replace(RED, findings=(*RED.findings, *OTHER.findings))
    text = failed(telling, "t.py::b", both)
    assert text.startswith(f"{AGAIN}in t.py::a\nGET /report")
    assert text.count(FULL) == 1
    assert "app/main.py:99" in text


@pytest.mark.parametrize("outcome", ["passed", "skipped", "rerun"])
def test_what_nobody_was_shown_is_told_in_full_to_the_next(outcome):
    """An expected failure is `skipped`, one that is run again `rerun`."""
    telling = Telling(0)
    telling.text("t.py::a", [RED])
    ended(telling, "t.py::a", "passed", outcome, "passed")
    assert FULL in failed(telling, "t.py::b", RED)


def test_a_test_that_is_run_again_is_told_in_full_again():
    telling = Telling(0)
    failed(telling, "t.py::a", RED)
    assert FULL in failed(telling, "t.py::a", RED)


def test_faults_of_background_tasks_are_each_tests_own():
    telling = Telling(0)
    assert failed(telling, "t.py::a", TASK) == failed(telling, "t.py::b", TASK)


@pytest.mark.parametrize(("verbosity", "full"), [(-1, 0), (0, 1), (1, 2), (2, 2), (3, 2)])
def test_who_looks_closer_is_told_in_full_each_time(verbosity, full):
    telling = Telling(verbosity)
    texts = failed(telling, "t.py::a", RED) + failed(telling, "t.py::b", RED)
    assert texts.count(FULL) == full
    assert ("timeline" in failed(telling, "t.py::c", RED)) == (verbosity >= 1)


def test_the_first_line_alone_tells_nobody_anything():
    telling = Telling(-1)
    failed(telling, "t.py::a", RED)
    assert failed(telling, "t.py::b", RED) == "GET /report blocked the event loop 301 ms (limit 50 ms)"


def test_who_debugs_is_told_in_full_each_time(monkeypatch):
    monkeypatch.setenv("NOBLOCK_DEBUG", "1")
    telling = Telling(0)
    failed(telling, "t.py::a", RED)
    assert FULL in failed(telling, "t.py::b", RED)


MANY = """
    import pytest, shop
    from fastapi.testclient import TestClient

    @pytest.mark.xfail
    def test_a(noblock):
        noblock.get("/blocks")

    @pytest.mark.parametrize("number", range(6))
    def test_b(number):
        TestClient(shop.app).get("/blocks")

    def test_c(noblock):
        noblock.get("/blocks")
"""


@pytest.mark.one_python
@pytest.mark.parametrize("options", [[], ["-n2"]], ids=["one-process", "xdist"])
def test_a_line_that_is_red_in_many_tests(run, options):
    if options:
        pytest.importorskip("xdist")
    result = run(MANY, "--noblock", *options)
    result.assert_outcomes(xfailed=1, failed=7)
    lines = result.outlines
    full = [line for line in lines if line.startswith(FULL)]
    again = [line for line in lines if ", as in test_shop.py::test_" in line]
    assert 1 <= len(full) <= (2 if options else 1)
    assert len(full) + len(again) == 7
    for line in again:
        assert line.startswith("GET /blocks blocked the event loop ")
        assert " ms (limit 50 ms), sync-io by shop.py:17 in blocks, as in test_shop.py::test_b[" in line
