"""How a failure reads in the terminal, at each of pytest's verbosities."""

import pytest

pytestmark = pytest.mark.every_python

BLOCKS = "def test_blocks(noblock):\n    noblock.get('/blocks', probe='/health')\n"


def report(result: pytest.RunResult) -> list[str]:
    """What stands between the test's name and the next section."""
    lines = result.outlines
    first = next(number for number, line in enumerate(lines) if "test_blocks ___" in line)
    last = next(number for number, line in enumerate(lines) if line.startswith("=") and number > first)
    return lines[first + 1 : last]


def test_the_failure_reads_as_promised(run):
    text = report(run(BLOCKS))
    assert "pytest_noblock" not in "".join(text)
    expected = [
        "GET /blocks blocked the event loop * ms (limit 50 ms)",
        "",
        "  by      shop.py:17 in blocks",
        "              time.sleep(0.08)",
        "  why     waiting in time.sleep: asleep * ms, CPU * ms",
        "  harm    * of * probes of GET /health waited, worst * ms (alone * ms)",
        "  instead await asyncio.sleep(...), or make the endpoint a plain def",
        '  accept  @pytest.mark.noblock_allow("reason", call="time.sleep")',
    ]
    matcher = pytest.LineMatcher(text)
    matcher.fnmatch_lines(expected, consecutive=True)
    assert [line for line in text[len(expected) :] if line.strip()] == []


@pytest.mark.one_python
def test_quiet_is_one_line(run):
    text = [line for line in report(run(BLOCKS, "-q")) if line.strip()]
    pytest.LineMatcher(text).fnmatch_lines(["GET /blocks blocked the event loop * ms (limit 50 ms)"])
    assert len(text) == 1


@pytest.mark.one_python
def test_verbose_adds_the_timeline(run):
    result = run(BLOCKS, "-v")
    result.stdout.fnmatch_lines(
        [
            "GET /blocks blocked the event loop * ms (limit 50 ms)",
            '  accept  @pytest.mark.noblock_allow("reason", call="time.sleep")',
            "*timeline, from when the request was sent",
            "* ms  the loop is held, by shop.py:17",
            "* ms  the loop turns again",
            "* ms  the response started",
            "* ms  the response was complete",
            "* ms  the app returned",
        ]
    )
    assert "innermost first" not in result.stdout.str()


@pytest.mark.one_python
def test_very_verbose_adds_the_stack_and_every_probe(run):
    result = run(BLOCKS, "-vv")
    result.stdout.fnmatch_lines(
        [
            "GET /blocks blocked the event loop * ms (limit 50 ms)",
            "  stack   innermost first",
            "            shop.py:17 in blocks",
            "            *fastapi/routing.py:* in *",
            "*timeline, from when the request was sent",
            "  probes, when they were due and how long they waited",
            "*ms  the event loop  * ms",
            "*ms  /health  * ms",
        ]
    )


@pytest.mark.one_python
def test_the_verbosity_of_the_reports_can_be_set_alone(run, shop):
    shop.makeini("[pytest]\nverbosity_noblock = 1")
    run(BLOCKS).stdout.fnmatch_lines(["*timeline, from when the request was sent"])


@pytest.mark.one_python
@pytest.mark.parametrize("options", [(), ("-q",), ("-v",), ("--tb=short",), ("--tb=line",), ("-x",)])
def test_the_short_summary_of_80_columns_keeps_verb_route_and_size(run, options):
    result = run("def test_it(noblock):\n    noblock.get('/blocks')", "-rf", *options)
    (line,) = [line for line in result.outlines if line.startswith("FAILED ")]
    assert len(line) <= 80
    assert line.startswith("FAILED test_shop.py::test_it - Failed: GET /blocks blocked the event loop ")
    pytest.LineMatcher([line]).fnmatch_lines(["*GET /blocks blocked the event loop*"])


@pytest.mark.one_python
def test_the_size_survives_in_the_short_summary_of_a_short_name(run, monkeypatch):
    """The line that CI logs and mails show: what, where, how long."""
    monkeypatch.setenv("COLUMNS", "100")
    result = run("def test_it(noblock):\n    noblock.get('/blocks')")
    result.stdout.re_match_lines(
        [r"FAILED test_shop.py::test_it - Failed: GET /blocks blocked the event loop \d\d ms.*"]
    )


def test_the_failure_stands_in_no_traceback(run):
    """The line of the test that asked is in the summary; frames of ours are nowhere."""
    result = run(BLOCKS, "--tb=long")
    assert "pytest_noblock" not in result.stdout.str().partition("FAILURES")[2]


@pytest.mark.one_python
def test_two_lines_that_block_are_two_findings_worst_first(run, shop):
    shop.makepyfile(
        api="""
        import time
        from shop import app

        @app.get("/twice")
        async def twice():
            time.sleep(0.07)
            await __import__("asyncio").sleep(0)
            time.sleep(0.1)
        """
    )
    result = run("def test_it(noblock): noblock.get('/twice')", app="api:app")
    result.stdout.fnmatch_lines(
        [
            "GET /twice blocked the event loop * ms (limit 50 ms)",
            "  by      api.py:8 in twice",
            "GET /twice blocked the event loop * ms (limit 50 ms)",
            "  by      api.py:6 in twice",
        ]
    )


@pytest.mark.one_python
def test_a_request_that_was_not_repeated_says_so(run):
    result = run("def test_it(noblock): noblock.post('/blocking-orders')")
    result.stdout.fnmatch_lines(
        [
            "POST /blocking-orders blocked the event loop * ms (limit 50 ms)",
            "  by      shop.py:* in blocking_order",
            '  accept  @pytest.mark.noblock_allow("reason", call="time.sleep")',
            "  seen    once, *; confirm=True sends the request again, to be sure",
        ]
    )


@pytest.mark.one_python
def test_a_confirmed_request_does_not(run):
    result = run("def test_it(noblock): noblock.post('/blocking-orders', confirm=True)")
    result.stdout.fnmatch_lines(["POST /blocking-orders blocked the event loop * ms (limit 50 ms)"])
    assert "  seen " not in result.stdout.str()


def test_a_passing_test_says_nothing(run):
    result = run("def test_it(noblock): noblock.get('/awaits')", "-v", "-rA")
    assert "blocked" not in result.stdout.str()


READ = [
    "GET /blocks blocked the event loop * ms (limit 50 ms)",
    "  rule    slept*: *",
    "  read    wall * ms, CPU * ms, run-queue delay *, asleep * ms, CPU of other threads *, garbage collection *",
    "          voluntary switches *, stack samples *",
]


@pytest.mark.one_python
@pytest.mark.parametrize(("options", "debug"), [(["-vvv"], ""), ([], "1")], ids=["vvv", "debug"])
@pytest.mark.parametrize("how", ["fixture", "watched"])
def test_the_readings_are_shown_to_who_asks_for_them(run, monkeypatch, how, options, debug):
    monkeypatch.setenv("NOBLOCK_DEBUG", debug)
    watched = """
        from fastapi.testclient import TestClient
        from shop import app
        def test_blocks(): TestClient(app).get("/blocks")
    """
    result = run(BLOCKS, *options) if how == "fixture" else run(watched, "--noblock", *options)
    result.stdout.fnmatch_lines(READ)


@pytest.mark.one_python
def test_they_are_not_shown_to_others(run):
    text = run(BLOCKS, "-vv").stdout.str()
    assert "  rule    " not in text
    assert "  read    " not in text


NOTED = """
    import time
    from shop import app

    @app.get("/short")
    async def short():
        time.sleep(0.02)
"""


@pytest.mark.one_python
@pytest.mark.parametrize(("debug", "options"), [("", ()), ("", ("-v",)), ("1", ())])
def test_the_notes_of_a_test_that_passes_are_counted_and_listed(run, shop, monkeypatch, debug, options):
    monkeypatch.setenv("NOBLOCK_DEBUG", debug)
    shop.makepyfile(api=NOTED)
    test = "def test_short(noblock): noblock.get('/short', warmup=False, max_block='2 s')"
    result = run(test, *options, app="api:app")
    result.assert_outcomes(passed=1)
    lines = [line for line in result.outlines if "sync-io" in line or line.startswith("notes")]
    expected = [
        "notes on GET /short in test_shop.py::test_short",
        "  sync-io, * ms at api.py:6: under the limit of 2000 ms",
    ]
    expected = expected if debug or options else ["notes: 1 sync-io; -v lists them"]
    pytest.LineMatcher(lines).fnmatch_lines(expected, consecutive=True)
    assert len(lines) == len(expected)
