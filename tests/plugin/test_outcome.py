"""What the checks of a test do to it; the item is of straw, its user properties and sections are looked at."""

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest

from pytest_noblock.model.check import Check
from pytest_noblock.model.finding import NoblockWarning
from pytest_noblock.model.observation import Exchange, Task
from pytest_noblock.plugin import options
from pytest_noblock.plugin.attached import Carrier
from pytest_noblock.plugin.markers import Marked
from pytest_noblock.plugin.outcome import ItemOutcome
from pytest_noblock.plugin.settings import Settings
from pytest_noblock.report.wire import decode
from tests.report.golden_checks import CHECKS, NETWORK, PASSED

MARK = pytest.mark
RED = replace(CHECKS["sync-network"], id="t", findings=(replace(NETWORK, route="GET /report"),))
GREEN = replace(PASSED, id="t")
UNMEASURED = replace(CHECKS["inconclusive"], id="t")
TASK = Task("write_log", "app", "write_log", "", None, 30, 40, "ValueError('x')", None, 1)


@pytest.fixture
def item(monkeypatch):
    plugins = {}
    config = SimpleNamespace(
        pluginmanager=SimpleNamespace(get_plugin=plugins.get, register=lambda plugin, name: None),
        get_verbosity=lambda kind: -1,
        plugins=plugins,
        stash=pytest.Stash(),
    )
    item = SimpleNamespace(
        nodeid="t", name="test_it", config=config, user_properties=[], own_markers=[], sections=[],
        listchain=list, iter_markers=lambda: (),
        reportinfo=lambda: (__file__, 1, "test_it"),
    )  # fmt: skip
    item.add_report_section = lambda *section: item.sections.append(section)
    return item


@pytest.fixture
def outcome_of(item, monkeypatch):
    def outcome_of(*marks, **settings):
        monkeypatch.setattr(options, "settings_of", lambda config, ours: Settings(**settings))
        item.own_markers = [each.mark for each in marks]
        return ItemOutcome(item, Marked(tuple(item.own_markers)))

    return outcome_of


def recorded(item):
    """(request, outcome, kinds) of each record."""
    records = [json.loads(text) for name, text in item.user_properties if name == "noblock"]
    return [(each["request"], each["outcome"], [found["kind"] for found in each["findings"]]) for each in records]


def conclude(outcome, *watched, passing=True):
    outcome.conclude(watched, "full", lambda file: file, "passed" if passing else "failed")


def with_task(check):
    """The check of a request whose background task raised."""
    exchange = Exchange(9, "GET", "/report", 0, completed=20, returned=50, tasks=(TASK,), route="/report", steps=1)
    return replace(check, exchange=exchange, exchanges=(exchange,))


# --- accepting


def test_a_check_goes_on_record_as_it_is(item, outcome_of):
    outcome = outcome_of()
    assert outcome.record(RED) == RED
    assert outcome.record(GREEN) == GREEN
    assert recorded(item) == [("GET /report", "failed", ["sync-network"]), ("GET /report", "passed", [])]


def test_what_an_allowance_covers_is_accepted(item, outcome_of):
    outcome = outcome_of(MARK.noblock_allow("legacy", call="requests"))
    assert outcome.record(RED).outcome == "accepted"
    assert recorded(item)[0][1] == "accepted"


def test_under_warn_all_the_rest_is_accepted_with_a_warning(item, outcome_of):
    outcome = outcome_of(action="warn")
    with pytest.warns(NoblockWarning, match="GET /report blocked the event loop 301 ms") as warned:
        check = outcome.record(RED)
    assert (check.outcome, check.findings[0].accepted) == ("accepted", "action=warn")
    assert warned[0].filename == __file__  # this test's own line: it is what asked
    outcome.record(GREEN)
    assert len(warned) == 1


@pytest.mark.parametrize("check", [UNMEASURED, GREEN])
def test_what_was_not_measured_is_not_accepted_by_anything(outcome_of, check):
    outcome = outcome_of(MARK.noblock_allow("all"), action="warn")
    assert outcome.record(check) == check


# --- failing


@pytest.mark.parametrize(("check", "red"), [(RED, True), (UNMEASURED, True), (GREEN, False)])
def test_a_request_of_the_fixture_fails_its_test(outcome_of, check, red):
    outcome = outcome_of()
    if red:
        with pytest.raises(pytest.fail.Exception, match="GET /rep"):
            outcome.fail_if_red(check)
    else:
        outcome.fail_if_red(check)
    outcome.fail_if_red(replace(check, outcome="accepted"))


def test_a_watched_request_fails_the_test_that_nothing_else_failed(item, outcome_of):
    with pytest.raises(pytest.fail.Exception, match="blocked the event loop"):
        conclude(outcome_of(), GREEN, RED)
    assert [outcome for _, outcome, _ in recorded(item)] == ["passed", "failed"]
    assert item.sections == []


def test_a_test_that_fails_anyway_gets_the_text_as_a_section(item, outcome_of):
    conclude(outcome_of(), RED, passing=False)
    assert item.sections == [("call", "noblock", "GET /report blocked the event loop 301 ms (limit 50 ms)")]


@pytest.mark.parametrize("marks", [[], [MARK.noblock_background("nobody")]])
def test_a_check_of_the_fixture_that_is_red_fails_nothing_at_the_end(item, outcome_of, marks):
    """`noblock.check` never fails its test; only what is new at the end does."""
    outcome = outcome_of(*marks)
    outcome.record(RED)
    outcome.record(GREEN)
    if marks:
        with pytest.raises(pytest.fail.Exception, match=r"^GET /report: background task nobody was never added$"):
            conclude(outcome)
    else:
        conclude(outcome)
    assert len(recorded(item)) == 2


def test_a_watched_request_that_was_not_measured_fails_nothing(item, outcome_of):
    conclude(outcome_of(), UNMEASURED)
    assert recorded(item)[0][1] == "inconclusive"


@pytest.mark.parametrize(
    ("marks", "passing", "red"),
    [([MARK.noblock], True, True), ([MARK.noblock], False, False), ([MARK.noblock_allow("x")], True, False)],
)
def test_a_test_that_asks_to_be_watched_must_make_a_request(outcome_of, marks, passing, red):
    if red:
        with pytest.raises(pytest.fail.Exception, match="test_it made no request that noblock could watch"):
            conclude(outcome_of(*marks), passing=passing)
    else:
        conclude(outcome_of(*marks), passing=passing)


def test_an_allowance_that_nothing_needed_is_attached(item, outcome_of):
    conclude(outcome_of(MARK.noblock_allow("needless"), MARK.noblock_allow("slow disk", kinds=["sync-io"])), GREEN)
    assert [text for name, text in item.user_properties if name == "noblock-unused-allowance"] == [
        "needless",
        "slow disk",
    ]


def test_without_a_request_no_allowance_can_be_needed(item, outcome_of):
    conclude(outcome_of(MARK.noblock_allow("needless")))
    assert item.user_properties == []


# --- background tasks


def test_a_request_of_the_fixture_whose_task_went_wrong_is_on_record_once(item, outcome_of):
    outcome = outcome_of(MARK.noblock_background)
    outcome.record(GREEN)
    outcome.record(with_task(GREEN))
    outcome.record(GREEN)
    with pytest.raises(pytest.fail.Exception, match="background task write_log raised"):
        conclude(outcome)
    assert [kinds for _, _, kinds in recorded(item)] == [[], ["background-failed"], []]


def test_each_fault_is_its_own_requests_the_watched_ones_included(item, outcome_of):
    outcome = outcome_of(MARK.noblock_background)
    outcome.record(with_task(GREEN))
    with pytest.raises(pytest.fail.Exception):
        conclude(outcome, GREEN, with_task(RED))
    assert [kinds for _, _, kinds in recorded(item)] == [
        ["background-failed"],
        [],
        ["sync-network", "background-failed"],
    ]


def test_properties_of_others_stay_where_they_are(item, outcome_of):
    outcome = outcome_of(MARK.noblock_background)
    item.user_properties.append(("mine", 1))
    outcome.record(with_task(GREEN))
    item.user_properties.append(("mine", 2))
    with pytest.raises(pytest.fail.Exception):
        conclude(outcome)
    assert [name for name, _ in item.user_properties] == ["mine", "noblock", "mine"]


def test_a_fault_can_be_accepted(item, outcome_of):
    outcome = outcome_of(MARK.noblock_background, MARK.noblock_allow("legacy", kinds=["background-failed"]))
    outcome.record(with_task(GREEN))
    conclude(outcome)
    assert recorded(item) == [("GET /report", "accepted", ["background-failed"])]


def test_a_test_without_a_request_is_a_check_of_its_own(item, outcome_of):
    with pytest.raises(pytest.fail.Exception, match="the test: no background task was added"):
        conclude(outcome_of(MARK.noblock_background))
    assert recorded(item) == [("the test", "failed", ["background-missing"])]


def test_without_the_marker_tasks_are_not_judged(item, outcome_of):
    conclude(outcome_of(), with_task(GREEN))
    assert recorded(item) == [("GET /report", "passed", [])]


# --- whole checks


def carried(item, carrier):
    """The whole checks that the report of the teardown carries, by place, and the loops."""
    call, report = SimpleNamespace(when="teardown"), SimpleNamespace()
    hook = carrier.pytest_runtest_makereport(item, call)
    next(hook)
    with pytest.raises(StopIteration):
        hook.send(report)
    checks, loops = getattr(report, "noblock_carried", ((), ()))
    return {place: decode(text) for place, text in checks}, loops


def test_where_a_report_is_asked_for_whole_checks_are_carried(item, outcome_of):
    carrier = item.config.plugins["noblock-carrier"] = Carrier()
    outcome = outcome_of(MARK.noblock_background)
    outcome.record(replace(GREEN, loop="trio"))
    outcome.record(replace(with_task(GREEN), loop="uvloop, trio"))
    with pytest.raises(pytest.fail.Exception):
        conclude(outcome)
    checks, loops = carried(item, carrier)
    assert [[each.kind for each in checks[place].findings] for place in (0, 1)] == [[], ["background-failed"]]
    assert checks[0] == replace(GREEN, loop="trio")
    assert loops == ["trio", "uvloop"]
    assert carried(item, carrier) == ({}, ())


def test_a_report_of_another_phase_carries_nothing(item, outcome_of):
    carrier = item.config.plugins["noblock-carrier"] = Carrier()
    outcome_of().record(GREEN)
    hook = carrier.pytest_runtest_makereport(item, SimpleNamespace(when="call"))
    next(hook)
    report = SimpleNamespace()
    with pytest.raises(StopIteration) as ended:
        hook.send(report)
    assert ended.value.value is report
    assert vars(report) == {}
    assert carried(item, carrier)[0] == {0: GREEN}


def test_the_plan_of_the_fixture_is_what_the_settings_say(outcome_of):
    outcome = outcome_of(probes=("/health",), mocked_calls_fail=True)
    assert outcome.id == "t"
    assert (outcome.plan.probes, outcome.plan.mocked_calls_fail) == (("/health",), True)
    assert isinstance(outcome.record(GREEN), Check)
