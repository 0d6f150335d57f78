"""The rules of the meter, and the head of a run and of its reports, with a config of straw."""

from types import SimpleNamespace

import pytest

from pytest_noblock.engine import selfcheck
from pytest_noblock.plugin.head import Head


@pytest.fixture
def head(monkeypatch, tmp_path):
    """The head of a run whose ini says this of the meter, on a machine that lacks these readings."""

    def head(wanted="auto", missing=""):
        kind = "portable" if missing else "full"
        monkeypatch.setattr(selfcheck, "meter_of_this_machine", lambda: (kind, missing))
        ini = {"noblock_meter": wanted, "noblock_loop": "asyncio"}
        return Head(SimpleNamespace(getini=ini.__getitem__, rootpath=tmp_path))

    return head


@pytest.mark.parametrize(
    ("wanted", "missing", "meter"),
    [
        ("auto", "", ("full", "")),
        ("full", "", ("full", "")),
        ("auto", "a sleep", ("portable", "a sleep")),
        ("portable", "", ("portable", "noblock_meter = portable")),
        ("portable", "a sleep", ("portable", "noblock_meter = portable")),
    ],
)
def test_the_meter_is_what_is_wanted_and_what_the_machine_has(head, wanted, missing, meter):
    assert head(wanted, missing).meter == meter


def test_a_meter_that_the_machine_has_not_got_cannot_be_insisted_on(head):
    with pytest.raises(pytest.UsageError, match="noblock_meter = full, but this machine does not show a sleep"):
        _ = head("full", "a sleep").meter


def test_the_machine_is_asked_once(head, monkeypatch):
    one = head()
    assert one.meter == ("full", "")
    monkeypatch.setattr(selfcheck, "meter_of_this_machine", lambda: pytest.fail("asked again"))
    assert one.lines() == ["noblock: full meter (the app's own sleep, CPU and network, not the machine's load)"]


def test_the_header_says_what_is_not_seen(head):
    assert head(missing="a sleep").lines() == ["noblock: portable rules (not seen here: a sleep; `gil` is not judged)"]


@pytest.mark.parametrize(
    ("loops", "told"),
    [
        ([], "asyncio"),
        (["trio"], "trio"),
        (["uvloop", "asyncio", "uvloop"], "asyncio,uvloop"),
    ],
)
def test_the_environment_names_the_loops_that_ran_in_order(head, loops, told):
    environment = head().environment(iter(loops))
    assert environment["loop"] == told
    assert environment.keys() == {"python", "platform", "meter", "loop", "version", "root", "folder"}
