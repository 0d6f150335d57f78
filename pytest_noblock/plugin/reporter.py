"""The way of the records: from the test that made them to the files and the terminal, across xdist's processes.

The worker attaches each check to its test as one JSON record, in the user properties. Where a report was asked for,
the `Carrier` sends the whole checks as well, on the report of the test's teardown. The `Reporter` reads both.
"""

import json
from collections.abc import Callable, Iterable
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from pytest_noblock.plugin import faults
from pytest_noblock.plugin.faults import GUARD
from pytest_noblock.plugin.options import ROUTES, SWEPT
from pytest_noblock.plugin.unseen import UNSEEN, Unseen

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from pytest_noblock.model.check import Check
    from pytest_noblock.model.observation import Meter
    from pytest_noblock.plugin.sweep_report import SweepReport
    from pytest_noblock.report.growing import GrowingReport
    from pytest_noblock.report.json_v1 import Record
    from pytest_noblock.report.wire import Environment, Run

_PROPERTY = "noblock"
_UNUSED = "noblock-unused-allowance"

_TO_THE_END = (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
"""How a run ends that is not interrupted. One that is interrupted before anything was measured writes no report."""

_OURS = {_PROPERTY, _UNUSED, UNSEEN, faults.RED, faults.ACCEPTED}

REPORTER = "noblock-reporter"
"""The name under which pytest knows the Reporter of a process that prints."""

CARRIER = "noblock-carrier"
"""The name under which pytest knows the Carrier of this process."""

_ATTRIBUTE = "noblock_carried"
"""The attribute of a TestReport with what is carried. xdist sends all attributes of simple types."""


def attach(item: pytest.Item, record: str) -> tuple[str, str]:
    """Attaches a record to the test; user properties travel to the controller under xdist and into JUnit's XML."""
    attached = (_PROPERTY, record)
    item.user_properties.append(attached)
    return attached


def attach_unused(item: pytest.Item, reasons: list[str]) -> None:
    """Attaches the allowances that no finding of the test needed."""
    item.user_properties.extend((_UNUSED, reason) for reason in reasons)


def replace(item: pytest.Item, attached: tuple[str, str], record: str) -> tuple[str, str]:
    """Puts another record in the place of one that `attach` returned."""
    places = [place for place, each in enumerate(item.user_properties) if each is attached]
    if not places:  # somebody else took it away
        return attached
    new = (_PROPERTY, record)
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
    attached = [cast("tuple[str, str]", each) for each in item.user_properties if each[0] == _PROPERTY]
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

        records = [each for each in item.user_properties if each[0] == _PROPERTY]
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


def _is_whole(config: pytest.Config) -> bool:
    """Whether all tests of the files were asked for: in xdist's controller nobody tells what was deselected."""
    part = any("::" in argument for argument in config.args)
    selected = config.option.keyword or config.option.markexpr if config.getoption("numprocesses", None) else None
    return not part and not selected


def _printable(line: str) -> str:
    from pytest_noblock.model.shown import printable  # it may be that nothing can be opened any more

    return printable(line)


def _carried_by(report: pytest.TestReport) -> Carried:
    checks, loops = getattr(report, _ATTRIBUTE, ((), ()))
    return Carried(checks, loops)


def _not_written(file: Path) -> str:
    return f"the report {file} stays as it was" if file.exists() else f"no report {file} is written"


class Reporter:
    """Collects the records of all tests, writes the reports and the summary; registered in the process that prints."""

    def __init__(  # noqa: PLR0913  # what the run is told
        self,
        files: list[Path],
        environment: "Callable[[Iterable[str]], Environment]",
        *,
        limit: int,
        must_watch: bool,
        debug: bool = False,
        warns: bool = False,
        sweep: "SweepReport | None" = None,
    ) -> None:
        """`environment`: makes the head of a report of the loops that ran. `limit`: max_block of the run in ns.

        `must_watch`: a run that watched nothing is not green. `debug`: the summary lists the notes. `warns`:
        whether the run's action is `warn`. `sweep`: None where nothing is swept.
        """
        self._sweep = sweep
        self._files = files
        self._environment = environment
        self._limit = limit
        self._must_watch = must_watch
        self._debug = debug
        self._texts: dict[str, list[str]] = {}
        """The records of each test as they came, in JSON."""
        self._carried: dict[str, Carried] = {}
        self._unused: dict[str, list[str]] = {}
        self._loops: set[str] = set()
        self._ran = False
        """Whether a test has come to its end."""
        self._unwritten: list[str] = []
        self._kept: list[str] = []
        self._vacuous = False
        self._unseen = Unseen(every_test=must_watch)
        self._vain: list[str] = []
        self._faults = faults.Told()
        self._key = faults.ACCEPTED if warns else faults.RED
        self._session: pytest.Session | None = None

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keeps what a test attached: the report of its teardown, the last phase, has all of it."""
        try:
            self._unseen.ended(report)
            if report.when == "teardown":
                self._keep(report)
        except Exception as error:
            if not faults.noted(error):
                raise

    def add(self, test: str, check: "Check", routes: str) -> None:
        """Keeps the check of a sweep's item that did not run. `routes`: see `options.ROUTES`."""
        from pytest_noblock.report.json_v1 import record, to_json

        self._ran = True
        self._texts[test] = [to_json(record(check))]
        if self._sweep is not None:
            self._sweep.keep([(ROUTES, routes)])

    def pytest_deselected(self, items: "Sequence[pytest.Item]") -> None:
        self._unseen.left_out(item.nodeid for item in items)

    def _keep(self, report: pytest.TestReport) -> None:
        self._ran = True
        before = self._texts.get(report.nodeid)
        texts = [str(value) for name, value in report.user_properties if name == _PROPERTY]
        if texts:
            self._texts[report.nodeid] = texts
        if len(texts) != len(report.user_properties):  # most tests have records, and nothing else
            self._keep_others(report)
        if self._files:
            self._carried[report.nodeid] = _carried_by(report)
            self._loops |= self._carried[report.nodeid].loops
            self._grow(report.nodeid, again=before is not None)

    def _keep_others(self, report: pytest.TestReport) -> None:
        unused = [str(value) for name, value in report.user_properties if name == _UNUSED]
        if unused:
            self._unused[report.nodeid] = unused
        self._faults.add(report.nodeid, report.user_properties)
        self._unseen.keep(report.nodeid, report.user_properties)
        if self._sweep is not None:
            self._sweep.keep(report.user_properties)

    @cached_property
    def _growing(self) -> "list[GrowingReport]":
        from pytest_noblock.report.growing import GrowingReport

        return [GrowingReport(file) for file in self._files]

    def _grow(self, test: str, *, again: bool) -> None:
        """Adds the test to the reports at once: the run may be killed. `again`: the test was in them before."""
        if test not in self._texts:
            return
        texts = chain.from_iterable(self._texts.values()) if again else self._texts[test]
        records, environment = list(texts), self._environment(self._loops)
        for each in self._growing:
            if again:
                each.restart()
            each.add(records, environment)

    @cached_property
    def _by_test(self) -> "dict[str, list[Record]]":
        """The records of each test, sorted by its node id; parsed in one go, which costs less than one by one."""
        tests = sorted(self._texts.items())
        found: dict[str, list[Record]] = json.loads(
            "{" + ",".join(f"{json.dumps(test)}:[{','.join(texts)}]" for test, texts in tests) + "}"
        )
        return found

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Writes the reports. With `--noblock` and nothing watched, sets the exit code for "no tests collected"."""
        self._session = session
        with GUARD:
            self._finish(session, exitstatus)
        self._keep_faults("the end of the run")

    def _finish(self, session: pytest.Session, exitstatus: int) -> None:
        option = session.config.option
        ran = not (option.collectonly or option.setuponly or option.setupplan)
        self._vacuous = self._must_watch and ran and not (self._seen or self._faults)
        if ran and self._unseen.asks:
            self._vain = self._unseen.vain(self._seen, whole=_is_whole(session.config))
        if self._vain and exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        if exitstatus == pytest.ExitCode.OK and self._vacuous:
            session.exitstatus = pytest.ExitCode.NO_TESTS_COLLECTED
        if ran:
            self._judge_sweep(session)
        if ran and self._ran and (self._texts or exitstatus in _TO_THE_END):
            self._unwritten = list(self._write()) if self._files else []
        elif exitstatus in (pytest.ExitCode.INTERRUPTED, pytest.ExitCode.NO_TESTS_COLLECTED):
            self._kept = [f"nothing was measured: {_not_written(file)}" for file in self._files]
        if self._unwritten:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _judge_sweep(self, session: pytest.Session) -> None:
        code = self._sweep.judge(self._swept) if self._sweep is not None else pytest.ExitCode.OK
        if session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = code

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """xdist's: a worker has ended. Keeps its faults that belong to no test."""
        for sentence in getattr(node, "workeroutput", {}).get(faults.OF_WORKER, ()):
            self._faults.add("the end of a worker", [(self._key, sentence)])

    def _keep_faults(self, where: str) -> None:
        """Keeps faults of ours that belong to no test; where there are any, the run is not green."""
        self._faults.add(where, [(self._key, sentence) for sentence in faults.taken()])
        if self._session is not None and self._faults.red and self._session.exitstatus == pytest.ExitCode.OK:
            self._session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        with GUARD:
            self._summarize(terminalreporter)
        self._keep_faults("the summary")
        if self._faults:
            terminalreporter.section("noblock failed")
            for line in self._faults.lines():
                terminalreporter.line(line if line.isprintable() else _printable(line), red=self._faults.red)

    def _summarize(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._unwritten or self._kept:
            terminalreporter.section("noblock")
            for line in (*self._unwritten, *self._kept):
                terminalreporter.line(line, red=line in self._unwritten)
        unseen = list(self._unseen.lines(self._seen, self._vain))
        if not self._texts and not self._vacuous and not unseen:
            return
        from pytest_noblock.model.shown import printable

        terminalreporter.section("noblock")
        if self._vacuous:
            terminalreporter.line("no request was watched: --noblock asserted nothing", red=True)
        if self._texts:
            self._summarize_tests(terminalreporter)
            self._summarize_sweep(terminalreporter)
        for line in unseen if self._texts or not self._vacuous else ():
            terminalreporter.line(printable(line), red=bool(self._vain))

    def _summarize_tests(self, terminalreporter: pytest.TerminalReporter) -> None:
        tests = {test: records for test, records in self._by_test.items() if not test.startswith(SWEPT)}
        if not tests and self._sweep is not None:
            return
        from pytest_noblock.report.summary import summary

        for line in summary(tests, self._unused, notes=self._debug):
            terminalreporter.line(line)

    def _summarize_sweep(self, terminalreporter: pytest.TerminalReporter) -> None:
        swept = self._swept if self._sweep is not None else []
        if self._sweep is None or not swept:
            return
        from pytest_noblock.model import shown

        for line in self._sweep.lines(swept):
            terminalreporter.line(shown.printable(line))
        if self._sweep.failed is not None:
            terminalreporter.line(self._sweep.failed, red=True)

    @property
    def _swept(self) -> "list[Check]":
        """The checks of the sweep's items."""
        from pytest_noblock.report.json_v1 import check_of

        meter = self._environment(())["meter"]
        texts = (json.loads(text) for test, kept in self._texts.items() if test.startswith(SWEPT) for text in kept)
        return [check_of(record, self._limit, meter) for record in texts]

    @cached_property
    def _seen(self) -> set[str]:
        """The tests in which a request was measured: of some only the app's start and stop are on record."""
        if not self._texts:
            return set()
        from pytest_noblock.model.observation import LIFESPAN, NO_REQUEST

        def measured(record: "Record") -> bool:
            said_nothing = record["outcome"] in ("inconclusive", "not-exercised")
            return record["request"] not in (LIFESPAN, NO_REQUEST) and not said_nothing

        return {test for test, records in self._by_test.items() if any(map(measured, records))}

    def _write(self) -> "Iterable[str]":
        """Writes each report file; yields a sentence for each file that could not be written."""
        from pytest_noblock.model import shown
        from pytest_noblock.report import formats

        run = self._run()
        for growing in self._growing:
            growing.close()
        for file in self._files:
            try:
                formats.write(file, run)
            except OSError as error:
                yield shown.printable(f"the report {file} cannot be written: {error.strerror or error}")
            except Exception as error:  # noqa: BLE001  # one report must not cost the others
                yield shown.printable(f"the report {file} cannot be written: {shown.error(error)}")

    def _run(self) -> "Run":
        from pytest_noblock.report.wire import Run

        environment = self._environment(self._loops)
        checks = [
            check
            for test, records in self._by_test.items()
            for check in self._checks(test, records, environment["meter"])
        ]
        return Run(environment, tuple(checks))

    def _checks(self, test: str, records: "list[Record]", meter: "Meter") -> "Iterable[Check]":
        """The test's checks: whole where the Carrier brought them, else made of the record, which then says all."""
        from pytest_noblock.report.json_v1 import check_of
        from pytest_noblock.report.wire import decode

        carried = self._carried[test].checks if test in self._carried else {}
        for place, record in enumerate(records):
            yield decode(carried[place]) if place in carried else check_of(record, self._limit, meter)
