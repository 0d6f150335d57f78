"""The options: one table makes the command line, the ini file, `--help` and the README's table.

`settings_of` alone decides the precedence: marker > command line > ini > default. The keywords of a single request
go before the marker (see `client`).
"""

import os
from collections.abc import Mapping
from typing import Literal, cast, get_args

import pytest

from pytest_noblock.model import units
from pytest_noblock.model.limits import Limits
from pytest_noblock.plugin import markers, settings
from pytest_noblock.plugin.settings import Settings

Scope = Literal["function", "module", "session"]


class Option:
    """One option: its ini name is `noblock_<name>`, its command line name `--noblock-<name>`."""

    def __init__(  # noqa: PLR0913  # no named tuple: every pytest run would pay half a millisecond for it
        self,
        name: str,
        help: str,  # noqa: A002  # pytest's and argparse's word for it
        default: str = "",
        *,
        value: str = "",
        repeatable: bool = False,
        marker: str = "",
        choices: tuple[str, ...] = (),
        ini_only: bool = False,
        read: settings.Reader | None = None,
    ) -> None:
        """`name` is empty for the option that is called just `noblock`.

        The README shows `help` and `default` as they are, `--help` without backticks and links. An empty `default`: the
        option has no value unless somebody gives one. `value`: how a value looks on the command line; an option with
        neither `value` nor `choices` is a switch. An option with `choices` stands in the ini file only. `marker`: how
        the noblock marker gives it. `read` puts a value into the settings of a test; without `read` the option holds
        for the whole run.
        """
        self.name = name
        self.help = help
        self.default = default
        self.value = value
        self.repeatable = repeatable
        self.marker = marker
        self.choices = choices
        self.ini_only = ini_only or bool(choices)
        self.read = read

    @property
    def ini(self) -> str:
        return f"noblock_{self.name}" if self.name else "noblock"

    @property
    def cli(self) -> str:
        """The name on the command line; empty where the option stands in the ini file only."""
        return "" if self.ini_only else f"--{self.ini.replace('_', '-')}"


OPTIONS = (
    Option("", "watch the requests of every test", "off", marker="the marker itself"),
    Option(
        "app",
        "the app, or a factory; else the `noblock_app` fixture, else one named `app`",
        value="pkg.mod:app",
        marker="app=",
        read=settings.read_app,
    ),
    Option(
        "max_block",
        "longest the loop may be held in one go",
        units.words(Limits().max_block),
        value="50ms",
        marker="max_block=",
        read=settings.read_max_block,
    ),
    Option(
        "probe",
        "probe paths besides the built-in ones",
        value="/health",
        repeatable=True,
        marker="probe=",
        read=settings.read_probe,
    ),
    Option("action", "`fail` or `warn`", "`fail`", value="fail|warn", marker="action=", read=settings.read_action),
    Option("report", "write a [JSON report](pytest_noblock/report/schema.json)", value="FILE.json", repeatable=True),
    Option(
        "scope",
        "how long the fixture keeps an app running: `function`, `module`, `session`",
        "`function`",
        choices=get_args(Scope),
    ),
    Option(
        "lifespan",
        "`fail`: judge the app's start and stop as well",
        "`note`",
        choices=("note", "fail"),
        read=settings.read_lifespan,
    ),
    Option(
        "known_calls",
        "`fail`: a known blocking call is red also where a mock answers it",
        "`note`",
        choices=("note", "fail"),
        read=settings.read_known_calls,
    ),
    Option(
        "linger",
        "how long after its end a request's own detached work is waited for",
        "1 s",
        ini_only=True,
        read=settings.read_linger,
    ),
    Option(
        "meter",
        "`auto`, `full`, `portable`: the rules to measure by",
        "`auto`",
        choices=("auto", "full", "portable"),
    ),
)

_ROWS = {option.name: option for option in OPTIONS}

_OF_RUN = pytest.StashKey[Settings]()


def add_options(parser: pytest.Parser) -> None:
    """Adds the options to pytest. Each command line option has an ini twin, which holds where the option is absent."""
    group = parser.getgroup("noblock", "assert that ASGI endpoints do not block the event loop")
    for option in OPTIONS:
        if option.cli:
            group.addoption(option.cli, help=plain_help(option), **_of_command_line(option))
        _add_ini(parser, option)
    parser.addini("verbosity_noblock", "verbosity of noblock's failure reports", default="auto")


def plain_help(option: Option) -> str:
    """The option's help and default, as a terminal shows them."""
    text = option.help.replace("[", "").partition("](")[0].replace("`", "")
    return f"{text} ({option.default.strip('`')})" if option.default else text


def _of_command_line(option: Option) -> dict[str, str | None]:
    if not option.value:
        return {"action": "store_true", "default": None}
    return {"metavar": option.value, "action": "append" if option.repeatable else "store"}


def _add_ini(parser: pytest.Parser, option: Option) -> None:
    if not option.name:
        parser.addini(option.ini, plain_help(option), type="bool", default=False)
    elif option.choices:
        parser.addini(option.ini, plain_help(option), default=option.default.strip("`"))
    else:
        kind: Literal["args", "string"] = "args" if option.repeatable else "string"
        parser.addini(option.ini, plain_help(option), type=kind)


def value_of(config: pytest.Config, name: str) -> object:
    """The command line's value, else the ini's; None where neither says anything."""
    option = _ROWS[name]
    given = config.getoption(option.ini) if option.cli else None
    return given if given is not None else config.getini(option.ini) or None


def watches_all(config: pytest.Config) -> bool:
    """Whether the requests of every test are watched."""
    return bool(value_of(config, ""))


def reports(config: pytest.Config) -> list[str]:
    """The files that reports are written to, as given."""
    return cast("list[str]", value_of(config, "report") or [])


def asked_for(config: pytest.Config) -> bool:
    """Whether any option says that noblock is wanted in this run."""
    return any(value_of(config, option.name) for option in OPTIONS if option.cli)


def debugs() -> bool:
    """Whether the environment asks for the readings behind each finding."""
    return os.environ.get("NOBLOCK_DEBUG", "") not in ("", "0")


def of_run(config: pytest.Config) -> Settings:
    """What holds for a test without markers of ours. Raises UsageError."""
    known = config.stash.get(_OF_RUN, None)
    if known is None:
        given = {option.name: value_of(config, option.name) for option in OPTIONS if option.read}
        known = config.stash[_OF_RUN] = _with(Settings(), given, "the noblock options")
    return known


def settings_of(config: pytest.Config, ours: markers.Marked) -> Settings:
    """What holds for a test with these markers. Raises UsageError for a mistake in a marker or an option."""
    general = of_run(config)
    if not ours.marks:
        return general
    merged: dict[str, object] = {}
    for given in reversed(ours.named("noblock")):  # the closest wins
        merged |= given
    return _with(general, merged, ours.where) if merged else general


def _with(general: Settings, given: Mapping[str, object], where: str) -> Settings:
    """The settings with the given values; None leaves one as it is. `where` begins the message. Raises UsageError."""
    for name, value in given.items():
        read = _ROWS[name].read
        if value is not None and read is not None:
            try:
                general = read(general, value)
            except ValueError as error:
                raise pytest.UsageError(f"{where}: {name}: {error}") from None
    return general


def validate_options(config: pytest.Config) -> None:
    """Raises UsageError, before anything runs."""
    of_run(config)
    for option in OPTIONS:
        value = config.getini(option.ini)
        if option.choices and value not in option.choices:
            raise pytest.UsageError(f"{option.ini}: {value!r} is not one of {', '.join(option.choices)}")
    for file in reports(config):
        _validate_report(file)


def _validate_report(file: str) -> None:
    from pytest_noblock.report.formats import REPORT_SUFFIXES

    if not file.endswith(REPORT_SUFFIXES):
        raise pytest.UsageError(
            f"--noblock-report: the format of {file!r} is not known: its name must end in "
            f"{' or '.join(REPORT_SUFFIXES)}"
        )


def validate_markers(item: pytest.Item) -> None:
    """Before any test runs. Raises UsageError."""
    ours = markers.marked(item)
    if ours.marks:
        settings_of(item.config, ours)
        markers.allowances(ours)
        markers.background_names(ours)


def scope_of(fixture_name: str, config: pytest.Config) -> Scope:  # noqa: ARG001  # pytest's signature
    """The scope of the fixture that keeps apps running; pytest calls this when it meets the fixture."""
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
