"""Markers, command line and ini to one set of settings, with pytest's own parser."""

import inspect
import re
from pathlib import Path
from typing import get_args

import pytest

from pytest_noblock.model import units
from pytest_noblock.model.kinds import Kind
from pytest_noblock.model.limits import Limits
from pytest_noblock.plugin.markers import marked, noblock
from pytest_noblock.plugin.option_table import SEES, what_sees_what
from pytest_noblock.plugin.options import OPTIONS, asked_for, debugs, plain_help, settings_of, value_of
from pytest_noblock.plugin.settings import Settings

README = Path(__file__).parents[2] / "README.md"

MS = 1_000_000


@pytest.fixture
def settings(pytester):
    """What holds for a test with this marker, these options and this ini file."""

    def settings(mark: str = "", *options: str, ini: str = "") -> Settings:
        pytester.makeini(f"[pytest]\n{ini}")
        items, _hooks = pytester.inline_genitems(
            pytester.makepyfile(f"import pytest\n{mark}\ndef test_it(): pass"), *options
        )
        return settings_of(items[0].config, marked(items[0]))

    return settings


def test_the_defaults(settings):
    assert settings() == Settings(limits=Limits(50 * MS), probes=(), app=None, action="fail")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"mark": "@pytest.mark.noblock(max_block='7 ms')"}, Settings(limits=Limits(7 * MS))),
        ({"options": ["--noblock-max-block=7ms"]}, Settings(limits=Limits(7 * MS))),
        ({"ini": "noblock_max_block = 7 ms"}, Settings(limits=Limits(7 * MS))),
        ({"ini": "noblock_linger = 2 s"}, Settings(limits=Limits(linger=2000 * MS))),
        ({"ini": "noblock_known_calls = fail"}, Settings(mocked_calls_fail=True)),
        ({"ini": "noblock_known_calls = note"}, Settings()),
        ({"ini": "noblock_lifespan = fail"}, Settings(lifespan_fails=True)),
        ({"ini": "noblock_lifespan = note"}, Settings()),
        ({"mark": "@pytest.mark.noblock(probe='/a')"}, Settings(probes=("/a",))),
        ({"mark": "@pytest.mark.noblock(probe=['/a', '/b'])"}, Settings(probes=("/a", "/b"))),
        ({"options": ["--noblock-probe=/a", "--noblock-probe=/b"]}, Settings(probes=("/a", "/b"))),
        ({"ini": "noblock_probe = /a /b"}, Settings(probes=("/a", "/b"))),
        ({"mark": "@pytest.mark.noblock(app='m:a')"}, Settings(app="m:a")),
        ({"options": ["--noblock-app=m:a"]}, Settings(app="m:a")),
        ({"ini": "noblock_app = m:a"}, Settings(app="m:a")),
        ({"mark": "@pytest.mark.noblock(action='warn')"}, Settings(action="warn")),
        ({"options": ["--noblock-action=warn"]}, Settings(action="warn")),
        ({"ini": "noblock_action = warn"}, Settings(action="warn")),
        ({"mark": "@pytest.mark.noblock(action='fail')", "options": ["--noblock-action=warn"]}, Settings()),
        ({"options": ["--noblock-action=fail"], "ini": "noblock_action = warn"}, Settings()),
    ],
)
def test_each_channel(settings, given, expected):
    assert settings(given.get("mark", ""), *given.get("options", []), ini=given.get("ini", "")) == expected


@pytest.mark.one_python
def test_channels_add_up(settings):
    both = settings("@pytest.mark.noblock(probe='/a')", "--noblock-max-block=7ms", ini="noblock_action = warn")
    assert both == Settings(limits=Limits(7 * MS), probes=("/a",), action="warn")


@pytest.mark.one_python
def test_a_marker_argument_of_none_says_nothing(settings):
    """So that a parametrised or shared marker may leave something open."""
    assert settings("@pytest.mark.noblock(max_block=None)", "--noblock-max-block=7ms") == Settings(
        limits=Limits(7 * MS)
    )


@pytest.mark.one_python
@pytest.mark.parametrize(
    ("options", "asked"),
    [([], False), (["--noblock-app=m:a"], True), (["--noblock-max-block=1ms"], True), (["--noblock"], True)],
)
def test_the_run_asks_when_an_option_does(pytester, options, asked):
    assert asked_for(pytester.parseconfigure(*options)) is asked


@pytest.mark.one_python
def test_an_option_without_a_value_anywhere_is_none(pytester):
    assert value_of(pytester.parseconfigure(), "max_block") is None


def rows_of_the_readme():
    """The table of the README's chapter on settings, cell by cell."""
    chapter = README.read_text(encoding="utf-8").partition("## Settings\n")[2].partition("\n## ")[0]
    lines = [line for line in chapter.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines[2:]]


def row(option):
    """What the README says of an option of the table."""
    value = f"={option.value}".replace("|", r"\|") if option.value else ""
    marker = f"`{option.marker}`" if option.marker.endswith("=") else option.marker
    default = f" ({option.default})" if option.default else ""
    ini = "" if option.cli_only else f"`{option.ini}`"
    return [f"`{option.cli}{value}`" if option.cli else "", ini, marker, f"{option.help}{default}"]


@pytest.mark.one_python
def test_the_readme_has_a_row_for_each_option_and_says_what_the_table_does():
    assert rows_of_the_readme() == [row(option) for option in OPTIONS]


def test_help_has_every_option_and_says_what_the_table_does(pytester):
    words = " ".join(pytester.runpytest("--help").stdout.str().split())
    for option in OPTIONS:
        assert plain_help(option) in words
        assert option.cli_only or option.ini in words
        assert option.cli in words
        assert "`" not in plain_help(option)
        assert "](" not in plain_help(option)


@pytest.mark.one_python
def test_help_says_what_sees_each_kind(pytester):
    text = pytester.runpytest("--help").stdout.str()
    assert what_sees_what() in text
    named = [kind.strip() for kinds, _ in SEES for kind in kinds.split(",")]
    assert len(named) == len(set(named))
    for kind in get_args(Kind):
        assert kind in named or f"{kind.partition('-')[0]}-*" in named


@pytest.mark.one_python
def test_no_option_is_offered_that_is_not_in_the_table(pytester):
    text = pytester.runpytest("--help").stdout.str()
    ours = {option.cli for option in OPTIONS} | {option.ini for option in OPTIONS} - {""}
    offered = set(re.findall(r"(?<![\w-])(?:--noblock|noblock_)[\w-]*", text))
    assert offered <= ours


@pytest.mark.one_python
def test_the_marker_takes_what_the_table_says():
    taken = [f"{name}=" for name in inspect.signature(noblock).parameters]
    assert sorted(taken) == sorted(option.marker for option in OPTIONS if option.marker.endswith("="))


@pytest.mark.one_python
def test_the_default_of_a_limit_stands_in_one_place():
    defaults = {option.name: option.default for option in OPTIONS}
    assert units.parse(defaults["max_block"]) == Limits().max_block
    assert units.parse(defaults["linger"]) == Limits().linger


@pytest.mark.one_python
@pytest.mark.parametrize("option", [option for option in OPTIONS if option.choices], ids=lambda option: option.name)
def test_an_option_of_the_ini_file_has_a_default_that_it_may_have(pytester, option):
    assert pytester.parseconfigure().getini(option.ini) == option.default.strip("`")
    assert option.default.strip("`") in option.choices


@pytest.mark.one_python
@pytest.mark.parametrize(("value", "asks"), [("1", True), ("yes", True), ("0", False), ("", False), (None, False)])
def test_the_environment_asks_for_the_readings(monkeypatch, value, asks):
    monkeypatch.delenv("NOBLOCK_DEBUG", raising=False)
    if value is not None:
        monkeypatch.setenv("NOBLOCK_DEBUG", value)
    assert debugs() is asks
