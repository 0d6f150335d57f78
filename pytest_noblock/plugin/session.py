"""What one pytest session shares: the watching of its tests, and the way to the reports."""

import sys
from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING

import pytest

from pytest_noblock.plugin import faults, markers, options, unseen
from pytest_noblock.plugin.attached import Carrier, attach_faults
from pytest_noblock.plugin.faults import GUARD
from pytest_noblock.plugin.item_run import ItemRun
from pytest_noblock.plugin.reporter import Reporter
from pytest_noblock.plugin.routes_of_run import RoutesOfRun

if TYPE_CHECKING:
    from pytest_noblock.plugin.entered import EnteredApps, Told
    from pytest_noblock.plugin.fixture_values import FixtureValues
    from pytest_noblock.plugin.head import Head
    from pytest_noblock.plugin.outcome import Ending
    from pytest_noblock.plugin.sweep_plugin import SweepPlugin
    from pytest_noblock.plugin.sweep_report import SweepReport
    from pytest_noblock.plugin.watching import Watching
    from pytest_noblock.report.wire import Environment

_FAKES_FILES = "pyfakefs.fake_filesystem_unittest"
"""The module of pyfakefs that `fake_files` knows."""


class Session:
    """Made when pytest is configured, at no cost: it computes and imports on first use."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self.sweep: SweepPlugin | None = None
        """None where no app is swept."""
        self.current: pytest.Item | None = None
        """The test that runs, or ran last: it bears what an app does that is stopped now."""
        self._last: ItemRun | None = None
        """Of the test that runs; a process runs one at a time."""
        self._expects_fakes = False
        """Whether pyfakefs was met; see `fake_files`."""

    @cached_property
    def head(self) -> "Head":
        """The rules of the meter, and the head of the run and of its reports."""
        from pytest_noblock.plugin.head import Head

        return Head(self._config)

    @cached_property
    def fixtures(self) -> "FixtureValues":
        from pytest_noblock.plugin.fixture_values import FixtureValues

        return FixtureValues(self._config, self)

    def carrier(self) -> Carrier | None:
        """The Carrier; None where no report was asked for: only a report needs whole checks."""
        return Carrier() if options.reports(self._config) or options.tells_github() else None

    def reporter(self) -> Reporter:
        folder = self._config.invocation_params.dir
        return Reporter(
            [folder / file for file in options.reports(self._config)],
            self._environment,
            limit=options.of_run(self._config).limits.max_block,
            must_watch=self._watches_all,
            debug=options.debugs() or self._config.get_verbosity("noblock") >= 1,
            warns=options.of_run(self._config).action == "warn",
            sweep=self._sweep_report(),
            tells_ci=options.tells_github(),
            baseline=options.baseline_of(self._config),
            routes=RoutesOfRun(self._config, self.entered_apps),
        )

    def _environment(self, loops: Iterable[str]) -> "Environment":
        return self.head.environment(loops)  # only a report asks

    def _sweep_report(self) -> "SweepReport | None":
        if self.sweep is None:
            return None
        from pytest_noblock.plugin.sweep_report import SweepReport

        return SweepReport(self._config)

    def run(self, item: pytest.Item, ours: markers.Marked | None = None) -> ItemRun:
        """`ours`: the test's markers, where the caller has just read them."""
        run = self._last
        if run is None or run.item is not item:
            run = self._last = ItemRun(item, markers.marked(item) if ours is None else ours)
        return run

    @cached_property
    def _watches_all(self) -> bool:
        return options.watches_all(self._config)

    @cached_property
    def _watching(self) -> "Watching":
        from pytest_noblock.plugin.watching import Watching

        return Watching(self._config, self.head.meter[0], self.entered, every_test=self._watches_all)

    @cached_property
    def entered(self) -> "EnteredApps":
        from pytest_noblock.plugin.entered import EnteredApps

        return EnteredApps()

    def entered_apps(self) -> "list[Told]":
        """The routes of the apps that requests of this process's tests entered; at the end of the run."""
        return self.entered.told() if "entered" in vars(self) else []

    def begin(self, item: pytest.Item, ours: markers.Marked) -> None:
        """Begins to watch the test before its fixtures, if it is to be watched. `ours`: its markers."""
        self.current = item
        if item.nodeid.startswith(options.SWEPT):
            return
        if self._watches_all or markers.watches(item) or unseen.has_fixture(item):
            self.watch(self.run(item, ours))

    def watch(self, run: ItemRun) -> None:
        try:
            if not self._expects_fakes and _FAKES_FILES in sys.modules:
                self._expect_fakes()
            self._watching.begin(run)
        except Exception as error:
            if not faults.noted(error):
                raise

    def pass_by(self) -> None:
        """A test does not begin, and fixtures may end before the next one: what is patched for it goes back."""
        if "_watching" in vars(self):
            with GUARD:
                self._watching.pass_by()

    def _expect_fakes(self) -> None:
        from pytest_noblock.plugin import fake_files

        self._expects_fakes = True
        self._config.add_cleanup(fake_files.expect(sys.modules[_FAKES_FILES]))

    def end(self, item: pytest.Item, ending: "Ending") -> None:
        """Judges a test at the end of its call, once. A fault of ours does not change the test's outcome."""
        run = self._last
        if run is None or run.item is not item or run.ended:
            return
        run.ended = True
        try:
            if faults.pending():
                ending = "failed"  # where we have failed, we fail no test
            if run.recorder is not None:
                self._watching.end(item, run, run.recorder, ending)
            elif ending == "passed":
                run.outcome.conclude_fixture(self.head.meter[0], ending)
        except Exception as error:
            if not faults.noted(error):
                raise
        finally:
            if faults.pending():
                self._attach_faults(item)

    def fixtures_ended(self, item: pytest.Item, ending: "Ending") -> None:
        """Judges what a watched test's fixtures requested and stopped in their teardown. `ending`: the teardown's."""
        run = self._last
        if run is not None and run.item is item and run.recorder is not None:
            try:
                self._watching.fixtures_ended(item, run, run.recorder, ending)
            except Exception as error:
                if not faults.noted(error):
                    raise

    def leave(self, item: pytest.Item, following: pytest.Item | None) -> None:
        """Forgets the run of the test after its fixtures: the test may be run again."""
        run = self._last
        if run is None or run.item is not item:
            return
        self._last = None
        try:
            if run.recorder is not None:
                self._watching.leave(item, run.recorder, following)
        except Exception as error:
            if not faults.noted(error):
                raise
        finally:
            if faults.pending():
                self._attach_faults(item)

    def _attach_faults(self, item: pytest.Item) -> None:
        attach_faults(item, red=options.settings_of(self._config, markers.marked(item)).action != "warn")
