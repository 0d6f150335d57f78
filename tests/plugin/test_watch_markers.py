"""`@pytest.mark.noblock` on a test, a class or a module; its help; what it refuses."""

import pytest

HEAD = """
    import pytest
    from fastapi.testclient import TestClient
    from shop import app
"""
BLOCKS = "TestClient(app).get('/blocks')"
AWAITS = "TestClient(app).get('/awaits')"


@pytest.fixture
def suite(shop):
    """Run this test file, which starts with the imports of everybody."""

    def suite(tests: str, *options: str) -> pytest.RunResult:
        shop.makepyfile(test_suite="\n".join(line[4:] for line in HEAD.splitlines()) + "\n" + tests)
        return shop.runpytest(*options)

    return suite


PLACES = {
    "test": f"""
@pytest.mark.noblock
def test_marked(): {BLOCKS}

def test_other(): {BLOCKS}
""",
    "class": f"""
@pytest.mark.noblock
class TestMarked:
    def test_it(self): {BLOCKS}
    def test_without_a_request(self): pass

class TestOther:
    def test_it(self): {BLOCKS}
""",
    "module": f"""
pytestmark = pytest.mark.noblock

def test_it(): {BLOCKS}
def test_awaits(): {AWAITS}
def test_without_a_request(): pass
""",
}


@pytest.mark.parametrize("place", PLACES)
def test_the_marker_on_a(suite, place):
    result = suite(PLACES[place], "--strict-markers")
    result.assert_outcomes(failed=1, passed={"test": 1, "class": 2, "module": 2}[place])
    result.stdout.fnmatch_lines(
        ["GET /blocks blocked the event loop * ms (limit 50 ms)", "*by      shop.py:17 in blocks"]
    )


@pytest.mark.one_python
def test_nothing_is_watched_without_marker_and_flag(suite):
    result = suite(f"def test_it(): {BLOCKS}")
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*noblock*watched*")


@pytest.mark.one_python
def test_a_marked_test_that_makes_no_request_is_red(suite):
    result = suite("@pytest.mark.noblock\ndef test_it(): pass")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["test_it made no request that noblock could watch: nothing was measured"])


def test_a_marked_test_that_skips_or_fails_itself_keeps_its_own_reason(suite):
    result = suite(
        "@pytest.mark.noblock\ndef test_skips(): pytest.skip('not here')\n"
        "@pytest.mark.noblock\ndef test_fails(): assert 0, 'mine'\n"
        "@pytest.mark.noblock\n@pytest.mark.xfail(strict=True)\ndef test_xfails(): assert 0\n"
        f"@pytest.mark.noblock\ndef test_both():\n    {BLOCKS}\n    assert 0, 'mine, too'\n"
    )
    result.assert_outcomes(skipped=1, failed=2, xfailed=1)
    result.stdout.fnmatch_lines(["*AssertionError: mine", "*AssertionError: mine, too"])
    result.stdout.fnmatch_lines(
        ["*- Captured noblock call -*", "GET /blocks blocked the event loop * ms (limit 50 ms)"]
    )


@pytest.mark.one_python
@pytest.mark.parametrize(
    ("mark", "request_", "outcome"),
    [
        ("noblock(max_block='500 ms')", BLOCKS, "passed"),
        ("noblock(max_block='30 ms')", "TestClient(app).get('/visits')", "passed"),
        ("noblock(max_block='10 ms')", BLOCKS, "failed"),
    ],
)
def test_the_limit_is_the_markers(suite, mark, request_, outcome):
    suite(f"@pytest.mark.{mark}\ndef test_it(): {request_}").assert_outcomes(**{outcome: 1})


@pytest.mark.one_python
def test_the_closest_marker_wins(suite):
    result = suite(
        "pytestmark = pytest.mark.noblock(max_block='10 ms')\n"
        f"@pytest.mark.noblock(max_block='1 s')\nclass TestWide:\n    def test_it(self): {BLOCKS}\n"
        f"    @pytest.mark.noblock(max_block='20 ms')\n    def test_narrow(self): {BLOCKS}\n",
        "--noblock-max-block=2s",
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*(limit 20 ms)"])


REFUSED = {
    "noblock(max_blok='1 ms')": "noblock: got an unexpected keyword argument 'max_blok'; it takes max_block, max_total, probe, app, action",  # noqa: E501
    "noblock('50 ms')": "noblock: too many positional arguments; it takes max_block, max_total, probe, app, action",
    "noblock(max_block='soon')": "max_block: 'soon'",
    "noblock(action='explode')": "action: 'explode' is neither 'fail' nor 'warn'",
    "noblock_allow()": "noblock_allow: missing a required argument: 'reason'; it takes reason, call, kinds",
    "noblock_allow('')": "noblock_allow needs a reason in words, not ''",
    "noblock_allow(call='sqlite3')": "noblock_allow: missing a required argument: 'reason'",
    "noblock_allow('legacy', kinds=['cpux'])": "noblock_allow: kinds=['cpux'] is not a list of sync-network",
    "noblock_allow('legacy', kinds='cpu')": "noblock_allow: kinds='cpu' is not a list of",
    "noblock_allow('legacy', call=3)": 'noblock_allow: call=3 is not a name such as "sqlite3"',
}


@pytest.mark.one_python
def test_a_mistake_in_a_marker_is_the_error_of_its_own_test(suite, refused):
    wrong = "".join(f"@pytest.mark.{mark}\ndef test_{n}(): print('RAN')\n" for n, mark in enumerate(REFUSED))
    result = suite(f"def test_before(): {BLOCKS}\n{wrong}def test_after(): {BLOCKS}\n", "-s", "--noblock")
    result.assert_outcomes(failed=2, errors=len(REFUSED))
    refused(result, *REFUSED.values())
    result.stdout.fnmatch_lines(
        ["*ERROR at setup of test_0*", "ERROR test_suite.py::test_4 - *noblock_allow: missing*"]
    )
    result.stdout.no_fnmatch_line("*RAN*")


@pytest.mark.one_python
def test_the_help_is_the_signatures(shop):
    result = shop.runpytest("--markers")
    result.stdout.fnmatch_lines(
        [
            "@pytest.mark.noblock(max_block=None, max_total=None, probe=None, app=None, action=None): fail the test when a request that *",  # noqa: E501
            "@pytest.mark.noblock_allow(reason, call=None, kinds=None): accept findings, for a reason; *",
            "@pytest.mark.noblock_background([*]names): these BackgroundTasks ran, in this order, *",
        ]
    )
