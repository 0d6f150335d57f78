"""What a session knows before and after its tests, with a config of straw."""

from types import SimpleNamespace

import pytest

from pytest_noblock.engine import selfcheck
from pytest_noblock.plugin import options
from pytest_noblock.plugin.attached import Carrier
from pytest_noblock.plugin.session import Session


@pytest.fixture
def session(monkeypatch, tmp_path):
    """A session whose ini says this of the meter, on a machine that lacks these readings."""

    def session(wanted="auto", missing="", reports=()):
        kind = "portable" if missing else "full"
        monkeypatch.setattr(selfcheck, "meter_of_this_machine", lambda: (kind, missing))
        monkeypatch.setattr(options, "reports", lambda config: list(reports))
        ini = {"noblock_meter": wanted, "noblock_loop": "asyncio"}
        return Session(SimpleNamespace(getini=ini.__getitem__, rootpath=tmp_path))

    return session


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
def test_the_meter_is_what_is_wanted_and_what_the_machine_has(session, wanted, missing, meter):
    assert session(wanted, missing).meter == meter


def test_a_meter_that_the_machine_has_not_got_cannot_be_insisted_on(session):
    with pytest.raises(pytest.UsageError, match="noblock_meter = full, but this machine does not show a sleep"):
        _ = session("full", "a sleep").meter


def test_the_machine_is_asked_once(session, monkeypatch):
    one = session()
    assert one.meter == ("full", "")
    monkeypatch.setattr(selfcheck, "meter_of_this_machine", lambda: pytest.fail("asked again"))
    assert one.header() == ["noblock: full meter (the app's own sleep, CPU and network, not the machine's load)"]


def test_the_header_says_what_is_not_seen(session):
    assert session(missing="a sleep").header() == [
        "noblock: portable rules (not seen here: a sleep; `gil` is not judged)"
    ]


@pytest.mark.parametrize(
    ("loops", "told"),
    [
        ([], "asyncio"),
        (["trio"], "trio"),
        (["uvloop", "asyncio", "uvloop"], "asyncio,uvloop"),
    ],
)
def test_the_environment_names_the_loops_that_ran_in_order(session, loops, told):
    environment = session().environment(iter(loops))
    assert environment["loop"] == told
    assert environment.keys() == {"python", "platform", "meter", "loop", "version", "root", "folder"}


@pytest.mark.parametrize(("reports", "carries"), [([], False), (["r.json"], True)])
def test_whole_checks_are_carried_only_to_a_report(session, reports, carries):
    assert isinstance(session(reports=reports).carrier(), Carrier) is carries
