"""The options as pytest gives them: added, checked and read by the table in `option_table`.

`settings_of` alone decides the precedence: marker > command line > ini > default. The keywords of a single request
go before the marker (see `client`).
"""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, cast

import pytest

from pytest_noblock.plugin import markers
from pytest_noblock.plugin.option_table import OPTIONS, Option, Scope, plain_help, what_sees_what
from pytest_noblock.plugin.settings import Settings

if TYPE_CHECKING:
    from pytest_noblock.model.observation import OwnLoop
    from pytest_noblock.plugin.baseline import BaselineOfRun

_ROWS = {option.name: option for option in OPTIONS}

SWEPT = "noblock::"
"""How the ids of the sweep's items begin."""

ROUTES = "noblock-routes"
"""The user property of each of them: how many routes the app has, and how many of them were selected, as JSON."""

SAID = "noblock-said-of-routes"
"""The user property of one of them: a sentence on what the sweep does not see."""

ACTIONS = "GITHUB_ACTIONS"
"""GitHub sets this variable to `true`."""
SUMMARY = "GITHUB_STEP_SUMMARY"
"""Its value is the file whose Markdown the job shows; each step has one of its own."""

_OF_RUN = pytest.StashKey[Settings]()
_BASELINE = pytest.StashKey["BaselineOfRun"]()


def add_options(parser: pytest.Parser) -> None:
    """Adds the options to pytest. Each command line option has an ini twin, which holds where the option is absent."""
    group = parser.getgroup("noblock", f"assert that ASGI endpoints do not block the event loop\n{what_sees_what()}")
    for option in OPTIONS:
        if option.cli:
            group.addoption(option.cli, help=plain_help(option), **_of_command_line(option))
        if not option.cli_only:
            _add_ini(parser, option)
    parser.addini("verbosity_noblock", "verbosity of noblock's failure reports", default="auto")


def _of_command_line(option: Option) -> dict[str, Any]:
    if not option.value:
        return {"action": "store_true", "default": None}
    if option.cli_only:
        return {"metavar": option.value, "nargs": "?", "const": ""}
    return {"metavar": option.value, "action": "append" if option.repeatable else "store"}


def _add_ini(parser: pytest.Parser, option: Option) -> None:
    if not option.name:
        parser.addini(option.ini, plain_help(option), type="bool", default=False)
    elif option.choices:
        parser.addini(option.ini, plain_help(option), default=option.default.strip("`"))
    else:
        several: Literal["args", "linelist"] = "linelist" if option.lines else "args"
        kind: Literal["args", "linelist", "string"] = several if option.repeatable else "string"
        parser.addini(option.ini, plain_help(option), type=kind)


def value_of(config: pytest.Config, name: str) -> object:
    """The command line's value, else the ini's; None where neither says anything."""
    option = _ROWS[name]
    given = config.getoption(option.ini) if option.cli else None
    if given is not None or option.cli_only:
        return given
    return config.getini(option.ini) or None


def sweeps(config: pytest.Config) -> bool:
    """Whether the routes of an app are swept."""
    return value_of(config, "sweep") is not None


def watches_all(config: pytest.Config) -> bool:
    """Whether the requests of every test are watched."""
    return bool(value_of(config, ""))


def reports(config: pytest.Config) -> list[str]:
    """The files that reports are written to, as given."""
    return cast("list[str]", value_of(config, "report") or [])


def tells_github() -> bool:
    """Whether GitHub Actions is told of the run; see `plugin.ci`."""
    return os.environ.get(ACTIONS) == "true" or bool(os.environ.get(SUMMARY))


def asked_for(config: pytest.Config) -> bool:
    """Whether any option says that noblock is wanted in this run."""
    given = (value_of(config, option.name) for option in OPTIONS if option.cli and not option.of_sweep)
    return sweeps(config) or own_loop(config) != "asyncio" or any(given)


def own_loop(config: pytest.Config) -> "OwnLoop":
    """What the fixture runs apps on."""
    return cast("OwnLoop", config.getini("noblock_loop"))


def debugs() -> bool:
    """Whether the environment asks for the readings behind each finding."""
    return os.environ.get("NOBLOCK_DEBUG", "") not in ("", "0")


def of_run(config: pytest.Config) -> Settings:
    """What holds for a test without markers of ours. Raises UsageError."""
    known = config.stash.get(_OF_RUN, None)
    if known is None:
        given = {option.name: value_of(config, option.name) for option in OPTIONS if option.read}
        known = Settings()
        for name, value in given.items():
            known = _with(known, {name: value}, _source(config, name), named=True)
        config.stash[_OF_RUN] = known
    return known


def settings_of(config: pytest.Config, ours: markers.Marked) -> Settings:
    """What holds for a test with these markers. Raises UsageError for a mistake in a marker or an option."""
    general = of_run(config)
    if not ours.marks:
        return general
    merged: dict[str, object] = {}
    for given in reversed(ours.named("noblock")):  # the closest wins
        merged |= given
    return _with(general, merged, "@pytest.mark.noblock") if merged else general


def _source(config: pytest.Config, name: str) -> str:
    """The option as the user wrote it: `--noblock-probe` on the command line, `noblock_probe` in the ini file."""
    option = _ROWS[name]
    on_command_line = option.cli and (option.cli_only or config.getoption(option.ini) is not None)
    return option.cli if on_command_line else option.ini


def _with(general: Settings, given: Mapping[str, object], where: str, *, named: bool = False) -> Settings:
    """The settings with the given values; None leaves one as it is. Raises UsageError.

    `where` begins the message; `named`: it names the option.
    """
    for name, value in given.items():
        read = _ROWS[name].read
        if value is not None and read is not None:
            try:
                general = read(general, value)
            except ValueError as error:
                raise pytest.UsageError(f"{where}: {error}" if named else f"{where}: {name}: {error}") from None
    return general


def validate_options(config: pytest.Config) -> None:
    """Raises UsageError, before anything runs."""
    ini = {option.name: _readable(config, option.ini) for option in OPTIONS if not option.cli_only}
    of_run(config)
    _validate_verbosity(config)
    for option in OPTIONS:
        value = ini.get(option.name)
        if option.choices and value not in option.choices:
            raise pytest.UsageError(f"{option.ini}: {value!r} is not one of {', '.join(option.choices)}")
    _validate_loop(own_loop(config))
    for file in reports(config):
        _validate_report(file, _source(config, "report"))
    _read_baseline(config)
    if value_of(config, "require") is not None:
        from pytest_noblock.plugin.sweep_options import required

        required(config)


def _validate_loop(name: str) -> None:
    from importlib.util import find_spec

    if name != "asyncio" and find_spec(name) is None:
        raise pytest.UsageError(f"noblock_loop = {name}, but {name} is not installed: pip install {name}")


def baseline_of(config: pytest.Config) -> "BaselineOfRun | None":
    """The known findings of the run; None where no file of them is named."""
    return config.stash.get(_BASELINE, None)


def _read_baseline(config: pytest.Config) -> None:
    named = cast("str | None", value_of(config, "baseline"))
    updates = bool(value_of(config, "update_baseline"))
    if named is not None or updates:
        from pytest_noblock.plugin.baseline import read

        config.stash[_BASELINE] = read(config, named, _source(config, "baseline"), updates=updates)


def _readable(config: pytest.Config, ini: str) -> object:
    """What the ini file says; pytest's own error does not name the option."""
    try:
        value: object = config.getini(ini)
    except (ValueError, TypeError, pytest.UsageError) as error:
        raise pytest.UsageError(f"{ini}: {error}") from None
    return value


def _validate_verbosity(config: pytest.Config) -> None:
    value = _readable(config, "verbosity_noblock")
    try:
        config.get_verbosity("noblock")
    except (ValueError, TypeError):
        raise pytest.UsageError(
            f'verbosity_noblock: {value!r} is neither a whole number, as 2 for -vv, nor "auto"'
        ) from None


def _validate_report(file: str, source: str) -> None:
    from pytest_noblock.report.formats import REPORT_SUFFIXES

    if not file.endswith(REPORT_SUFFIXES):
        raise pytest.UsageError(
            f"{source}: the format of {file!r} is not known: its name must end in {', '.join(REPORT_SUFFIXES[:-1])} or "
            f"{REPORT_SUFFIXES[-1]}"
        )


def mistake_in_markers(item: pytest.Item, ours: markers.Marked) -> str | None:
    """What is wrong with our markers of the test, in one sentence; None where nothing is."""
    if not ours.marks:
        return None
    try:
        settings_of(item.config, ours)
        markers.allowances(ours)
        markers.background_names(ours)
    except pytest.UsageError as error:
        return str(error)
    return None


def scope_of(fixture_name: str, config: pytest.Config) -> Scope:  # noqa: ARG001  # pytest's signature
    """The scope of the fixture that keeps apps running; pytest calls this when it meets the fixture."""
    return cast("Scope", config.getini("noblock_scope"))
