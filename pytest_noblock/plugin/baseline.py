"""The baseline of a run: read before anything runs, judged and written at the end by the process that prints."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from pytest_noblock.acceptance import baseline_text
from pytest_noblock.acceptance.baseline import BASELINE, Baseline, Entry
from pytest_noblock.acceptance.judging import Judged, judged, updated
from pytest_noblock.model.check import Check, with_findings
from pytest_noblock.model.ci import in_ci
from pytest_noblock.model.finding import Finding
from pytest_noblock.report import files

_UPDATE = "--noblock-update-baseline"
_MOST_NAMES = 3


def read(config: pytest.Config, named: str | None, source: str, *, updates: bool) -> "BaselineOfRun":
    """Raises UsageError. `source`: the option that names the file, as the user wrote it."""
    if named is None:
        raise pytest.UsageError(f"{_UPDATE} does not know the file: add --noblock-baseline=FILE")
    if updates and in_ci(os.environ):
        raise pytest.UsageError(
            f"{_UPDATE} is refused where CI is set: run it on your machine, look at the change, and commit the file"
        )
    folder = config.invocation_params.dir if source.startswith("--") else config.rootpath
    return BaselineOfRun(folder / named, named, _read(folder / named, f"{source}: {named}", updates), updates=updates)


def _read(file: Path, who: str, updates: bool) -> Baseline:  # noqa: FBT001  # of this module
    problem = ""
    try:
        return baseline_text.read(file.read_bytes())
    except FileNotFoundError:
        if updates:
            return Baseline()
        problem = f"does not exist; {_UPDATE} makes it"
    except OSError as error:
        problem = f"cannot be read: {error.strerror or error}"
    except baseline_text.Unreadable as mistake:
        problem = str(mistake)
    raise pytest.UsageError(f"{who} {problem}")  # outside the except blocks: without a history


class BaselineOfRun:
    """The known findings, and what becomes of them."""

    def __init__(self, file: Path, name: str, known: Baseline, *, updates: bool) -> None:
        """`name`: as the user wrote it."""
        self.name = name
        self.updates = updates
        self._file = file
        self._known = known
        self._today = date.today()  # noqa: DTZ011  # the user's calendar
        self._judged: Judged | None = None
        self._written = ""
        self.problem: str | None = None
        """Why the run is red for its baseline; None where it is not."""

    def accepting(self, check: Check) -> Check:
        """The check with what is known as accepted; in an update, with all that has not expired."""
        check = self._known.accepting(check, self._today)
        return with_findings(check, [_taken_in(each) for each in check.findings]) if self.updates else check

    def judge(self, report: Mapping[str, Any], *, to_the_end: bool, warns: bool) -> None:
        """Judges all records of the run; writes the file where it is to be updated.

        `to_the_end`: whether no test was left out because the run was stopped. `warns`: whether nothing may be red.
        """
        self._judged = judged(self._known, [report], self._today, to_the_end=to_the_end)
        if self.updates:
            self._update(self._judged)
        elif self._judged.fixed and in_ci(os.environ) and not warns:
            self.problem = (
                f"fixed findings still stand in {self.name}: run {_UPDATE} on your machine, and commit the file"
            )

    def leave(self) -> None:
        """The run did not come to its end: nothing is judged, and nothing is written."""
        if self.updates:
            self.problem = f"the run did not come to its end: the baseline {self.name} stays as it was"

    def _update(self, run: Judged) -> None:
        after = updated(self._known, run)
        kept = sum(each in after.entries for each in self._known.entries)
        try:
            files.put(self._file, baseline_text.render(after))
        except (OSError, ValueError) as error:
            self.problem = f"the baseline {self.name} cannot be written: {getattr(error, 'strerror', None) or error}"
            return
        added, gone = len(after.entries) - kept, len(self._known.entries) - kept
        self._written = f"{self.name} is written: {added} added, {gone} taken out, {len(after.entries)} in all"

    def lines(self) -> Iterator[str]:
        """For the summary."""
        if self._judged is None:
            return
        yield f"baseline {self.name}: {self._judged.sentence}"
        if self._judged.fixed and not self.updates:
            yield f"  fixed: {_named(self._judged.fixed)}; {_UPDATE} takes {_them(self._judged.fixed)} out"
        if self._judged.expired:
            yield f"  expired: {_named(self._judged.expired)}"
        if self._written:
            yield f"  {self._written}"


def _taken_in(finding: Finding) -> Finding:
    stays = finding.accepted is not None or finding.expired is not None
    return finding if stays else replace(finding, accepted=BASELINE)


def _named(entries: tuple[Entry, ...]) -> str:
    more = f" and {len(entries) - _MOST_NAMES} more" if len(entries) > _MOST_NAMES else ""
    return f"{', '.join(map(_name, entries[:_MOST_NAMES]))}{more}"


def _name(entry: Entry) -> str:
    kind, route, file, function, call = entry.identity
    where = f" in {file}" if file else ""
    return f"{kind} of {route}{where}{f' {function}' if function else ''}{f' ({call})' if call else ''}"


def _them(entries: tuple[Entry, ...]) -> str:
    return "it" if len(entries) == 1 else "them"
