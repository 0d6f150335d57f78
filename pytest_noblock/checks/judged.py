"""The check of a request of the fixture, of what its runs have shown (pure). Its twin for watched tests: `watched`."""

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from pytest_noblock.checks import assemble
from pytest_noblock.checks.assemble import Subject, Verdict
from pytest_noblock.checks.plan import Plan
from pytest_noblock.judge import (
    capacity,
    collected,
    first_use,
    gil_doubts,
    grouping,
    inconclusive,
    last_net,
    not_findings,
    probe_waits,
    shared_turns,
    traced,
)
from pytest_noblock.judge.stalls import of_probes_in_doubt
from pytest_noblock.model.check import Check
from pytest_noblock.model.finding import Finding
from pytest_noblock.model.limits import UNSETTLED
from pytest_noblock.model.observation import Exchange, Observation
from pytest_noblock.model.pace import Pace
from pytest_noblock.model.stall import Stall

if TYPE_CHECKING:
    import httpx


class Shown(NamedTuple):
    """What the runs of a request have shown."""

    observation: Observation
    """Of the run that is judged."""
    found: list[Stall]
    """The stalls of that run."""
    sure: list[Finding]
    """The findings beyond doubt."""
    warm_up: list[Stall]
    """What broke the limits in the warm-up."""
    left: list[str]
    """Notes on what the requests left behind."""
    once: bool
    """Whether no other run was made to compare with."""
    response: "httpx.Response | None"
    unexplained: str | None = None
    """What held the loop and no rule explains; see `judge.last_net`."""
    came_again: bool = True
    """Whether it is no chance: each run showed it, or there is but one."""

    @property
    def exchange(self) -> Exchange:
        """That of the last copy, or after the last redirect."""
        return self.observation.exchanges[-1]


class Rules(NamedTuple):
    """By what a request of the fixture is judged."""

    plan: Plan
    paths: Callable[[], inconclusive.Paths]
    """The paths of the app's routes."""
    pace: Callable[[], Pace]
    """How fast the machine computes now; asked only where a computation is near the limit."""
    relative: Callable[[str], str]
    """Turns a file into the name that reports show."""

    def findings(self, found: Iterable[Stall]) -> list[Finding]:
        return grouping.findings(found, self.relative)


def judged(subject: Subject, shown: Shown, rules: Rules) -> Check:
    """The check of the request."""
    observation, exchange, sure, limits = shown.observation, shown.exchange, shown.sure, rules.plan.limits
    found, cold = rules.findings(shown.found), rules.findings(shown.warm_up)
    notes = (*not_findings.notes(sure, found, cold, limits), *_notes(shown, rules))
    reason = _not_measured(observation, rules) or (shown.unexplained if shown.came_again else None)
    held = assemble.held(exchange, observation.segments, sure)
    taken = capacity.shares(observation, held, sure)
    check = assemble.measured(
        subject,
        exchange,
        Verdict(sure, notes, reason),
        rules.relative,
        loop=observation.loop,
        loop_ns=held,
        steps=assemble.steps(exchange, observation.segments),
        max_total=limits.max_total,
        almost=not_findings.almost(sure, found, cold, limits),
        probes=probe_waits.probe_waits(observation, sure),
        probe_runs=observation.probes,
        capacity=capacity.words(taken),
        scarce_ns=capacity.scarcest(taken),
        exchanges=observation.exchanges,
        response=shown.response,
    )
    check = assemble.with_total(check, observation.segments, shown.found, limits, rules.pace, rules.relative)
    fail = rules.plan.mocked_calls_fail
    return assemble.with_mocked_calls(check, observation.segments, rules.relative, fail=fail)


def _notes(shown: Shown, rules: Rules) -> Iterator[str]:
    """What is worth knowing and fails nothing, beside the stalls that are no findings."""
    observation, exchange, limits = shown.observation, shown.exchange, rules.plan.limits
    yield from assemble.doubts(observation.segments, exchange, shown.sure)
    yield from _answered_elsewhere(exchange, rules)
    yield from dict.fromkeys(shown.left)
    yield from traced.notes(observation, exchange, limits)
    yield from gil_doubts.notes(observation, shown.found, limits, rules.relative)
    yield from collected.notes(observation, exchange, limits)
    yield from of_probes_in_doubt(observation, limits)
    yield from _unsettled(shown, rules)
    yield from last_net.waits_on_trio(observation, limits)
    if shown.unexplained is not None and not shown.came_again:
        yield f"{UNSETTLED}{shown.unexplained}; another run did not show it again; not counted"
    first = first_use.notes if shown.once else first_use.imported_again
    yield from first(observation, exchange, limits)


def _answered_elsewhere(exchange: Exchange, rules: Rules) -> Iterator[str]:
    """A note on an answer that the test takes, although it did not come from the endpoint."""
    if rules.plan.expect == "any":
        why = inconclusive.elsewhere(exchange, shown=rules.relative, past=False)
        if why:
            yield f"{why}; the test takes any answer, and the endpoint was not measured"


def _unsettled(shown: Shown, rules: Rules) -> list[str]:
    """Notes on turns of the loop that many small steps made long."""
    told = list(shared_turns.notes(shown.observation, shown.found, rules.plan.limits).values())
    crowd = None if told else last_net.crowd(shown.observation, shown.found, rules.plan.limits)
    return told if crowd is None else [crowd]


def _not_measured(observation: Observation, rules: Rules) -> str | None:
    """Why the request was not measured; of several copies, why one was not."""
    copies = len(observation.exchanges) == rules.plan.concurrency
    sent = observation.exchanges if copies else observation.exchanges[-1:]
    if rules.plan.expect == "any":
        return next(filter(None, map(inconclusive.without_an_answer, sent)), None)
    paths = rules.paths()
    reasons = [inconclusive.not_measured(each, paths, rules.relative) for each in sent]
    why = next(filter(None, reasons), None)
    if why is None or len(sent) == 1:
        return why
    return f"{why}; so did {sum(map(bool, reasons))} of {len(sent)} copies"
