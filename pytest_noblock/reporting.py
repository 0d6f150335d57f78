"""The way of the records: from the test that made them to the files, across xdist's processes."""

import json
from typing import TYPE_CHECKING
from collections.abc import Callable
from pathlib import Path

import pytest

if TYPE_CHECKING:
    from pytest_noblock.report.record import Record

_PROPERTY = "noblock"


def attach(item: pytest.Item, record: "Record") -> None:
    """User properties travel to the controller under xdist and into JUnit's XML."""
    item.user_properties.append((_PROPERTY, json.dumps(record)))


def forget(item: pytest.Item) -> None:
    """A test that is run again starts anew."""
    item.user_properties[:] = [each for each in item.user_properties if each[0] != _PROPERTY]


class Reporter:
    """What the tests of the whole run left behind; registered only in the process that prints."""

    def __init__(self, files: list[str], folder: Path, environment: "Callable[[], Record]") -> None:
        self._files = files
        self._folder = folder
        self._environment = environment
        self._by_test: "dict[str, list[Record]]" = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """The last phase carries everything that the test attached."""
        mine = [json.loads(str(value)) for name, value in report.user_properties if name == _PROPERTY]
        if report.when == "teardown" and mine:
            self._by_test[report.nodeid] = mine

    def pytest_sessionfinish(self) -> None:
        if self._files:
            from pytest_noblock.report.record import document

            text = json.dumps(document(self._environment(), self.records()), indent=2) + "\n"
            for file in self._files:
                path = self._folder / file
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")

    def records(self) -> "list[Record]":
        """In the order of the tests' ids: the same whichever worker was first."""
        return [record for _test, records in sorted(self._by_test.items()) for record in records]
