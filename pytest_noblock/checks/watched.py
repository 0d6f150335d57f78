"""The checks of a watched test: what its requests did, judged on the one run that there is (pure).

Most tests do nothing worth judging: what only the others need is imported where they need it.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from pytest_noblock.judge import inconclusive
from pytest_noblock.model.finding import Check, Finding, TaskRun
from pytest_noblock.model.limits import NOTE_NS, Limits
from pytest_noblock.model.observation import LIFESPAN, Exchange, Observation
from pytest_noblock.model.units import words

if TYPE_CHECKING:
    from pytest_noblock.model.stall import Stall


class Judge:
    """The rules for one test. `lifespan`: the app's start and stop are judged as well, not only noted."""

    def __init__(self, limits: Limits, shown: Callable[[str], str], *, lifespan: bool) -> None:
        self._limits = limits
        self._shown = shown
        self._lifespan = lifespan

    def checks(self, id: str, observation: Observation) -> list[Check]:
        """One check for each request, in the order in which they entered."""
        found = self._stalls(observation)
        return [
            self._check(id, observation, exchange, [stall for stall in found if stall.exchange is exchange])
            for exchange in observation.exchanges
        ]

    def _stalls(self, observation: Observation) -> "Sequence[Stall]":
        if not any(self._limits.concern(segment) for segment in observation.segments):
            return ()
        from pytest_noblock.judge.stalls import stalls

        return stalls(observation, self._limits)

    def _check(self, id: str, observation: Observation, exchange: Exchange, found: "Sequence[Stall]") -> Check:
        final, notes = self._concluded(exchange, found) if found else ((), ())
        reason = None if final else inconclusive.unseen(exchange)
        check = Check(
            id=id,
            request=exchange.request.strip(),
            route=exchange.route,
            endpoint=exchange.endpoint,
            outcome="failed" if final else "inconclusive" if reason else "passed",
            duration=(exchange.completed or exchange.returned or exchange.sent) - exchange.sent,
            limit=self._limits.max_block,
            meter=observation.meter,
            findings=final,
            notes=(*notes, *_first_use(observation, exchange)),
            background=self._task_runs(exchange),
            reason=reason,
            exchange=exchange,
            exchanges=(exchange,),
        )
        return self._with_mocked(check, exchange, observation)

    def _judges(self, exchange: Exchange) -> bool:
        return self._lifespan or exchange.method != LIFESPAN

    def _with_mocked(self, check: Check, exchange: Exchange, observation: Observation) -> Check:
        if not any(segment.answered for segment in observation.segments):
            return check
        from pytest_noblock.judge import mocked

        fails = self._judges(exchange) and not self._limits.known_calls
        return mocked.judged(check, observation.segments, self._shown, fails=fails)

    def _concluded(self, exchange: Exchange, found: "Sequence[Stall]") -> tuple[tuple[Finding, ...], tuple[str, ...]]:
        from pytest_noblock.judge import grouping
        from pytest_noblock.judge.stalls import breaking

        sure = [each for each in breaking(found, self._limits) if counts(each)] if self._judges(exchange) else []
        final = grouping.findings(sure, self._shown)
        return tuple(final), grouping.notes(final, grouping.findings(found, self._shown), [], self._limits)

    def _task_runs(self, exchange: Exchange) -> tuple[TaskRun, ...]:
        if not exchange.tasks:
            return ()
        from pytest_noblock.judge.background_findings import task_runs

        return task_runs(exchange, self._shown)


def _first_use(observation: Observation, exchange: Exchange) -> tuple[str, ...]:
    imported = sum(segment.imported for segment in observation.segments if segment.exchange == exchange.number)
    if imported < NOTE_NS:
        return ()
    return (f"cold: imports, {words(imported)}, the first time only",)


def counts(stall: "Stall") -> bool:
    """Whether one run is enough: it slept beyond doubt, or computed at a user line, and not for the first use."""
    return stall.sure and (stall.kind != "cpu" or (stall.place.frame is not None and not stall.place.first_use))
