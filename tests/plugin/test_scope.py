"""How long an app runs: `noblock_scope` counts in lifespan start-ups and shutdowns."""

import pytest

API = """
    from contextlib import asynccontextmanager
    from pathlib import Path
    from fastapi import FastAPI

    LOG = Path("log.txt")

    def log(word):
        with LOG.open("a") as file:
            file.write(word + " ")

    def build(name):
        @asynccontextmanager
        async def lifespan(app):
            log(f"start-{name}")
            yield {"made_at_startup": name}
            log(f"stop-{name}")

        app = FastAPI(lifespan=lifespan)

        from fastapi import Request

        @app.get("/")
        async def home(request: Request):
            return request.state.made_at_startup

        return app

    app = build("a")
    other = build("b")
"""
TESTS = """
    def test_one(noblock):
        assert noblock.get("/").json() == "a"

    def test_two(noblock):
        assert noblock.get("/").json() == "a"
"""


@pytest.mark.parametrize(
    ("scope", "log"),
    [
        (None, "start-a stop-a " * 4),
        ("function", "start-a stop-a " * 4),
        ("module", "start-a stop-a " * 2),
        ("session", "start-a stop-a "),
    ],
)
def test_an_app_is_kept_as_long_as_the_scope_says(pytester, scope, log):
    pytester.makepyfile(api=API, test_first=TESTS, test_second=TESTS)
    options = ["-o", f"noblock_scope={scope}"] if scope else []
    pytester.runpytest("--noblock-app=api:app", *options).assert_outcomes(passed=4)
    assert pytester.path.joinpath("log.txt").read_text() == log


@pytest.mark.one_python
def test_two_apps_of_one_session_run_beside_each_other(pytester):
    pytester.makepyfile(
        api=API,
        test_it="""
        import pytest

        @pytest.mark.parametrize("_", range(2))
        @pytest.mark.parametrize("name", ["app", "other"])
        class TestBoth:
            @pytest.fixture
            def noblock_app(self, name):
                import api
                return getattr(api, name)

            def test_it(self, noblock, name, _):
                assert noblock.get("/").json() == {"app": "a", "other": "b"}[name]
        """,
    )
    pytester.runpytest("-o", "noblock_scope=session").assert_outcomes(passed=4)
    words = pytester.path.joinpath("log.txt").read_text().split()
    assert sorted(words) == ["start-a", "start-b", "stop-a", "stop-b"]
    assert {word[:5] for word in words[:2]} == {"start"}


@pytest.mark.one_python
def test_an_app_that_no_request_was_sent_to_is_stopped_as_well(pytester):
    pytester.makepyfile(api=API, test_it="def test_it(noblock): pass")
    pytester.runpytest("--noblock-app=api:app").assert_outcomes(failed=1)  # nothing was measured
    assert pytester.path.joinpath("log.txt").read_text() == "start-a stop-a "


@pytest.mark.one_python
def test_a_test_that_does_not_ask_starts_nothing(pytester):
    pytester.makepyfile(api=API, test_it="def test_it(): pass")
    pytester.runpytest("--noblock-app=api:app", "-o", "noblock_scope=session").assert_outcomes(passed=1)
    assert not pytester.path.joinpath("log.txt").exists()


@pytest.mark.one_python
def test_a_test_that_fails_has_its_app_stopped(pytester):
    pytester.makepyfile(api=API, test_it="def test_it(noblock): assert False")
    pytester.runpytest("--noblock-app=api:app").assert_outcomes(failed=1)
    assert pytester.path.joinpath("log.txt").read_text() == "start-a stop-a "


@pytest.mark.one_python
def test_an_app_made_anew_for_each_test_does_not_pile_up(pytester):
    """In a session's scope each runs to the end; none is mistaken for another at the same address."""
    pytester.makepyfile(
        api=API,
        test_it="""
        import pytest
        import api

        @pytest.fixture(params=["x", "y", "z"])
        def noblock_app(request):
            return api.build(request.param)

        def test_it(noblock, request):
            assert noblock.get("/").json() in request.node.name
        """,
    )
    pytester.runpytest("-o", "noblock_scope=session").assert_outcomes(passed=3)
    words = pytester.path.joinpath("log.txt").read_text().split()
    assert sorted(words) == ["start-x", "start-y", "start-z", "stop-x", "stop-y", "stop-z"]


def test_a_database_fixture_of_a_test_outlives_the_app_that_uses_it(pytester):
    """Setup and teardown nest: what `noblock_app` asks for is there until the app has stopped."""
    pytester.makepyfile(
        api=API,
        test_it="""
        import pytest
        import api

        @pytest.fixture
        def database():
            api.log("open")
            yield
            api.log("close")

        @pytest.fixture
        def noblock_app(database):
            return api.app

        def test_it(noblock):
            noblock.get("/")
        """,
    )
    pytester.runpytest().assert_outcomes(passed=1)
    assert pytester.path.joinpath("log.txt").read_text() == "open start-a stop-a close "
