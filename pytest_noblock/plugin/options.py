"""Marker, command line and ini, to one set of settings; refuses mistakes with one sentence.

Precedence, written once, in `settings_of`: marker > command line > ini > default. The
keywords of a single request go on top of that (see `client`).
"""

from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple, cast, get_args

import pytest

from pytest_noblock.checks import probe_paths
from pytest_noblock.model import units
from pytest_noblock.model.limits import Limits
from pytest_noblock.plugin import markers

Action = Literal["fail", "warn"]
Scope = Literal["function", "module", "session"]
MeterChoice = Literal["auto", "full", "portable"]

REPORT_SUFFIXES = (".json",)


class Settings(NamedTuple):
    """What holds for one test."""

    limits: Limits = Limits()
    probes: tuple[str, ...] = ()
    app: object = None
    """The app itself or `pkg.mod:app`; None: look for a fixture."""
    action: Action = "fail"


_OPTIONS = pytest.StashKey[Settings]()


def add_options(parser: pytest.Parser) -> None:
    """Every command line option has an ini twin; only the ini and the default hold where the option is absent."""
    group = parser.getgroup("noblock", "assert that ASGI endpoints do not block the event loop")
    group.addoption(
        "--noblock",
        action="store_true",
        default=None,
        help="watch the requests of every test, whatever client sends them",
    )
    group.addoption("--noblock-app", metavar="pkg.mod:app", help="the ASGI app, or a factory of it")
    group.addoption(
        "--noblock-max-block", metavar="50ms", help="longest the app may hold the event loop in one go (default 50ms)"
    )
    group.addoption("--noblock-probe", metavar="/health", action="append", help="probe path (repeatable)")
    group.addoption("--noblock-action", metavar="fail|warn", help="what a finding does to the test (default fail)")
    group.addoption(
        "--noblock-report", metavar="FILE.json", action="append", help="write a report, by suffix (repeatable)"
    )
    parser.addini("noblock", "watch every test", type="bool", default=False)
    parser.addini("noblock_app", "the ASGI app of this project, or a factory of it: pkg.mod:app")
    parser.addini("noblock_max_block", "longest the app may hold the event loop in one go, as 50ms")
    parser.addini("noblock_probe", "probe paths besides the built-in ones", type="args")
    parser.addini("noblock_scope", "how long one running app is kept: function, module, session", default="function")
    parser.addini("noblock_action", "fail or warn")
    parser.addini("noblock_report", "report files, by suffix", type="args")
    parser.addini("noblock_lifespan", "note or fail: what a finding in the app's lifespan does", default="note")
    parser.addini(
        "noblock_known_calls", "note or fail: what a known blocking call does that a mock answers", default="note"
    )
    parser.addini("noblock_meter", "auto, full or portable: the rules to measure by", default="auto")
    parser.addini("verbosity_noblock", "verbosity of noblock's failure reports", default="auto")


def option(config: pytest.Config, name: str) -> object:
    """The command line's value, else the ini's; None where neither says anything."""
    given = config.getoption(f"noblock_{name}")
    return given if given is not None else config.getini(f"noblock_{name}") or None


def watches_all(config: pytest.Config) -> bool:
    return bool(config.getoption("noblock") or config.getini("noblock"))


def judges_lifespan(config: pytest.Config) -> bool:
    return bool(config.getini("noblock_lifespan") == "fail")


def settings_of(config: pytest.Config, ours: markers.Marked) -> Settings:
    """What holds for a test with these markers. Raises UsageError for a mistake in one (or in an option)."""
    general = of_options(config)
    if not ours.marks:
        return general
    merged: dict[str, object] = {}
    for given in reversed(ours.named("noblock")):  # the closest wins
        merged |= given
    return _settings(merged, ours.where, general) if merged else general


def of_options(config: pytest.Config) -> Settings:
    """The same for all tests, and asked for by each. Raises UsageError."""
    known = config.stash.get(_OPTIONS, None)
    if known is None:
        given = {name: option(config, name) for name in ("max_block", "probe", "app", "action")}
        limits = Limits(known_calls=config.getini("noblock_known_calls") != "fail")
        known = config.stash[_OPTIONS] = _settings(given, "the noblock options", Settings(limits))
    return known


def validate_options(config: pytest.Config) -> None:
    """Raises UsageError, before anything runs."""
    of_options(config)
    _one_of("noblock_scope", config.getini("noblock_scope"), get_args(Scope))
    _one_of("noblock_lifespan", config.getini("noblock_lifespan"), ("note", "fail"))
    _one_of("noblock_known_calls", config.getini("noblock_known_calls"), ("note", "fail"))
    _one_of("noblock_meter", config.getini("noblock_meter"), get_args(MeterChoice))
    for file in reports(config):
        if not file.endswith(REPORT_SUFFIXES):
            raise pytest.UsageError(
                f"--noblock-report: the format of {file!r} is not known: its name must end in "
                f"{' or '.join(REPORT_SUFFIXES)}"
            )


def reports(config: pytest.Config) -> list[str]:
    return cast("list[str]", option(config, "report") or [])


def asked_for(config: pytest.Config) -> bool:
    """Whether any option says that noblock is wanted in this run."""
    return watches_all(config) or any(
        option(config, name) for name in ("app", "max_block", "probe", "action", "report")
    )


def validate_markers(item: pytest.Item) -> None:
    """Before any test runs. Raises UsageError."""
    ours = markers.marked(item)
    if ours.marks:
        settings_of(item.config, ours)
        markers.allowances(ours)
        markers.background_names(ours)


def scope_of(fixture_name: str, config: pytest.Config) -> Scope:  # noqa: ARG001  # pytest's signature
    """How long a running app is kept: pytest asks when it meets the fixture."""
    return cast("Scope", config.getini("noblock_scope"))


def app_of(request: pytest.FixtureRequest) -> object:
    """What names the app: marker, command line, ini, then the project's own `app` fixture. Raises UsageError."""
    __tracebackhide__ = True
    named = settings_of(request.config, markers.marked(request.node)).app
    if named is not None:
        return named
    try:
        return request.getfixturevalue("app")
    except pytest.FixtureLookupError as error:
        if error.argname != "app":  # the fixture is there, and lacks something itself
            raise
        raise pytest.UsageError(
            "noblock does not know the app: override the noblock_app fixture, or use "
            '@pytest.mark.noblock(app=...), --noblock-app=pkg.mod:app, the ini option noblock_app = "pkg.mod:app" '
            "or a fixture named app"
        ) from None


def _settings(given: Mapping[str, object], where: str, settings: Settings) -> Settings:
    settings = settings._replace(app=given.get("app", settings.app))
    for name, value in given.items():
        if value is not None and name in _READERS:
            try:
                settings = _READERS[name](settings, value)
            except ValueError as error:
                raise pytest.UsageError(f"{where}: {name}: {error}") from None
    return settings


def _with_max_block(settings: Settings, value: object) -> Settings:
    return settings._replace(limits=settings.limits._replace(max_block=units.parse(value)))


def _with_probe(settings: Settings, value: object) -> Settings:
    return settings._replace(probes=probe_paths.of(value))


def _with_action(settings: Settings, value: object) -> Settings:
    if value not in get_args(Action):
        raise ValueError(f"{value!r} is neither 'fail' nor 'warn'")
    return settings._replace(action=cast("Action", value))


_READERS: dict[str, Callable[[Settings, object], Settings]] = {
    "max_block": _with_max_block,
    "probe": _with_probe,
    "action": _with_action,
}


def _one_of(name: str, value: object, known: tuple[str, ...]) -> None:
    if value not in known:
        raise pytest.UsageError(f"{name}: {value!r} is not one of {', '.join(known)}")
