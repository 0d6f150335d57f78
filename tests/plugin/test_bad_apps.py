"""What is no ASGI app, and cannot be found: one clear sentence each."""

import pytest

from pytest_noblock.engine.asgi import lifespan

pytestmark = pytest.mark.skipif(
    pytest.version_tuple < (9,), reason="pytest 8.4 tells an inner run's unawaited coroutines in the output of the next"
)

TESTS = "def test_it(noblock): noblock.get('/')"


@pytest.fixture
def complain(pytester, refused):
    """The app is named by option: the test is an error, with this sentence."""

    def complain(name: str, *sentences: str, **files: str) -> None:
        pytester.makepyfile(test_it=TESTS, **files)
        result = pytester.runpytest(f"--noblock-app={name}")
        outcomes = result.parseoutcomes()
        assert outcomes in ({"error": 1}, {"errors": 1}, {"failed": 1}), outcomes
        refused(result, *sentences)

    return complain


@pytest.mark.one_python
@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("absent:app", "'absent:app' cannot be imported: ModuleNotFoundError: No module named 'absent'"),
        ("broken:app", "'broken:app' cannot be imported: ZeroDivisionError: division by zero at broken.py:1 in "),
        ("garbled:app", "'garbled:app' cannot be imported: SyntaxError: "),
        (
            "lacking:app",
            "'lacking:app' cannot be imported: ModuleNotFoundError: No module named 'notinstalled' at lacking.py:1 in ",
        ),
        ("leaving:app", "'leaving:app' cannot be imported: SystemExit: bye"),
        ("api:ap", "'api:ap' cannot be found: module 'api' has no attribute 'ap'"),
        ("api", "'api' is not of the form pkg.mod:app"),
        ("api:", "'api:' is not of the form pkg.mod:app"),
        ("api.py:app", "'api.py:app' "),
        (".api:app", "'.api:app' "),
    ],
)
def test_an_app_that_cannot_be_found(complain, name, sentence):
    complain(
        name,
        sentence,
        broken="1 / 0",
        garbled="app = (",
        lacking="import notinstalled",
        leaving="raise SystemExit('bye')",
        api="app = 1",
    )


@pytest.mark.one_python
@pytest.mark.parametrize(
    ("app", "sentence"),
    [
        ("app = 17", "is not an ASGI app: int object cannot be called"),
        ("app = None", "is not an ASGI app: NoneType object cannot be called"),
        ("import api as app", "is not an ASGI app: module object cannot be called"),
        ("def app(environ, start_response): pass", "is not an ASGI app: function object does not take (scope, rec"),
        ("def app(): 1 / 0", "is a factory that failed: ZeroDivisionError: division by zero"),
        ("def app(): return 5", "is not an ASGI app: int object cannot be called"),
        ("def app(one): pass", "is not an ASGI app: function object does not take (scope, receive, send)"),
        ("async def app(): pass", "is not an ASGI app"),
        ("class app: pass", "is not an ASGI app: api.app object cannot be called"),
        ("class app:\n    def __init__(self, scope): pass", "is not an ASGI app"),
        (
            "class Flask:\n    def wsgi_app(self): pass\n    def __call__(self, e, s): pass\napp = Flask()",
            "is not an ASGI app: api.Flask object is a WSGI app; wrap it in an ASGI adapter",
        ),
    ],
    ids="int None module wsgi failing-factory factory-of-int one async-factory class asgi2 flask".split(),
)
def test_what_is_no_asgi_app(complain, app, sentence):
    complain("api:app", sentence, api=app)


@pytest.mark.parametrize("fixture", ["app", "noblock_app"])
@pytest.mark.parametrize("kind", ["return", "yield"])
def test_an_async_app_fixture_is_told_from_an_app(shop, refused, fixture, kind):
    shop.makepyfile(
        f"""
        import pytest
        import shop

        @pytest.fixture
        async def {fixture}():
            {kind} shop.app

        def test_it(noblock):
            pass
        """
    )
    result = shop.runpytest("-p", "no:asyncio", "-p", "no:anyio")
    result.assert_outcomes(errors=1)
    assert "async" in result.stdout.str()
    refused(result)


def test_an_async_app_fixture_that_a_plugin_awaits_is_an_app(shop):
    pytest.importorskip("pytest_asyncio")
    shop.makepyfile(
        """
        import pytest_asyncio
        import shop

        @pytest_asyncio.fixture
        async def app():
            yield shop.app

        def test_it(noblock):
            noblock.get("/awaits")
        """
    )
    shop.runpytest().assert_outcomes(passed=1)


LIFESPAN = """
    import asyncio
    from contextlib import asynccontextmanager
    from fastapi import FastAPI

    @asynccontextmanager
    async def lifespan(app):
        {before}
        yield
        {after}

    app = FastAPI(lifespan=lifespan)

    @app.get("/")
    async def home():
        return {{}}
"""


@pytest.mark.parametrize("failing", ["1 / 0", "raise SystemExit(3)", "raise asyncio.CancelledError"])
@pytest.mark.parametrize(("stage", "line"), [("startup", 7), ("shutdown", 9)])
def test_a_lifespan_that_fails_is_told_with_its_line(pytester, refused, stage, line, failing):
    before, after = (failing, "pass") if stage == "startup" else ("pass", failing)
    pytester.makepyfile(api=LIFESPAN.format(before=before, after=after), test_it=TESTS)
    result = pytester.runpytest("--noblock-app=api:app")
    assert result.parseoutcomes().get("errors") == 1
    refused(result, f"the app's lifespan {stage} failed: ", f" at api.py:{line} in lifespan")


@pytest.mark.one_python
def test_a_lifespan_that_reports_its_failure_is_told_in_its_words(pytester, refused):
    pytester.makepyfile(
        api="""
        async def app(scope, receive, send):
            await receive()
            await send({"type": "lifespan.startup.failed", "message": "no database"})
        """,
        test_it=TESTS,
    )
    result = pytester.runpytest("--noblock-app=api:app")
    result.assert_outcomes(errors=1)
    refused(result, "the app's lifespan startup failed: ", "no database")


@pytest.mark.parametrize("stage", ["startup", "shutdown"])
def test_a_lifespan_that_does_not_finish_is_given_up(pytester, refused, monkeypatch, stage):
    monkeypatch.setattr(lifespan, "LIMIT_S", 0.3)
    waiting, nothing = "await asyncio.sleep(60)", "pass"
    before, after = (waiting, nothing) if stage == "startup" else (nothing, waiting)
    pytester.makepyfile(api=LIFESPAN.format(before=before, after=after), test_it=TESTS)
    result = pytester.runpytest("--noblock-app=api:app")
    assert result.parseoutcomes().get("errors") == 1
    refused(result, f"the app's lifespan {stage} did not finish within 0.3 s")
    assert result.duration < 50  # less than it would take


@pytest.mark.one_python
def test_a_second_test_starts_the_app_anew_after_a_failed_startup(pytester, refused):
    """One broken start is not the next test's."""
    pytester.makepyfile(
        api="started = []\n"
        + LIFESPAN.replace("\n    ", "\n").format(before="started.append(1) or 1 / (len(started) - 1)", after="pass"),
        test_it="def test_first(noblock): noblock.get('/')\ndef test_second(noblock): noblock.get('/')",
    )
    pytester.runpytest("--noblock-app=api:app").assert_outcomes(errors=1, passed=1)
