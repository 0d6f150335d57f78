"""Asked for test by test, checked test by test: each is measured, or red, or named in the summary."""

import json
from pathlib import Path

import pytest

API = """
import time
from fastapi import FastAPI, WebSocket
app = FastAPI()
@app.get("/blocks")
async def blocks():
    time.sleep(0.08)
@app.get("/free")
async def free(): return 1
@app.websocket("/ws")
async def ws(socket: WebSocket):
    await socket.accept()
    while (word := await socket.receive_text()) != "bye":
        if word == "block":
            time.sleep(0.08)
        await socket.send_text(word)
"""
HEAD = """
import asyncio
import pytest
from fastapi.testclient import TestClient
from api import app
@pytest.fixture
def noblock_app(): return app
@pytest.fixture
def client():
    return TestClient(app)
"""
AT = "*by      api.py:6 in blocks"


@pytest.fixture
def suite(pytester):
    def suite(tests: str, *options: str) -> pytest.RunResult:
        pytester.makepyfile(api=API, test_it=HEAD + tests)
        return pytester.runpytest("-p", "no:randomly", "-v", *options)

    return suite


def lines_of(result):
    return "\n".join(result.outlines)


def test_the_fixture_without_a_request_is_red_and_what_a_test_asked_and_was_told_is_not(suite):
    result = suite(
        """
def test_nothing(noblock): pass
def test_checked(noblock): assert noblock.check("GET", "/nowhere").outcome == "inconclusive"
def test_fails(noblock): assert False, "mine"
@pytest.fixture
def shop(noblock): return noblock
def test_through(shop): pass
""",
    )
    result.assert_outcomes(failed=2, passed=2)
    text = lines_of(result)
    assert "test_nothing has the noblock fixture and made no request with it: nothing was measured" in text
    assert "call noblock.get(...), or take the fixture off the test" in text
    assert "test_it.py::test_through" in text.partition("nothing was seen in")[2]


def test_usefixtures_watches_what_the_test_requests_by_itself(suite):
    result = suite(
        """
@pytest.mark.usefixtures("noblock")
def test_blocks(client): client.get("/blocks")
@pytest.mark.usefixtures("noblock")
def test_free(client): client.get("/free")
@pytest.mark.usefixtures("noblock")
def test_nothing(): pass
"""
    )
    result.assert_outcomes(failed=2, passed=1)
    result.stdout.fnmatch_lines(["GET /blocks blocked the event loop * ms (limit 50 ms)", AT])
    assert "test_nothing has" not in lines_of(result)
    assert "test_nothing made no request that noblock could watch: nothing was measured" in lines_of(result)
    assert "take the marker off the test" in lines_of(result)


BESIDE = """
def sends(path):
    assert TestClient(app).get(path).status_code == 200
@pytest.fixture
def logged_in():
    sends("/{path}")
@pytest.fixture
def shop(noblock): return noblock
def test_before(noblock):
    sends("/{path}")
    noblock.get("/free")
def test_after(noblock):
    noblock.check("GET", "/free")
    sends("/{path}")
def test_by_its_own_client(noblock): assert asyncio.run(noblock.client.get("/{path}")).status_code == 200
def test_in_a_fixture(logged_in, noblock): noblock.get("/free")
def test_through_a_fixture(shop):
    sends("/{path}")
    shop.get("/free")
def test_on_request(request):
    shop = request.getfixturevalue("noblock")
    sends("/{path}")
    shop.get("/free")
@pytest.mark.noblock_allow("slow", call="requests")
def test_that_allows_something_else(noblock):
    sends("/{path}")
    noblock.get("/free")
"""


def test_what_a_test_with_the_fixture_sends_by_another_client_is_judged_as_well(suite):
    blocks, free = (BESIDE.replace("{path}", path) for path in ("blocks", "free"))
    result = suite(blocks)
    result.assert_outcomes(failed=7)
    result.stdout.fnmatch_lines(["GET /blocks blocked the event loop * ms (limit 50 ms)", AT])
    suite(free).assert_outcomes(passed=7)


def test_another_fixture_of_that_name_is_not_ours_unless_it_asks_for_ours(suite):
    result = suite(
        """
class TestAnother:
    @pytest.fixture
    def noblock(self): return None
    def test_nothing(self, noblock): pass
class TestOurs:
    @pytest.fixture
    def noblock(self, noblock): return noblock
    def test_nothing(self, noblock): pass
""",
    )
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(["FAILED test_it.py::TestOurs::test_nothing - *"])


MARKED = """
@pytest.mark.noblock
class TestVain:
    def test_no_request(self): pass
    def test_lifespan_only(self, client):
        with client: pass
@pytest.mark.noblock
class TestSome:
    def test_no_request(self): pass
    def test_free(self, client): client.get("/free")
"""


def test_a_class_marker_over_tests_without_requests_is_named_and_red_only_where_it_asserts_nothing(suite):
    result = suite(MARKED)
    result.assert_outcomes(passed=4)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    text = lines_of(result).partition("1 request watched in ")[2]
    assert "the marker of test_it.py::TestVain asserted nothing: no test under it made a request" in text
    assert "the marker of test_it.py::TestSome" not in text
    assert "nothing was seen in 3 of 4 passed tests:" in text
    assert "test_it.py::TestSome::test_no_request" in text


@pytest.mark.one_python
@pytest.mark.parametrize("options", [("-k", "no_request"), ("test_it.py::TestVain::test_no_request",), ("-k", "Some")])
def test_a_part_of_the_tests_under_a_marker_is_not_red(suite, options):
    result = suite(MARKED, *options)
    assert result.ret == pytest.ExitCode.OK
    assert "asserted nothing" not in lines_of(result)
    assert "nothing was seen in" in lines_of(result)


@pytest.mark.one_python
def test_a_module_marker_is_as_a_classes_and_holds_across_processes(suite):
    pytest.importorskip("xdist")
    tests = "pytestmark = pytest.mark.noblock\ndef test_1(): pass\ndef test_2(): pass\ndef test_3(client): {}\n"
    assert suite(tests.format("client.get('/free')"), "-n", "2").ret == pytest.ExitCode.OK
    result = suite(tests.format("pass"), "-n", "2")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert "the marker of test_it.py asserted nothing: no test under it made a request" in lines_of(result)


@pytest.mark.one_python
def test_a_marked_test_that_only_starts_the_app_is_red_and_so_is_such_a_run(suite):
    tests = "def test_starts(client):\n    with client: pass\n"
    result = suite("@pytest.mark.noblock\n" + tests, "--noblock-report=out.json")
    result.assert_outcomes(failed=1)
    checks = json.loads(Path("out.json").read_text())["checks"]
    assert [check["outcome"] for check in checks if check["request"] == "the test"] == ["inconclusive"]
    assert "test_starts made no request that noblock could watch: nothing was measured" in lines_of(result)
    result = suite(tests, "--noblock")
    assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED
    assert "no request was watched: --noblock asserted nothing" in lines_of(result)


@pytest.mark.one_python
def test_tests_in_which_nothing_was_seen_are_counted_and_named_in_ten_lines(suite):
    result = suite(
        'def test_free(client): client.get("/free")\n'
        '@pytest.mark.parametrize("n", range(30))\ndef test_pure(n): pass\n'
        "def test_skips(): pytest.skip('not here')\n",
        "--noblock",
    )
    assert result.ret == pytest.ExitCode.OK
    rest = lines_of(result).partition("1 request watched in 1 test\n")[2].partition("\n=====")[0]
    told = [line for line in rest.splitlines() if "measured" not in line]
    assert told[0] == "nothing was seen in 30 of 31 passed tests:"
    assert told[1] == "      test_it.py::test_pure[0]"
    assert told[9:] == ["      and 22 more"]
    assert "test_skips" not in "".join(told)


def test_a_request_in_the_teardown_of_a_fixture_is_judged(suite):
    tests = """
@pytest.fixture
def cleaning(client):
    yield client
    client.get("/{path}")
@pytest.fixture(scope="module")
def clean_up():
    yield
    TestClient(app).get("/{path}")
{mark}
def test_teardown(cleaning): cleaning.get("/free")
{mark}
def test_module(clean_up, client): client.get("/free")
{mark}
def test_raises(client): client.get("/free")
"""
    for mark, options in (("@pytest.mark.noblock", ()), ("", ("--noblock",))):
        result = suite(tests.format(path="blocks", mark=mark), *options)
        result.assert_outcomes(passed=3, errors=2)
        result.stdout.fnmatch_lines(["*ERROR at teardown of test_teardown*", "GET /blocks blocked the*", AT])
        result.stdout.fnmatch_lines(["*ERROR at teardown of test_raises*", "GET /blocks blocked the*", AT])
        result.stdout.fnmatch_lines(["5 requests watched in 3 tests"])
        result = suite(tests.format(path="free", mark=mark), *options)
        result.assert_outcomes(passed=3)


def test_a_connection_that_an_earlier_test_opened_is_judged_in_the_test_that_uses_it(suite):
    result = suite(
        """
@pytest.fixture(scope="module")
def socket():
    with TestClient(app) as client, client.websocket_connect("/ws") as socket:
        yield socket
        socket.send_text("bye")
def ask(socket, word):
    socket.send_text(word)
    socket.receive_text()
def test_1(socket): ask(socket, "a")
def test_2(socket): ask(socket, "block")
def test_3(socket): ask(socket, "a")
""",
        "--noblock",
    )
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["*_ test_2 _*", "WEBSOCKET /ws blocked the*", "*by      api.py:*in ws"])


def test_a_block_before_a_skip_is_red_and_a_skip_without_one_is_a_skip(suite):
    result = suite(
        """
def test_blocks(client):
    client.get("/blocks")
    pytest.skip("later")
def test_free(client):
    client.get("/free")
    pytest.skip("later, too")
@pytest.mark.noblock_allow("known")
def test_allowed(client):
    client.get("/blocks")
    pytest.skip("later still")
""",
        "--noblock",
        "-rs",
    )
    result.assert_outcomes(failed=1, skipped=2)
    result.stdout.fnmatch_lines([AT])
    assert "During handling of the above" not in lines_of(result)
    assert "SKIPPED [1] test_it.py:16: later, too" in lines_of(result)


UNITTEST = """
import unittest
def test_function_of_unittest():
    TestClient(app).get("/{path}")
    raise unittest.SkipTest("later")
class TestCase(unittest.TestCase):
    def setUp(self):
        self.client = TestClient(app)
    def test_skips(self):
        self.client.get("/{path}")
        self.skipTest("later")
    @unittest.expectedFailure
    def test_expected(self):
        self.client.get("/{path}")
        self.fail("as expected")
    def test_fails(self):
        self.client.get("/{path}")
        self.fail("its own")
"""


@pytest.mark.every_python
@pytest.mark.parametrize(
    ("path", "outcomes"),
    [("blocks", {"failed": 3, "xfailed": 1}), ("free", {"failed": 1, "skipped": 2, "xfailed": 1})],
)
def test_a_skip_of_unittest_is_one_like_any_other(suite, path, outcomes):
    result = suite(UNITTEST.format(path=path), "--noblock")
    result.assert_outcomes(**outcomes)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    told = lines_of(result)
    assert "AssertionError: its own" in told
    assert ("- Captured noblock call -" in told) == (path == "blocks")  # a section of the test that failed by itself


def test_a_teardown_that_requests_and_stops_an_app_is_judged_for_both(pytester):
    pytester.makepyfile(
        api="""
import contextlib, time
from fastapi import FastAPI
@contextlib.asynccontextmanager
async def lifespan(app):
    yield
    time.sleep(0.09)
app = FastAPI(lifespan=lifespan)
@app.get("/blocks")
async def blocks():
    time.sleep(0.08)
""",
        test_it="""
import pytest
from fastapi.testclient import TestClient
from api import app
@pytest.fixture
def client():
    with TestClient(app) as client:
        yield client
        client.get("/blocks")
def test_it(client): pass
def test_next(): pass
""",
    )
    result = pytester.runpytest("--noblock", "-o", "noblock_lifespan=fail", "-p", "no:randomly")
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["GET /blocks blocked the event loop *", "*by      api.py:10 in blocks"])
    result.stdout.fnmatch_lines(["LIFESPAN blocked the event loop *", "*by      api.py:6 in lifespan"])


SENTENCE = "*noblock: its methods are called without await, in an async test as well: noblock.get(...)"
IN_ASYNC_TESTS = """
class Response:
    pass
@pytest.mark.asyncio
async def test_get(noblock): await noblock.get("/free")
@pytest.mark.asyncio
async def test_check(noblock): await noblock.check("GET", "/free")
@pytest.mark.asyncio
async def test_without_await(noblock): assert noblock.get("/free").status_code == 200
@pytest.mark.asyncio
async def test_another(noblock):
    noblock.get("/free")
    await Response()
"""


def test_who_awaits_the_fixtures_answer_is_told_in_one_sentence(suite):
    pytest.importorskip("pytest_asyncio")
    result = suite(IN_ASYNC_TESTS)
    result.assert_outcomes(failed=3, passed=1)
    result.stdout.fnmatch_lines(["*PASSED*", "*test_get*", SENTENCE, "*test_check*", SENTENCE])
    assert lines_of(result).count(SENTENCE.strip("*")) == 2  # not of what is no answer of the fixture
