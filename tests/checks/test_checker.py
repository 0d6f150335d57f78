"""The fixture's requests against a bare ASGI app: how often each is sent, and what becomes of what goes wrong."""

import pytest

from pytest_noblock.checks.plan import Plan
from pytest_noblock.engine.frameworks.http_client import httpx
from pytest_noblock.engine.observe import Request
from pytest_noblock.model.finding import MOCKED
from pytest_noblock.model.limits import Limits

MS = 1_000_000
LAX = Plan(limits=Limits(60_000 * MS))
"""So that a busy machine makes no finding, which would be confirmed by further requests."""
CALM = LAX._replace(warmup=False)


@pytest.fixture
def check(checker):
    def check(method, url, plan=LAX, **arguments):
        return checker.check("test_it", Request(method, url, arguments), plan)

    return check


def own(app):
    """The calls of the app, the probes' left out."""
    return [call for call in app.calls if "probe" not in call]


# --- what a request is called


@pytest.mark.parametrize(
    ("url", "base", "request_"),
    [
        ("/users/7", None, "GET /users/7"),
        ("/users/7?page=2", None, "GET /users/7"),
        ("/users/7#top", None, "GET /users/7"),
        ("users/7", None, "GET /users/7"),
        ("", None, "GET /"),
        ("http://testserver/users/7?page=2", None, "GET /users/7"),
        ("/a%20b", None, "GET /a b"),
        ("/users/7?page=2", "http://testserver/api", "GET /api/users/7"),
    ],
)
def test_a_request_is_a_method_and_the_path_that_the_app_sees(checker, app, check, url, base, request_):
    if base:
        checker.client.base_url = base
    assert check("GET", url, CALM).request == request_
    assert own(app) == [request_]


def test_also_where_it_cannot_be_sent(app, check):
    found = check("GET", "http://testserver:port/users?page=2")
    assert (found.outcome, found.request, found.exchange) == ("inconclusive", "GET http://testserver:port/users", None)
    assert found.reason.startswith("GET http://testserver:port/users cannot be sent: ")
    assert app.calls == []


# --- how often it is sent


@pytest.mark.parametrize(("method", "times"), [("GET", 2), ("HEAD", 2), ("OPTIONS", 2), ("POST", 1), ("DELETE", 1)])
def test_a_safe_request_is_sent_once_before_it_is_measured(app, check, method, times):
    check(method, "/")
    assert own(app) == [f"{method} /"] * times


def test_a_path_is_warmed_up_once_for_each_running_app(apps, app, check):
    check("GET", "/a?page=1")
    check("GET", "/a?page=2")
    check("GET", "/b")
    assert own(app) == ["GET /a"] * 3 + ["GET /b"] * 2
    apps.checker(app).check("another test", Request("GET", "/a"), LAX)
    assert own(app).count("GET /a") == 4


@pytest.mark.parametrize(("method", "warmup", "times"), [("GET", False, 1), ("POST", True, 2)])
def test_a_warm_up_can_be_asked_for_and_left_out(app, check, method, warmup, times):
    check(method, "/", LAX._replace(warmup=warmup))
    assert len(own(app)) == times


def test_so_many_are_sent_at_once(app, check):
    found = check("GET", "/awaits", CALM._replace(concurrency=5))
    assert own(app) == ["GET /awaits"] * 5
    assert len(found.exchanges) == 5
    assert max(each.sent for each in found.exchanges) < min(each.completed for each in found.exchanges)
    assert found.exchange == found.exchanges[-1]


def test_a_finding_is_looked_for_again_where_that_is_safe(app, check):
    found = check("GET", "/sleeps", CALM._replace(limits=Limits(50 * MS)))
    assert found.outcome == "failed"
    assert len(own(app)) > 1
    assert all(finding.confirmed for finding in found.findings)


@pytest.mark.parametrize(("method", "confirm"), [("POST", None), ("GET", False)])
def test_else_one_run_must_be_proof(app, check, method, confirm):
    found = check(method, "/sleeps", CALM._replace(limits=Limits(50 * MS), confirm=confirm))
    assert own(app) == [f"{method} /sleeps"]
    assert (found.outcome, found.findings[0].kind, found.findings[0].confirmed) == ("failed", "sync-io", False)


def test_only_the_measured_run_leaves_its_cookie(checker, app, check):
    check("GET", "/")
    assert app.cookies == [None, None]
    assert checker.client.cookies["n"] == "2"


# --- what it finds


def test_an_awaiting_request_passes_with_all_that_was_seen(check):
    found = check("GET", "/awaits")
    assert (found.outcome, found.findings, found.loop) == ("passed", (), "asyncio")
    assert found.response.text == "done"
    assert found.duration >= 100 * MS
    assert found.probes
    assert found.probe_runs
    assert found.limit == LAX.limits.max_block


def test_the_users_probes_travel_through_the_app(app, check):
    found = check("GET", "/awaits", CALM._replace(probes=("/probe",)))
    assert "GET /probe" in app.calls
    assert "/probe" in [probe.path for probe in found.probes]


def test_what_the_app_raises_is_said(check):
    found = check("GET", "/raises", CALM)
    assert (found.outcome, found.findings, found.response) == ("inconclusive", (), None)
    assert found.reason.startswith("GET /raises raised LookupError")


def test_a_request_that_does_not_end_says_where_it_sits(check):
    found = check("GET", "/awaits?page=2", CALM, timeout=0.01)
    assert found.outcome == "inconclusive"
    assert found.reason.startswith("GET /awaits did not answer within 0.01 s (timeout=0.01)")
    assert found.exchange.path == "/awaits"


def test_each_checker_has_a_client_of_its_own(apps, app):
    one, other = apps.checker(app), apps.checker(app)
    one.client.headers["authorization"] = "Bearer token"
    assert "authorization" not in other.client.headers
    assert isinstance(one.client, httpx.AsyncClient)


@pytest.mark.parametrize("fail", [True, False])
def test_a_call_that_a_mock_answers_fails_only_if_told_to(check, fail):
    found = check("GET", "/mocked", CALM._replace(mocked_calls_fail=fail))
    assert found.outcome == ("failed" if fail else "passed")
    assert [finding.evidence for finding in found.findings] == [MOCKED] * fail
    assert any(MOCKED in note for note in found.notes) is not fail
