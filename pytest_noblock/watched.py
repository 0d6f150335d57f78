"""The checks of a watched test: what its requests did, judged on the one run that there is (pure)."""

from collections.abc import Iterator

from pytest_noblock import conclusion, reasons
from pytest_noblock.afterwards import task_runs
from pytest_noblock.durations import words
from pytest_noblock.findings import Check
from pytest_noblock.limits import Limits
from pytest_noblock.observation import LIFESPAN, Exchange, Observation
from pytest_noblock.stall import NOTE_NS, Stall
from pytest_noblock.verdict import breaking, stalls


class Judge:
    """The rules for one test. `lifespan`: the app's start and stop are judged as well, not only noted."""

    def __init__(self, limits: Limits, shown: conclusion.Shown, *, lifespan: bool) -> None:
        self._limits = limits
        self._shown = shown
        self._lifespan = lifespan

    def checks(self, id: str, observation: Observation) -> list[Check]:
        """One check for each request, in the order in which they entered."""
        found = stalls(observation, self._limits)
        return [
            self._check(id, observation, exchange, [stall for stall in found if stall.exchange is exchange])
            for exchange in observation.exchanges
        ]

    def _check(self, id: str, observation: Observation, exchange: Exchange, found: list[Stall]) -> Check:
        judged = self._lifespan or exchange.method != LIFESPAN
        sure = [stall for stall in breaking(found, self._limits) if counts(stall)] if judged else []
        final = conclusion.findings(sure, self._shown)
        reason = None if final else reasons.unseen(exchange)
        return Check(
            id=id,
            request=exchange.request.strip(),
            route=exchange.route,
            endpoint=exchange.endpoint,
            outcome="failed" if final else "inconclusive" if reason else "passed",
            duration=(exchange.completed or exchange.returned or exchange.sent) - exchange.sent,
            limit=self._limits.max_block,
            meter=observation.meter,
            findings=tuple(final),
            notes=(
                *conclusion.notes(final, conclusion.findings(found, self._shown), [], self._limits),
                *_first_use(observation, exchange),
            ),
            background=task_runs(exchange, self._shown),
            reason=reason,
            exchange=exchange,
            exchanges=(exchange,),
        )


def _first_use(observation: Observation, exchange: Exchange) -> Iterator[str]:
    imported = sum(segment.imported for segment in observation.segments if segment.exchange == exchange.number)
    if imported >= NOTE_NS:
        yield f"cold: imports, {words(imported)}, the first time only"


def counts(stall: Stall) -> bool:
    """Whether one run is enough: it slept beyond doubt, or computed at a user line, and not for the first use."""
    return stall.sure and (stall.kind != "cpu" or (stall.place.frame is not None and not stall.place.first_use))
