"""What is accepted, with a reason, and what only warns; the summary at the end of the run."""

import json

import pytest

HEAD = """
import pytest
from fastapi.testclient import TestClient
from shop import app

client = TestClient(app)
"""


@pytest.fixture
def suite(shop):
    def suite(tests: str, *options: str) -> pytest.RunResult:
        shop.makepyfile(test_suite=HEAD + tests)
        return shop.runpytest("--noblock", *options)

    return suite


def marked(mark: str, place: str = "test") -> str:
    if place == "module":
        return f"pytestmark = pytest.mark.{mark}\ndef test_it(): client.get('/blocks')\n"
    if place == "class":
        return f"@pytest.mark.{mark}\nclass TestIt:\n    def test_it(self): client.get('/blocks')\n"
    return f"@pytest.mark.{mark}\ndef test_it(): client.get('/blocks')\n"


@pytest.mark.one_python
@pytest.mark.parametrize("place", ["test", "class", "module"])
def test_an_allowance_on_a(suite, shop, place):
    result = suite(marked('noblock_allow("ticket 12")', place), "--noblock-report=report.json")
    result.assert_outcomes(passed=1)
    (check,) = json.loads((shop.path / "report.json").read_text())["checks"]
    assert check["outcome"] == "accepted"
    assert check["findings"][0]["accepted"] == "ticket 12"
    result.stdout.fnmatch_lines(
        ["1 request watched in 1 test", "  shop.py:17  sync-io  * ms  time.sleep  accepted: ticket 12"]
    )


@pytest.mark.one_python
@pytest.mark.parametrize(
    ("narrowed", "accepts"),
    [
        ('call="time.sleep"', True),
        ('call="time"', True),
        ('call="tim"', False),
        ('call="sqlite3"', False),
        ('kinds=["sync-io"]', True),
        ('kinds=["sync-io", "cpu"]', True),
        ('kinds=["cpu"]', False),
        ('call="time.sleep", kinds=["cpu"]', False),
    ],
)
def test_call_and_kinds_narrow_it(suite, narrowed, accepts):
    result = suite(marked(f'noblock_allow("old", {narrowed})'))
    result.assert_outcomes(passed=accepts, failed=not accepts)


@pytest.mark.one_python
def test_an_allowance_that_a_red_test_did_not_need_is_told(suite):
    result = suite(marked('noblock_allow("old", call="sqlite3")'))
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(['noblock_allow("old") matched nothing in test_suite.py::test_it'])


@pytest.mark.one_python
def test_an_allowance_covers_only_what_it_names(suite):
    result = suite("""
@app.get("/computes")
async def computes():
    import time
    end = time.thread_time() + 0.08
    while time.thread_time() < end:
        pass

@pytest.mark.noblock_allow("ticket 12", call="time.sleep")
def test_it():
    client.get("/blocks")
    client.get("/computes")
""")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["GET /computes blocked the event loop * ms (limit 50 ms)"])
    result.stdout.no_fnmatch_line("GET /blocks blocked*")


@pytest.mark.one_python
def test_an_allowance_that_nothing_needed_is_told_but_not_red(suite):
    result = suite(
        '@pytest.mark.noblock_allow("long gone")\nclass TestIt:\n'
        "    def test_one(self): client.get('/awaits')\n    def test_two(self): client.get('/awaits')\n"
    )
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(
        ['noblock_allow("long gone") matched nothing in test_suite.py::TestIt::test_one and 1 more']
    )


@pytest.mark.one_python
def test_an_allowance_of_a_class_that_one_test_needed_is_in_use(suite):
    result = suite(
        '@pytest.mark.noblock_allow("ticket 12")\nclass TestIt:\n'
        "    def test_blocks(self): client.get('/blocks')\n    def test_awaits(self): client.get('/awaits')\n"
    )
    result.assert_outcomes(passed=2)
    result.stdout.no_fnmatch_line("*matched nothing*")


WARN = {
    "marker": ('noblock(action="warn")', ()),
    "command line": ("noblock", ("--noblock-action=warn",)),
    "ini": ("noblock", ("-o", "noblock_action=warn")),
}


@pytest.mark.parametrize("channel", WARN)
def test_a_warning_instead_of_red(suite, channel):
    mark, options = WARN[channel]
    result = suite(marked(mark), "-W", "default", *options)
    result.assert_outcomes(passed=1, warnings=1)
    result.stdout.fnmatch_lines(["*NoblockWarning: GET /blocks blocked the event loop * ms (limit 50 ms)"])
    result.stdout.fnmatch_lines(["  shop.py:17  sync-io  * ms  time.sleep  accepted: action=warn"])


@pytest.mark.one_python
def test_the_markers_action_goes_before_the_command_lines(suite):
    suite(marked('noblock(action="fail")'), "--noblock-action=warn").assert_outcomes(failed=1)


@pytest.mark.parametrize("category", [":GET:UserWarning", "::pytest_noblock.NoblockWarning"])
def test_warn_makes_no_test_red_where_warnings_are_errors(suite, category):
    """Who says `warn` wants no red, and each test keeps its own outcome."""
    result = suite(
        """
def test_green():
    client.get("/blocks")

def test_skips():
    client.get("/blocks")
    pytest.skip("no")

@pytest.mark.xfail(raises=ValueError, strict=True)
def test_xfails():
    client.get("/blocks")
    raise ValueError

def test_fails():
    client.get("/blocks")
    assert 1 == 2
""",
        "-p", "no:randomly", "-W", f"error{category}", "--noblock", "--noblock-action=warn",
    )  # fmt: skip
    result.assert_outcomes(passed=1, skipped=1, xfailed=1, failed=1, warnings=4)
    result.stdout.fnmatch_lines(["*NoblockWarning: GET /blocks blocked the event loop * ms (limit 50 ms)"])
    result.stdout.fnmatch_lines(["FAILED *::test_fails - assert 1 == 2"])


def test_the_summary_groups_by_line_worst_first(suite):
    result = suite("""
@app.get("/worse")
async def worse():
    import time
    time.sleep(0.15)

@pytest.mark.parametrize("number", range(5))
def test_many(number):
    client.get("/blocks")

def test_worse():
    client.get("/worse")
    client.get("/blocks")

def test_none():
    client.get("/awaits")
""")
    result.assert_outcomes(passed=1, failed=6)
    result.stdout.fnmatch_lines(
        [
            "*= noblock =*",
            "8 requests watched in 7 tests",
            "  test_suite.py:10  sync-io  1* ms  time.sleep",
            "      test_suite.py::test_worse",
            "  shop.py:17  sync-io  * ms  time.sleep",
            "      test_suite.py::test_many[[]0[]]",
            "      test_suite.py::test_many[[]1[]]",
            "      test_suite.py::test_many[[]2[]]",
            "      and 3 more",
            "3 of 8 routes of shop:app were measured",
            "*= short test summary info =*",
        ],
        consecutive=True,
    )


@pytest.mark.one_python
def test_a_run_that_watched_nothing_is_not_green(suite):
    result = suite("def test_it(): pass")
    assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["no request was watched: --noblock asserted nothing"])


@pytest.mark.one_python
def test_a_run_that_watched_nothing_keeps_a_worse_exit_code(suite):
    assert suite("def test_it(): assert 0").ret == pytest.ExitCode.TESTS_FAILED


def test_the_ini_watches_every_test(shop):
    shop.makepyfile(test_suite=HEAD + "def test_it(): client.get('/blocks')")
    shop.makeini("[pytest]\nnoblock = true")
    shop.runpytest().assert_outcomes(failed=1)


@pytest.mark.one_python
@pytest.mark.parametrize("options", [("--collect-only",), ("--setup-plan",)])
def test_a_run_that_runs_no_test_is_no_error(suite, options):
    assert suite("def test_it(): client.get('/awaits')", *options).ret == pytest.ExitCode.OK
