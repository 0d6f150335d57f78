"""Markers, command line and ini to one set of settings, with pytest's own parser."""

import pytest

from pytest_noblock.model.limits import Limits
from pytest_noblock.plugin.markers import marked
from pytest_noblock.plugin.options import Settings, asked_for, option, settings_of

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
        ({"ini": "noblock_known_calls = fail"}, Settings(limits=Limits(known_calls=False))),
        ({"ini": "noblock_known_calls = note"}, Settings()),
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


def test_channels_add_up(settings):
    both = settings("@pytest.mark.noblock(probe='/a')", "--noblock-max-block=7ms", ini="noblock_action = warn")
    assert both == Settings(limits=Limits(7 * MS), probes=("/a",), action="warn")


def test_a_marker_argument_of_none_says_nothing(settings):
    """So that a parametrised or shared marker may leave something open."""
    assert settings("@pytest.mark.noblock(max_block=None)", "--noblock-max-block=7ms") == Settings(
        limits=Limits(7 * MS)
    )


@pytest.mark.parametrize(
    ("options", "asked"),
    [([], False), (["--noblock-app=m:a"], True), (["--noblock-max-block=1ms"], True), (["--noblock"], True)],
)
def test_the_run_asks_when_an_option_does(pytester, options, asked):
    assert asked_for(pytester.parseconfigure(*options)) is asked


def test_an_option_without_a_value_anywhere_is_none(pytester):
    assert option(pytester.parseconfigure(), "max_block") is None
