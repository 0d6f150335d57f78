"""What counts as an ASGI app, without pytest and without running one."""

import functools

import pytest

from pytest_noblock.checks.app_import import NotAnApp, resolved


async def app(scope, receive, send):
    """An ASGI app."""


async def with_more(scope, receive, send, more=None):
    """Still one: the rest has defaults."""


async def positional(*args):
    """Still one: who knows?"""


class Callable3:
    async def __call__(self, scope, receive, send):
        """An object as frameworks have it."""


class Callable0:
    def __call__(self):
        """Takes nothing."""


class Flaskish:
    def wsgi_app(self, environ, start_response):
        """WSGI."""

    def __call__(self, environ, start_response):
        """WSGI."""


def build():
    return app


def build_with_defaults(debug=False):
    return app


def build_with(debug):
    return app


async def build_async():
    return app


class Odd:
    """Its attributes raise, and it is an app all the same."""

    def __getattr__(self, name):
        raise RuntimeError(name)

    async def __call__(self, scope, receive, send):
        """ASGI."""


class Lazy(Callable3):
    """As Django's lazy objects, and mocks: it has whatever it is asked for."""

    def __getattr__(self, _name):
        return Lazy()


class LazyCallable0(Callable0):
    """As Lazy, but it takes nothing."""

    def __getattr__(self, _name):
        return LazyCallable0()


instance = Callable3()
FOLDER = "/"


@pytest.mark.parametrize(
    "given",
    [app, with_more, positional, instance, Callable3().__call__, functools.partial(with_more, more=1), Odd(), Lazy()],
    ids="function with-more args object method partial odd lazy".split(),
)
def test_an_app_is_taken_as_it_is(given):
    assert resolved(given, FOLDER, "it") is given


@pytest.mark.parametrize("factory", [build, build_with_defaults, lambda: app])
def test_a_factory_is_called(factory):
    assert resolved(factory, FOLDER, "it") is app


def test_a_class_whose_objects_are_apps_is_a_factory():
    assert isinstance(resolved(Callable3, FOLDER, "it"), Callable3)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (5, "int object cannot be called"),
        (None, "NoneType object cannot be called"),
        (Callable0(), "does not take (scope, receive, send)"),
        (LazyCallable0(), "does not take (scope, receive, send)"),
        (build_with, "; a factory takes no arguments: override the noblock_app fixture to give it some"),
        (build_async, "; a factory is a plain def: override the noblock_app fixture to await this one"),
        (Flaskish(), "is a WSGI app; wrap it in an ASGI adapter"),
        (lambda: 5, "int object cannot be called"),
    ],
)
def test_the_rest_is_refused_with_the_reason(given, why):
    with pytest.raises(NotAnApp) as refusal:
        resolved(given, FOLDER, "it")
    assert str(refusal.value).startswith("it is not an ASGI app: ")
    assert why in str(refusal.value)


def test_a_coroutine_is_what_an_async_fixture_leaves():
    async def fixture():
        """Never awaited."""

    coroutine = fixture()
    with pytest.raises(NotAnApp, match="async fixture"):
        resolved(coroutine, FOLDER, "it")
    coroutine.close()


def test_an_async_generator_is_too():
    async def fixture():
        yield app

    with pytest.raises(NotAnApp, match="async fixture"):
        resolved(fixture(), FOLDER, "it")


def test_an_import_string_is_imported(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    tmp_path.joinpath("an_api.py").write_text("class Space:\n    async def app(scope, receive, send): pass\n")
    assert resolved("an_api:Space.app", str(tmp_path), "it").__qualname__ == "Space.app"


@pytest.mark.parametrize(
    ("source", "why", "function"),
    [
        ("raise ValueError('one\\n  two\\x1b')", "cannot be imported: ValueError: one two\\x1b", "<module>"),
        ("def __getattr__(name): raise ValueError('no')", "cannot be found: ValueError: no", "__getattr__"),
        ("def app(): raise ValueError('no')", "is a factory that failed: ValueError: no", "app"),
    ],
    ids="import attribute factory".split(),
)
def test_what_the_users_code_raises_is_told_on_one_line_with_its_place(tmp_path, monkeypatch, source, why, function):
    monkeypatch.syspath_prepend(tmp_path)
    name = f"an_api_{len(source)}"
    tmp_path.joinpath(f"{name}.py").write_text(source)
    with pytest.raises(NotAnApp) as refusal:
        resolved(f"{name}:app", str(tmp_path), "it")
    assert str(refusal.value) == f"it {why} at {name}.py:1 in {function}"
