"""What makes the merged run red: a finding that nothing accepts, too few routes, what is fixed and still listed."""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

from pytest_noblock.acceptance import baseline_text
from pytest_noblock.acceptance.baseline import BASELINE, Baseline, Entry
from pytest_noblock.acceptance.judging import Judged, judged
from pytest_noblock.merge.shards import Refused, Shard
from pytest_noblock.model.check import Check, with_findings
from pytest_noblock.model.ci import in_ci
from pytest_noblock.model.required import Required
from pytest_noblock.model.shown import printable, value
from pytest_noblock.report.totals import Totals

_MOST_NAMES = 10


def required(text: str | None) -> Required | None:
    """Raises Refused."""
    if text is None:
        return None
    try:
        return Required.read(text)
    except ValueError as problem:
        raise Refused(f"--require: {value(text)} {problem}") from None


def baseline_of(name: str | None) -> Baseline | None:
    """Raises Refused."""
    if name is None:
        return None
    problem = ""
    try:
        return baseline_text.read(Path(name).read_bytes())
    except OSError as error:
        problem = f"cannot be read: {error.strerror or error}"
    except baseline_text.Unreadable as mistake:
        problem = str(mistake)
    raise Refused(printable(f"--baseline: {name} {problem}"))  # outside the except blocks: without a history


class Judging:
    """The rules of one merge."""

    def __init__(self, name: str | None, require: str | None) -> None:
        """The values of `--baseline` and `--require`. Raises Refused."""
        self._name = name
        self._baseline = baseline_of(name)
        self._required = required(require)
        self._today = date.today()  # noqa: DTZ011  # the user's calendar
        self._judged: Judged | None = None

    def accepting(self, check: Check) -> Check:
        """The check with what this list accepts: what another one accepted, when it was made, counts no more."""
        if self._baseline is None or not check.findings:
            return check
        findings = [replace(each, accepted=None) if each.accepted == BASELINE else each for each in check.findings]
        return self._baseline.accepting(with_findings(check, findings), self._today)

    def judge(self, shards: Iterable[Shard]) -> None:
        """Reads them all, one after the other."""
        if self._baseline is None:
            for _ in shards:
                pass
            return
        all_ended = True

        def reports() -> Iterator[dict[str, object]]:
            nonlocal all_ended
            for shard in shards:
                all_ended &= shard.ended
                yield shard.report

        found = judged(self._baseline, reports(), self._today)
        if not all_ended:  # what was not run may still be there
            found = found._replace(fixed=(), not_measured=(*found.fixed, *found.not_measured))
        self._judged = found

    def problems(self, told: Totals) -> Iterator[str]:
        """What makes the run red besides its findings, a sentence each."""
        wanted = self._required
        if wanted is not None and (told.measured < 1 or wanted.fails(told.measured, told.routes)):
            yield f"--require={wanted.words} is not met: {told.measured} of {told.routes} routes measured"
        if self._judged is not None and self._judged.fixed and in_ci(os.environ):
            yield f"fixed findings still stand in {self._name}: take them out on your machine, and commit the file"

    def lines(self) -> Iterator[str]:
        """What the baseline says of the run."""
        if self._judged is None:
            return
        yield f"baseline {self._name}: {self._judged.sentence}"
        yield from _named("fixed", self._judged.fixed)
        yield from _named("expired", self._judged.expired)


def _named(what: str, entries: Sequence[Entry]) -> Iterator[str]:
    for entry in entries[:_MOST_NAMES]:
        kind, route, file, function, call = entry.identity
        where = " ".join(filter(None, (file, function, f"({call})" if call else "")))
        yield f"  {what}: {kind} of {route}{f' in {where}' if where else ''}"
    if len(entries) > _MOST_NAMES:
        yield f"  {what}: {len(entries) - _MOST_NAMES:,} more"
