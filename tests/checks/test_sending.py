"""How long a request of the fixture may take, and that what confirms leaves no cookie; the app's thread is of straw."""

import pytest

from pytest_noblock.checks.sending import GIVE_UP_S, Sender
from pytest_noblock.engine.frameworks.http_client import httpx
from pytest_noblock.engine.observe import Request, Run, RunContext
from pytest_noblock.engine.usercode import UserCode
from pytest_noblock.model.limits import Limits

MS = 1_000_000


class Thread:
    """Stands for the app's thread: keeps how it was called."""

    def __init__(self, client):
        self.client = client

    def call(self, function, context, run, sent, *, timeout_s, overdue):
        self.run, self.timeout_s = run, timeout_s
        self.client.cookies.set("visits", "1")
        return "observed", "answered"


@pytest.fixture
def client():
    return httpx.AsyncClient(base_url="http://testserver", timeout=7)


@pytest.fixture
def thread(client):
    return Thread(client)


@pytest.fixture
def sender(thread, client, tmp_path):
    return Sender(thread, RunContext(client, UserCode(str(tmp_path)), "full"))


@pytest.mark.parametrize(
    ("arguments", "seconds"),
    [({}, 7), ({"timeout": 2}, 2), ({"timeout": None}, GIVE_UP_S), ({"timeout": httpx.Timeout(9, read=3)}, 3)],
)
def test_a_request_may_take_as_long_as_httpx_would_wait_for_its_answer(sender, thread, arguments, seconds):
    sender.send(Request("GET", "/", arguments), Run(()), Limits(20 * MS, linger=1_000 * MS))
    assert sender.seconds(Request("GET", "/", arguments)) == seconds
    assert thread.run.give_up_after == seconds * 1_000 * MS
    assert thread.run.sample_after == 10 * MS
    assert thread.timeout_s > seconds + 1  # for what lingers, and for the loop's thread to give up first


def test_only_the_measured_run_keeps_its_cookies(sender, client):
    assert sender.send_again(Request("GET", "/"), Run(()), Limits()) == "observed"
    assert not client.cookies
    assert sender.send(Request("GET", "/"), Run(()), Limits()) == ("observed", "answered")
    assert client.cookies["visits"] == "1"
