"""How the plugin finds the app: each place, which one wins, and what is said when there is none."""

import pytest

APP = """
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        raise NotImplementedError
    await send({{"type": "http.response.start", "status": 200, "headers": []}})
    await send({{"type": "http.response.body", "body": b"{name}"}})

def build():
    return app
"""
PLACES = ("override", "marker", "cli", "ini", "fixture")  # the first wins


@pytest.fixture
def greeted_by(pytester):
    """The name of the app that answers when it is named in these places."""

    def greeted_by(*places: str) -> str:
        fixtures = ["import pytest"]
        for place in PLACES:
            pytester.makepyfile(**{f"{place}_app": APP.format(name=place)})
        if "override" in places:
            fixtures.append("@pytest.fixture\ndef noblock_app():\n    return __import__('override_app').app")
        if "fixture" in places:
            fixtures.append("@pytest.fixture\ndef app():\n    return __import__('fixture_app').app")
        pytester.makeconftest("\n\n".join(fixtures))
        if "ini" in places:
            pytester.makeini("[pytest]\nnoblock_app = ini_app:app")
        mark = "@pytest.mark.noblock(app='marker_app:app')" if "marker" in places else ""
        pytester.makepyfile(
            test_it=f"import pytest\n{mark}\ndef test_it(noblock): print('by', noblock.get('/').text, 'app')"
        )
        result = pytester.runpytest("-s", *(["--noblock-app=cli_app:app"] if "cli" in places else []))
        result.assert_outcomes(passed=1)
        (line,) = [line for line in result.outlines if line.startswith("by ") or " by " in line]
        return line.partition("by ")[2].split()[0]

    return greeted_by


@pytest.mark.one_python
@pytest.mark.parametrize("first", range(len(PLACES)), ids=PLACES)
def test_each_place_goes_before_those_below_it(greeted_by, first):
    assert greeted_by(*PLACES[first:]) == PLACES[first]


def test_an_app_that_nobody_named_is_asked_for_with_all_the_places(pytester, refused):
    pytester.makepyfile("def test_it(noblock): pass")
    result = pytester.runpytest()
    result.assert_outcomes(errors=1)
    refused(
        result,
        "noblock does not know the app: override the noblock_app fixture, or use @pytest.mark.noblock(app=...), "
        '--noblock-app=pkg.mod:app, the ini option noblock_app = "pkg.mod:app" or a fixture named app',
    )


PARAMETRIZED = """
    import pytest

    @pytest.fixture(params=["a", "b"])
    def {name}(request):
        return __import__("api").app

    {more}

    def test_it({asked}noblock):
        noblock.get("/")
"""


@pytest.mark.parametrize(("name", "more"), [("app", ""), ("db", "@pytest.fixture\n    def app(db): return db")])
def test_an_app_of_a_parametrized_fixture_must_be_seen_by_pytest(pytester, refused, name, more):
    pytester.makepyfile(api=APP.format(name="built"))
    values = {"name": name, "more": more}
    pytester.makepyfile(test_it=PARAMETRIZED.format(asked="", **values))
    result = pytester.runpytest()
    result.assert_outcomes(errors=1)
    refused(
        result,
        f"UsageError: the fixture '{name}' has params, so pytest must see it in the test: def test_it({name}, "
        f"noblock), or override noblock_app with a fixture that takes '{name}' and returns the app",
    )
    pytester.makepyfile(test_it=PARAMETRIZED.format(asked=f"{name}, ", **values))  # the remedy, taken at its word
    pytester.runpytest().assert_outcomes(passed=2)


@pytest.mark.one_python
@pytest.mark.parametrize(
    "app", ["build", "build()", "Namespace.app", "Namespace.build"], ids=["factory", "called", "nested", "static"]
)
def test_an_import_string_may_name(pytester, app):
    more = "class Namespace:\n    app = staticmethod(app)\n    build = staticmethod(build)\n"
    pytester.makepyfile(api=APP.format(name="built") + more)
    pytester.makepyfile("def test_it(noblock): assert noblock.get('/').text == 'built'")
    pytester.runpytest(f"--noblock-app=api:{app}").assert_outcomes(passed=1)


@pytest.mark.one_python
def test_an_app_in_a_package_beside_the_tests_is_found(pytester):
    """As `python -m pytest` finds it: the rootdir is importable, whatever pytest put on the path."""
    pytester.mkpydir("pkg")
    pytester.path.joinpath("pkg/api.py").write_text(APP.format(name="pkg"))
    pytester.mkdir("tests")
    pytester.path.joinpath("tests/test_it.py").write_text("def test_it(noblock): assert noblock.get('/').text == 'pkg'")
    pytester.makeini("[pytest]\nnoblock_app = pkg.api:app")
    pytester.runpytest("--import-mode=importlib").assert_outcomes(passed=1)


@pytest.mark.one_python
def test_the_marker_takes_the_app_itself_too(pytester):
    pytester.makepyfile(api=APP.format(name="object"))
    pytester.makepyfile(
        """
        import pytest
        import api

        @pytest.mark.noblock(app=api.app)
        def test_it(noblock):
            assert noblock.get("/").text == "object"
        """
    )
    pytester.runpytest().assert_outcomes(passed=1)


@pytest.mark.one_python
def test_two_apps_in_one_session_each_answer_for_themselves(pytester):
    for name in ("one", "two"):
        pytester.makepyfile(**{name: APP.format(name=name)})
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.noblock(app="one:app")
        def test_one(noblock):
            assert noblock.get("/").text == "one"

        @pytest.mark.noblock(app="two:app")
        def test_two(noblock):
            assert noblock.get("/").text == "two"

        def test_neither(noblock):
            pass
        """
    )
    result = pytester.runpytest("-o", "noblock_scope=session")
    result.assert_outcomes(passed=2, errors=1)


@pytest.mark.one_python
def test_an_app_fixture_that_fails_is_told_by_its_own_error(shop):
    """Not that there is none."""
    shop.makepyfile(
        """
        import pytest

        @pytest.fixture
        def app(database):
            return None

        def test_it(noblock):
            pass
        """
    )
    result = shop.runpytest()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*fixture 'database' not found*"])


@pytest.mark.parametrize("mode", ["strict", "auto"])
def test_an_async_app_fixture_serves_an_async_test(shop, mode):
    pytest.importorskip("pytest_asyncio")
    shop.makepyfile(
        """
        import pytest
        import pytest_asyncio
        import shop

        @pytest_asyncio.fixture
        async def app():
            return shop.app

        @pytest.mark.asyncio
        async def test_it(noblock):
            noblock.get("/awaits")
        """
    )
    shop.runpytest(f"--asyncio-mode={mode}").assert_outcomes(passed=1)


def test_an_override_may_ask_for_fixtures(shop):
    shop.makepyfile(
        """
        import pytest
        import shop

        @pytest.fixture
        def settings():
            shop.app.state.settings = "test"
            yield
            del shop.app.state.settings

        @pytest.fixture
        def noblock_app(settings):
            return shop.app

        def test_it(noblock):
            assert shop.app.state.settings == "test"
            noblock.get("/awaits")
        """
    )
    shop.runpytest().assert_outcomes(passed=1)
