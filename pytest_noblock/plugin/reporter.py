"""The way of the records: from the test that made them to the files, across xdist's processes."""

import json
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_noblock.report.wire import Record

_PROPERTY = "noblock"
_UNUSED = "noblock-unused-allowance"


def attach(item: pytest.Item, record: str) -> None:
    """One in JSON: user properties travel to the controller under xdist and into JUnit's XML."""
    item.user_properties.append((_PROPERTY, record))


def attach_unused(item: pytest.Item, reasons: list[str]) -> None:
    """Allowances that no finding of the test needed."""
    item.user_properties.extend((_UNUSED, reason) for reason in reasons)


def forget(item: pytest.Item) -> None:
    """A test that is run again starts anew."""
    if item.user_properties:
        item.user_properties[:] = [each for each in item.user_properties if each[0] not in (_PROPERTY, _UNUSED)]


class Reporter:
    """What the tests of the whole run left behind; registered only in the process that prints."""

    def __init__(self, files: list[Path], environment: "Callable[[], Record]", *, must_watch: bool) -> None:
        self._files = files
        self._environment = environment
        self._must_watch = must_watch
        self._texts: dict[str, list[str]] = {}
        """Of each test the records, as they came."""
        self._unused: dict[str, list[str]] = {}
        self._unwritten = ""
        self._vacuous = False

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """The last phase carries everything that the test attached."""
        if report.when != "teardown":
            return
        for key, kept in ((_PROPERTY, self._texts), (_UNUSED, self._unused)):
            mine = [str(value) for name, value in report.user_properties if name == key]
            if mine:
                kept[report.nodeid] = mine

    @cached_property
    def _by_test(self) -> "dict[str, list[Record]]":
        """Parsed in one go, for most suites only count them."""
        tests = sorted(self._texts.items())
        found: dict[str, list[Record]] = json.loads(
            "{" + ",".join(f"{json.dumps(test)}:[{','.join(texts)}]" for test, texts in tests) + "}"
        )
        return found

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Green, with `--noblock` and nothing watched, would be a lie: as when no test was collected."""
        option = session.config.option
        ran = not (option.collectonly or option.setuponly or option.setupplan)
        self._vacuous = self._must_watch and ran and not self._texts
        if self._vacuous and exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.NO_TESTS_COLLECTED
        try:
            self._write()
        except OSError as error:
            self._unwritten = f"the reports {', '.join(map(str, self._files))} cannot all be written: {error}"
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._unwritten:
            terminalreporter.section("noblock")
            terminalreporter.line(self._unwritten, red=True)
        if not self._texts and not self._vacuous:
            return
        from pytest_noblock.report.summary import summary

        terminalreporter.section("noblock")
        if not self._texts:
            terminalreporter.line("no request was watched: --noblock asserted nothing", red=True)
            return
        for line in summary(self._by_test, self._unused):
            terminalreporter.line(line)

    def _write(self) -> None:
        """Raises OSError."""
        if not self._files:
            return
        from pytest_noblock.report.wire import document

        records = [record for records in self._by_test.values() for record in records]
        text = json.dumps(document(self._environment(), records), indent=2) + "\n"
        for file in self._files:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
