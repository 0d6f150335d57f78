"""What a session gives away before its tests, with a config of straw."""

from types import SimpleNamespace

import pytest

from pytest_noblock.plugin import options
from pytest_noblock.plugin.attached import Carrier
from pytest_noblock.plugin.session import Session


@pytest.mark.parametrize(("reports", "carries"), [([], False), (["r.json"], True)])
def test_whole_checks_are_carried_only_to_a_report(monkeypatch, reports, carries):
    monkeypatch.setattr(options, "reports", lambda config: list(reports))
    assert isinstance(Session(SimpleNamespace()).carrier(), Carrier) is carries
