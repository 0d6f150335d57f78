"""What a test attaches to itself: a JSON record of each check, allowances that nothing needed, faults of ours.

They lie in the user properties of the test, and travel to the controller under xdist. Where a report was asked for, the
`Carrier` sends the whole checks as well, on the report of the test's teardown.
"""

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, cast

import pytest

from pytest_noblock.plugin import faults
from pytest_noblock.plugin.faults import GUARD
from pytest_noblock.plugin.unseen import UNSEEN, UNWATCHED

if TYPE_CHECKING:
    from collections.abc import Generator

    from pytest_noblock.model.check import Check

RECORD = "noblock"
"""The name of a property with the record of a check."""
UNUSED = "noblock-unused-allowance"
"""The name of a property with the reason of an allowance that nothing needed."""

_OURS = {RECORD, UNUSED, UNSEEN, UNWATCHED, faults.RED, faults.ACCEPTED}

CARRIER = "noblock-carrier"
"""The name under which pytest knows the Carrier of this process."""

_ATTRIBUTE = "noblock_carried"
"""The attribute of a TestReport with what is carried. xdist sends all attributes of simple types."""


def attach(item: pytest.Item, record: str) -> tuple[str, str]:
    """Attaches a record to the test; user properties travel to the controller under xdist and into JUnit's XML."""
    attached = (RECORD, record)
    item.user_properties.append(attached)
    return attached


def attach_unused(item: pytest.Item, reasons: list[str]) -> None:
    """Attaches the allowances that no finding of the test needed."""
    item.user_properties.extend((UNUSED, reason) for reason in reasons)


def replace(item: pytest.Item, attached: tuple[str, str], record: str) -> tuple[str, str]:
    """Puts another record in the place of one that `attach` returned."""
    places = [place for place, each in enumerate(item.user_properties) if each is attached]
    if not places:  # somebody else took it away
        return attached
    new = (RECORD, record)
    item.user_properties[places[0]] = new
    return new


def attach_faults(item: pytest.Item, *, red: bool) -> None:
    """Attaches our own faults since the last call, if there are any. `red`: whether the run is red for them."""
    for sentence in faults.taken():
        item.user_properties.append((faults.RED if red else faults.ACCEPTED, sentence))
        with GUARD:  # it may be that nothing can be opened any more, and so nothing imported
            make_inconclusive(item, sentence)


def make_inconclusive(item: pytest.Item, why: str) -> None:
    """The test's requests were not judged, or not in full: none of them stays on record as passed."""
    from pytest_noblock.report.json_v1 import to_json, uneventful

    carrier = carrier_of(item.config)
    attached = [cast("tuple[str, str]", each) for each in item.user_properties if each[0] == RECORD]
    for place, each in enumerate(attached):
        record = json.loads(each[1])
        if record["outcome"] == "passed":
            record |= {"outcome": "inconclusive", "notes": [why, *record["notes"]]}
            replace(item, each, to_json(record))
            if carrier is not None:
                carrier.withdraw(item, place)
    if not attached:
        record = uneventful(item.nodeid, "the test", None, None, 0.0)
        attach(item, to_json({**record, "outcome": "inconclusive", "notes": [why]}))


def forget(item: pytest.Item) -> None:
    """Before a test is run again: removes what its last run attached."""
    if item.user_properties:
        item.user_properties[:] = [each for each in item.user_properties if each[0] not in _OURS]


def carrier_of(config: pytest.Config) -> "Carrier | None":
    """The Carrier of this process; None where no report was asked for."""
    carrier: Carrier | None = config.pluginmanager.get_plugin(CARRIER)
    return carrier


class Carried:
    """What the report of one test carries besides its records."""

    def __init__(self, checks: Iterable[tuple[int, str]] = (), loops: Iterable[str] = ()) -> None:
        self.checks = dict(checks)
        """Whole checks as `report.wire` writes them, by the index of their records; uneventful checks are left out."""
        self.loops = set(loops)
        """The event loops that ran the test's requests."""


class Carrier:
    """Sends whole checks to the process that writes the reports; registered where a report was asked for."""

    def __init__(self) -> None:
        self._of: dict[str, Carried] = {}
        """By the test's node id; an entry goes when the test's teardown is over."""

    def add(self, item: pytest.Item, attached: tuple[str, str], check: "Check") -> None:
        """Keeps the check for the report of the test's teardown. `attached`: what `attach` returned for its record."""
        from pytest_noblock.report.wire import encode

        records = [each for each in item.user_properties if each[0] == RECORD]
        places = [place for place, each in enumerate(records) if each is attached]
        self._carried(item).checks.update((place, encode(check)) for place in places)
        self.add_loops(item, check.loop)

    def add_loops(self, item: pytest.Item, loops: str) -> None:
        """Keeps the event loops that ran. `loops`: names joined by commas, as in `Observation.loop`."""
        self._carried(item).loops.update(loop.strip() for loop in loops.split(",") if loop)

    def withdraw(self, item: pytest.Item, place: int) -> None:
        """The record at this place says more than the whole check."""
        self._carried(item).checks.pop(place, None)

    def _carried(self, item: pytest.Item) -> Carried:
        return self._of.setdefault(item.nodeid, Carried())

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> "Generator[None, pytest.TestReport, pytest.TestReport]":
        report = yield
        carried = self._of.pop(item.nodeid, None) if call.when == "teardown" else None
        if carried is not None:
            setattr(report, _ATTRIBUTE, [sorted(carried.checks.items()), sorted(carried.loops)])
        return report


def carried_by(report: pytest.TestReport) -> Carried:
    """What the Carrier put on the report of a test's teardown."""
    checks, loops = getattr(report, _ATTRIBUTE, ((), ()))
    return Carried(checks, loops)
