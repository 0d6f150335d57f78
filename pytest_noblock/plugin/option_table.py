"""The table of the options: the command line, the ini file, `--help` and the README's table are made of it."""

from typing import Literal, get_args

from pytest_noblock.model import units
from pytest_noblock.model.limits import Limits
from pytest_noblock.plugin import settings

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
        cli_only: bool = False,
        lines: bool = False,
        of_sweep: bool = False,
        read: settings.Reader | None = None,
    ) -> None:
        """`name` is empty for the option that is called just `noblock`.

        The README shows `help` and `default` as they are, `--help` without backticks and links. An empty `default`: the
        option has no value unless somebody gives one. `value`: how a value looks on the command line; an option with
        neither `value` nor `choices` is a switch. An option with `choices` stands in the ini file only. `marker`: how
        the noblock marker gives it. `cli_only`: the ini file does not know it; its value may be left out. `lines`: the
        ini file gives one value a line, which may have blanks in it. `of_sweep`: without a sweep it says nothing, and
        asks for nothing. `read` puts a value into the settings of a test; without `read` the option holds
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
        self.cli_only = cli_only
        self.lines = lines
        self.of_sweep = of_sweep
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
        "sweep",
        "one test item for every route of the app, no test code; without a value the app is `noblock_app`'s",
        value="pkg.mod:app",
        cli_only=True,
    ),
    Option("methods", "what the sweep sends", "GET,HEAD", value="GET,POST", of_sweep=True),
    Option("include", "the sweep's routes, by their paths", "all", value="GLOB", repeatable=True, of_sweep=True),
    Option("exclude", "routes that the sweep leaves out", value="GLOB", repeatable=True, of_sweep=True),
    Option(
        "param",
        "a value for the sweep's requests; `$NAME` is read from the environment",
        value="user_id=1",
        repeatable=True,
        lines=True,
        of_sweep=True,
    ),
    Option(
        "header",
        "a header of the sweep's requests; `$NAME` is read from the environment, and never printed",
        value="Authorization: Bearer $TOKEN",
        repeatable=True,
        lines=True,
        of_sweep=True,
    ),
    Option(
        "require",
        "share of the app's routes that a sweep, or watched tests, must have measured",
        "at least one, of a sweep",
        value="80%",
        of_sweep=True,
    ),
    Option(
        "openapi",
        "the OpenAPI document of the app that the sweep is of, where the app is neither FastAPI nor Starlette",
        value="FILE or path",
        of_sweep=True,
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
        "max_total",
        "longest that one request may hold the loop in all",
        value="200ms",
        marker="max_total=",
        read=settings.read_max_total,
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
    Option(
        "report",
        "write a report: `.json`, `.html`, `.sarif`, `.md`, `.gitlab.json` or `.trace.json`, by the name's end",
        value="FILE",
        repeatable=True,
    ),
    Option("baseline", "a file of known findings: only new ones fail", value="FILE"),
    Option(
        "update_baseline",
        "put new findings into the baseline, take fixed ones out; refused where `CI` is set",
        cli_only=True,
    ),
    Option(
        "scope",
        "how long the fixtures keep an app running: `function`, `module`, `session`",
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
        "how long what a request left behind is waited for",
        "1 s",
        ini_only=True,
        read=settings.read_linger,
    ),
    Option(
        "loop",
        "what the fixture runs the app on: `asyncio`, `uvloop`, `trio`; a watched test has its own loop",
        "`asyncio`",
        choices=("asyncio", "uvloop", "trio"),
    ),
    Option(
        "meter",
        "`auto`, `full`, `portable`: the rules to measure by",
        "`auto`",
        choices=("auto", "full", "portable"),
    ),
)


SEES = (
    ("sync-network, sync-io, cpu", "fixture, watched, sweep"),
    ("loop-total", "fixture, watched, sweep; where there is a max_total"),
    ("gil", "fixture, sweep; watched on the full meter"),
    ("pool-starved", "fixture, sweep; watched where the test's own requests fill the pool"),
    ("contention", "fixture, with a probe"),
    ("background-*", "fixture, watched; where the test asks for its background tasks"),
)
"""Kinds of findings, and what sees them. The README says it at length."""


def what_sees_what() -> str:
    """A few lines for `--help`."""
    width = max(len(kinds) for kinds, _ in SEES)
    head = "  which kind is seen by the noblock fixture, by watched tests (--noblock, the marker), by a sweep:"
    return "\n".join([head, *(f"    {kinds:<{width}}  {where}" for kinds, where in SEES)])


def plain_help(option: Option) -> str:
    """The option's help and default, as a terminal shows them."""
    text = option.help.replace("[", "").partition("](")[0].replace("`", "")
    return f"{text} ({option.default.strip('`')})" if option.default else text
