"""Which setting holds: request keyword > marker > command line > ini > default."""

import pytest

SLEEPS = """
    import asyncio
    import time
    from fastapi import FastAPI

    app = FastAPI()
    probed = []

    @app.get("/sleeps/{ms}")
    async def sleeps(ms: int):
        time.sleep(ms / 1000)
        await asyncio.sleep(0.03)
        return {}

    @app.get("/probe/{name}")
    async def probe(name: str):
        probed.append(name)
        return {}
"""
TEST = """
import pytest
import sleeps

{mark}
def test_it(noblock):
    noblock.get("/sleeps/{ms}"{keyword})

{after}
"""
PLACES = ("keyword", "marker", "cli", "ini", "default")  # the first wins


@pytest.fixture
def outcome(pytester):
    """How a request ends that holds the loop for `ms` milliseconds, with an option at these values in these places."""

    def outcome(option: str, values: dict[str, str], ms: int = 0, after: str = "") -> pytest.RunResult:
        pytester.makepyfile(sleeps=SLEEPS)
        lines = [f"noblock_{option} = {values['ini']}"] if "ini" in values else []
        pytester.makeini("\n".join(["[pytest]", "noblock_app = sleeps:app", *lines]))
        mark = f"@pytest.mark.noblock({option}={values['marker']!r})" if "marker" in values else ""
        keyword = f", {option}={values['keyword']!r}" if "keyword" in values else ""
        pytester.makepyfile(test_it=TEST.format(mark=mark, ms=ms, keyword=keyword, after=after))
        cli = [f"--noblock-{option.replace('_', '-')}={values['cli']}"] if "cli" in values else []
        return pytester.runpytest("-W", "always:GET:UserWarning", *cli)

    return outcome


@pytest.mark.one_python
@pytest.mark.parametrize("first", range(len(PLACES)), ids=PLACES)
def test_the_limit_of_the_first_place_holds(outcome, first):
    """30 ms are over a limit of 10 ms and under the default; the places below say the opposite."""
    strict, lax = "10 ms", "40 ms"
    values = {place: lax if index % 2 else strict for index, place in enumerate(PLACES[first:-1], start=first)}
    result = outcome("max_block", values, ms=25)
    if values.get(PLACES[first]) == strict:
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(["GET /sleeps/25 blocked the event loop * ms (limit 10 ms)"])
    else:
        result.assert_outcomes(passed=1)


PROBED = "def test_probed():\n    assert set(sleeps.probed) == {names!r}"


@pytest.mark.one_python
@pytest.mark.parametrize("first", range(len(PLACES)), ids=PLACES)
def test_the_probes_of_the_first_place_hold(outcome, first):
    values = {place: f"/probe/{place}" for place in PLACES[first:-1]}
    names = {PLACES[first]} & set(values)
    outcome("probe", values, after=PROBED.format(names=names)).assert_outcomes(passed=2)


@pytest.mark.one_python
@pytest.mark.parametrize(
    "values",
    [{"cli": "/probe/a --noblock-probe=/probe/b"}, {"ini": "/probe/a /probe/b"}, {"marker": ["/probe/a", "/probe/b"]}],
)
def test_several_probes_are_all_sent(outcome, pytester, values):
    after = PROBED.format(names={"a", "b"})
    if "cli" in values:
        outcome("probe", {}, after=after)
        pytester.runpytest("--noblock-probe=/probe/a", "--noblock-probe=/probe/b").assert_outcomes(passed=2)
    else:
        outcome("probe", values, after=after).assert_outcomes(passed=2)


@pytest.mark.one_python
@pytest.mark.parametrize("first", range(1, len(PLACES)), ids=PLACES[1:])
def test_the_action_of_the_first_place_holds(outcome, first):
    values = {place: "fail" if index % 2 else "warn" for index, place in enumerate(PLACES[first:-1], start=first)}
    result = outcome("action", values, ms=70)
    warned = values.get(PLACES[first], "fail") == "warn"
    result.assert_outcomes(passed=1, warnings=1) if warned else result.assert_outcomes(failed=1)


def test_the_closest_marker_wins_and_the_others_add_to_it(pytester):
    pytester.makepyfile(sleeps=SLEEPS)
    pytester.makepyfile(
        """
        import pytest

        pytestmark = pytest.mark.noblock(max_block="10 ms", app="sleeps:app")

        @pytest.mark.noblock(max_block="40 ms")
        class TestLax:
            def test_it(self, noblock):
                noblock.get("/sleeps/25")

            @pytest.mark.noblock(max_block="10 ms")
            def test_strict(self, noblock):
                noblock.get("/sleeps/25")

        def test_of_the_module(noblock):
            noblock.get("/sleeps/25")
        """
    )
    pytester.runpytest().assert_outcomes(passed=1, failed=2)


@pytest.mark.one_python
def test_an_ini_value_of_another_spelling_is_the_same(outcome):
    for value in ("10ms", "10 ms", "0.01s", "10000 us"):
        outcome("max_block", {"ini": value}, ms=25).assert_outcomes(failed=1)


@pytest.mark.one_python
def test_a_warning_says_what_a_failure_would_and_where_the_test_asked(outcome):
    result = outcome("action", {"cli": "warn"}, ms=70)
    result.assert_outcomes(passed=1, warnings=1)
    result.stdout.fnmatch_lines(
        ["*test_it.py:6: NoblockWarning: GET /sleeps/70 blocked the event loop * ms (limit 50 ms)"]
    )


def test_warn_goes_before_a_filter_that_makes_errors_of_warnings(outcome, pytester):
    outcome("action", {"cli": "warn"}, ms=70)
    result = pytester.runpytest("--noblock-action=warn", "-W", "error:GET:UserWarning")
    result.assert_outcomes(passed=1, warnings=1)


@pytest.mark.one_python
def test_a_request_that_measured_nothing_is_red_under_warn_too(outcome, pytester):
    """Only findings are accepted: a route that is not there is a mistake in the test."""
    outcome("action", {}, ms=0)
    pytester.makepyfile(test_it="def test_it(noblock): noblock.get('/nowhere')")
    pytester.runpytest("--noblock-action=warn").assert_outcomes(failed=1)
