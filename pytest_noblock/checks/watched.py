"""The checks of a watched test: each request is judged on one run, for there is no other (pure).

This module is loaded only for tests that may have blocked somebody. It imports late what only some of these need.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from pytest_noblock.checks import assemble
from pytest_noblock.checks.assemble import Subject, Verdict
from pytest_noblock.judge import inconclusive
from pytest_noblock.model.check import Check
from pytest_noblock.model.finding import Finding
from pytest_noblock.model.limits import NOTE_NS, Limits
from pytest_noblock.model.observation import LIFESPAN, Exchange, Observation
from pytest_noblock.model.units import words

if TYPE_CHECKING:
    from pytest_noblock.model.stall import Stall


class WatchRules(NamedTuple):
    """The rules by which the requests of a watched test are judged."""

    limits: Limits = Limits()
    mocked_calls_fail: bool = False
    """Whether a known blocking call that a mock answered is a finding; False: it is a note."""
    lifespan_fails: bool = False
    """Whether a stall in the app's lifespan is a finding; False: it is a note."""

    def fail(self, exchange: Exchange) -> bool:
        """Whether a stall in this exchange is a finding; False: it is a note."""
        return self.lifespan_fails or exchange.method != LIFESPAN


def judge_watched(id: str, observation: Observation, rules: WatchRules, relative: Callable[[str], str]) -> list[Check]:
    """One check for each request, in the order in which the requests entered the app."""
    found = _stalls(observation, rules.limits)
    return [
        _check(id, observation, exchange, [stall for stall in found if stall.exchange is exchange], rules, relative)
        for exchange in observation.exchanges
    ]


def _stalls(observation: Observation, limits: Limits) -> "Sequence[Stall]":
    if not observation.gaps and not any(limits.concern(segment) for segment in observation.segments):
        return ()
    from pytest_noblock.judge.stalls import stalls

    return stalls(observation, limits)


def _check(
    id: str,
    observation: Observation,
    exchange: Exchange,
    found: "Sequence[Stall]",
    rules: WatchRules,
    relative: Callable[[str], str],
) -> Check:
    sure, notes = _concluded(exchange, found, rules, relative) if found else ((), ())
    check = assemble.measured(
        Subject(id, exchange.request.strip(), rules.limits.max_block, observation.meter),
        exchange,
        Verdict(sure, (*notes, *_first_use(observation, exchange)), inconclusive.unseen(exchange)),
        relative,
        loop=observation.loop,
    )
    fail = rules.mocked_calls_fail and rules.fail(exchange)
    return assemble.with_mocked_calls(check, observation.segments, relative, fail=fail)


def _concluded(
    exchange: Exchange, found: "Sequence[Stall]", rules: WatchRules, relative: Callable[[str], str]
) -> tuple[Sequence[Finding], tuple[str, ...]]:
    """The findings, and notes on the stalls that are no findings."""
    from pytest_noblock.judge import grouping
    from pytest_noblock.judge.stalls import breaking

    sure = [each for each in breaking(found, rules.limits) if rules.fail(exchange) and sure_in_one_run(each)]
    final = grouping.findings(sure, relative)
    return final, grouping.notes(final, grouping.findings(found, relative), [], rules.limits)


def _first_use(observation: Observation, exchange: Exchange) -> tuple[str, ...]:
    """A note on the request's first imports, if they took long enough: a watched test has no warm-up run."""
    imported = sum(segment.imported for segment in observation.segments if segment.exchange == exchange.number)
    if imported < NOTE_NS:
        return ()
    return (f"cold: imports, {words(imported)}, the first time only",)


def sure_in_one_run(stall: "Stall") -> bool:
    """Whether one run is proof: the stall is sure and, if it is `cpu`, at a user line and no first use."""
    return stall.sure and (stall.kind != "cpu" or (stall.place.frame is not None and not stall.place.first_use))
