"""The report files of a run, and what the job in CI shows of it. Loaded where either is asked for."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_noblock.model import shown
from pytest_noblock.report import formats
from pytest_noblock.report.growing import GrowingReport

if TYPE_CHECKING:
    from pytest_noblock.plugin.collected import Collected
    from pytest_noblock.report.wire import Environment, Run


class ReportFiles:
    """Grows the files while tests end, and writes each in one go at the end of the run."""

    def __init__(
        self,
        files: list[Path],
        collected: "Collected",
        environment: "Callable[[Iterable[str]], Environment]",
        *,
        tells_ci: bool,
    ) -> None:
        """`environment`: makes the head of a report of the loops that ran. `tells_ci`: see `plugin.ci`."""
        self._growing = [(file, GrowingReport(file)) for file in files]
        self._collected = collected
        self._environment = environment
        self._tells_ci = tells_ci

    def grow(self, test: str, *, again: bool) -> None:
        """Adds the test to the files at once: the run may be killed. `again`: the test was in them before."""
        if not self._growing or test not in self._collected.texts:
            return
        records, environment = self._collected.of(test, and_before=again), self._environment(self._collected.loops)
        for _file, each in self._growing:
            if again:
                each.restart()
            each.add(records, environment)

    def write(self, run: "Callable[[], Run]") -> Iterator[str]:
        """Writes each file, and adds to the summary of the job; yields a sentence for each that could not be written.

        `run`: what they are rendered from.
        """
        for file, growing in self._growing:
            growing.close()
            try:
                formats.write(file, run())
            except OSError as error:
                yield shown.printable(f"the report {file} cannot be written: {error.strerror or error}{growing.has()}")
            except Exception as error:  # noqa: BLE001  # one report must not cost the others
                yield shown.printable(f"the report {file} cannot be written: {shown.error(error)}{growing.has()}")
        yield from self._tell_ci(run)

    def _tell_ci(self, run: "Callable[[], Run]") -> Iterator[str]:
        if self._tells_ci and self._collected:
            from pytest_noblock.plugin.ci import add_summary

            sentence = add_summary(run())
            if sentence is not None:
                yield shown.printable(sentence)

    def unchanged(self) -> Iterator[str]:
        """A sentence for each file, of a run that was interrupted before anything was measured."""
        for file, _growing in self._growing:
            what = f"the report {file} stays as it was" if file.exists() else f"no report {file} is written"
            yield f"nothing was measured: {what}"

    def annotations(self, run: "Callable[[], Run]") -> Iterator[str]:
        """Lines of the log that the job's page shows beside the code."""
        if self._tells_ci and self._collected:
            from pytest_noblock.plugin.ci import annotations

            yield from annotations(run())
