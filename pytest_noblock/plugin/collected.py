"""What the tests of a run attached, as far as they have ended: their records, and the whole checks that came along."""

import json
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING

from pytest_noblock.plugin.attached import RECORD, UNUSED, Carried, carried_by
from pytest_noblock.plugin.options import SWEPT

if TYPE_CHECKING:
    import pytest

    from pytest_noblock.model.check import Check
    from pytest_noblock.model.observation import Meter
    from pytest_noblock.report.json_v1 import Record


class Collected:
    """The records of all tests. `limit`: max_block of the run in ns. Ask for `by_test` and `seen` at the end alone."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.texts: dict[str, Sequence[str]] = {}
        """The records of each test as they came, in JSON. A tuple of texts is none of the collector's; a list is."""
        self.unused: dict[str, list[str]] = {}
        """Of each test: the reasons of the allowances that nothing needed."""
        self.loops: set[str] = set()
        """The event loops that ran the requests; known where whole checks are carried."""
        self._carried: dict[str, Carried] = {}

    def __bool__(self) -> bool:
        return bool(self.texts)

    def keep(self, report: "pytest.TestReport") -> bool:
        """Keeps the records of a test that has ended. Returns whether it attached anything else."""
        texts = tuple(str(value) for name, value in report.user_properties if name == RECORD)
        if texts:
            self.texts[report.nodeid] = texts
        return len(texts) != len(report.user_properties)  # most tests have records, and nothing else

    def keep_unused(self, report: "pytest.TestReport") -> None:
        """Keeps the allowances that nothing needed."""
        unused = [str(value) for name, value in report.user_properties if name == UNUSED]
        if unused:
            self.unused[report.nodeid] = unused

    def keep_carried(self, report: "pytest.TestReport") -> None:
        """Keeps the whole checks that were carried."""
        self._carried[report.nodeid] = carried_by(report)
        self.loops |= self._carried[report.nodeid].loops

    def of(self, test: str, *, and_before: bool) -> Sequence[str]:
        """The texts of a test's records; `and_before`: those of all tests."""
        return list(chain.from_iterable(self.texts.values())) if and_before else self.texts[test]

    @cached_property
    def by_test(self) -> "dict[str, list[Record]]":
        """The records of each test, sorted by its node id; parsed in one go, which costs less than one by one."""
        tests = sorted(self.texts.items())
        found: dict[str, list[Record]] = json.loads(
            "{" + ",".join(f"{json.dumps(test)}:[{','.join(texts)}]" for test, texts in tests) + "}"
        )
        return found

    @cached_property
    def seen(self) -> set[str]:
        """The tests in which a request was measured: of some only the app's start and stop are on record."""
        if not self.texts:
            return set()
        from pytest_noblock.model.observation import LIFESPAN, NO_REQUEST

        def measured(record: "Record") -> bool:
            said_nothing = record["outcome"] in ("inconclusive", "not-exercised")
            return record["request"] not in (LIFESPAN, NO_REQUEST) and not said_nothing

        return {test for test, records in self.by_test.items() if any(map(measured, records))}

    def of_tests(self) -> "dict[str, list[Record]]":
        """The records of all tests but a sweep's items."""
        return {test: records for test, records in self.by_test.items() if not test.startswith(SWEPT)}

    def swept(self, meter: "Meter") -> "list[Check]":
        """The checks of a sweep's items, as far as they have ended."""
        from pytest_noblock.report.from_json import check_of

        texts = (json.loads(text) for test, kept in self.texts.items() if test.startswith(SWEPT) for text in kept)
        return [check_of(record, self._limit, meter) for record in texts]

    def checks(self, meter: "Meter") -> "Iterator[Check]":
        """All checks: whole where the Carrier brought them, else made of the record, which then says all."""
        from pytest_noblock.report.from_json import check_of
        from pytest_noblock.report.wire import decode

        for test, records in self.by_test.items():
            carried = self._carried[test].checks if test in self._carried else {}
            for place, record in enumerate(records):
                yield decode(carried[place]) if place in carried else check_of(record, self._limit, meter)
