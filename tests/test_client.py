"""What the fixture makes of the arguments of a request; the checker and the test are of straw."""

from dataclasses import replace

import pytest

from pytest_noblock.checks.plan import Plan
from pytest_noblock.client import Noblock
from pytest_noblock.engine.frameworks.http_client import httpx
from pytest_noblock.model.limits import Limits
from tests.report.golden_checks import PASSED

MS = 1_000_000
CLIENT = httpx.AsyncClient(base_url="http://testserver")
RESPONSE = httpx.Response(200)
PLAN = Plan(limits=Limits(7 * MS), probes=("/mine",), mocked_calls_fail=True)


class Straw:
    """The checker and the test in one: both tell what they were asked."""

    id = "test_it"
    plan = PLAN
    client = CLIENT

    def __init__(self, response=RESPONSE):
        self.sent = []
        self.recorded = []
        self.asked_to_fail = []
        self.response = response

    def check(self, id, request, plan):
        self.sent.append((id, request, plan))
        return replace(PASSED, response=self.response)

    def record(self, check):
        self.recorded.append(check)
        return replace(check, outcome="accepted")

    def fail_if_red(self, check):
        self.asked_to_fail.append(check.outcome)


@pytest.fixture
def straw():
    return Straw()


@pytest.fixture
def noblock(straw):
    return Noblock(straw, straw)


@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete", "head", "options"])
def test_each_method_sends_its_own(noblock, straw, method):
    assert getattr(noblock, method)("/path", params={"a": 1}) is RESPONSE
    ((id, request, plan),) = straw.sent
    assert (id, request.method, request.url, request.arguments) == (
        "test_it",
        method.upper(),
        "/path",
        {"params": {"a": 1}},
    )
    assert plan == PLAN


def test_a_method_of_any_name_can_be_sent(noblock, straw):
    noblock.request("propfind", httpx.URL("/path"))
    assert (straw.sent[0][1].method, straw.sent[0][1].url) == ("PROPFIND", "/path")


def test_a_request_is_on_record_before_it_may_fail_its_test(noblock, straw):
    noblock.get("/")
    assert (len(straw.recorded), straw.asked_to_fail) == (1, ["accepted"])


def test_a_check_is_on_record_and_fails_nothing(noblock, straw):
    check = noblock.check("GET", "/")
    assert (check.outcome, len(straw.recorded), straw.asked_to_fail) == ("accepted", 1, [])


@pytest.mark.parametrize(
    ("arguments", "plan"),
    [
        ({"max_block": "20 ms"}, PLAN._replace(limits=Limits(20 * MS))),
        ({"probe": "/health"}, PLAN._replace(probes=("/health",))),
        ({"probe": ["/a", "/b"]}, PLAN._replace(probes=("/a", "/b"))),
        ({"concurrency": 4}, PLAN._replace(concurrency=4)),
        ({"warmup": False, "confirm": True}, PLAN._replace(warmup=False, confirm=True)),
        ({"max_block": None, "probe": None, "concurrency": None, "warmup": None, "confirm": None}, PLAN),
    ],
)
def test_our_own_keywords_make_the_plan_and_are_not_sent(noblock, straw, arguments, plan):
    noblock.get("/", **arguments, json=[])
    assert straw.sent[0][2] == plan
    assert straw.sent[0][1].arguments == {"json": []}


@pytest.mark.parametrize(
    ("arguments", "error", "sentence"),
    [
        ({"max_blok": "1 ms"}, TypeError, "did you mean 'max_block'?"),
        ({"header": {}}, TypeError, "did you mean 'headers'?"),
        ({"qqq": 1}, TypeError, "it takes auth, concurrency, confirm, content"),
        ({"max_block": 50}, ValueError, "50 is not a duration"),
        ({"probe": "health"}, ValueError, "is not a path or a list of paths"),
        ({"concurrency": True}, ValueError, "concurrency=True is not a positive whole number"),
        ({"warmup": 0}, ValueError, "warmup=0 is neither True nor False"),
        ({"timeout": 0}, ValueError, "timeout=0 is not a positive number of seconds"),
        ({"timeout": True}, ValueError, "timeout=True is not a positive number of seconds"),
        ({"timeout": httpx.Timeout(1, read=-1)}, ValueError, "is not a positive number of seconds"),
    ],
)
def test_a_mistake_is_told_before_anything_is_sent(noblock, straw, arguments, error, sentence):
    with pytest.raises(error) as raised:
        noblock.get("/", **arguments)
    assert sentence in str(raised.value)
    assert raised.value.__context__ is None  # no frames of ours below it
    assert straw.sent == straw.recorded == []


@pytest.mark.parametrize("timeout", [None, 1, 0.5, httpx.Timeout(None), httpx.Timeout(3.0)])
def test_a_timeout_is_httpxs_own(noblock, straw, timeout):
    noblock.get("/", timeout=timeout)
    assert straw.sent[0][1].arguments == {"timeout": timeout}


def test_the_arguments_that_were_given_are_left_alone(noblock):
    given = {"max_block": "1 s", "json": []}
    noblock.get("/", **given)
    assert given == {"max_block": "1 s", "json": []}


def test_without_a_response_there_is_nothing_to_return():
    straw = Straw(response=None)
    with pytest.raises(RuntimeError, match="GET /report has no response"):
        Noblock(straw, straw).get("/report")


def test_the_client_is_the_checkers(noblock):
    assert noblock.client is CLIENT
