"""The checks of a watched test: each request is judged on one run, for there is no other (pure).

This module is loaded only for tests that may have blocked somebody. It imports late what only some of these need.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from pytest_noblock.checks import assemble
from pytest_noblock.checks.assemble import Subject, Verdict
from pytest_noblock.judge import earlier, first_use, inconclusive
from pytest_noblock.model.check import Check
from pytest_noblock.model.finding import Finding
from pytest_noblock.model.limits import UNSETTLED, Limits
from pytest_noblock.model.observation import LIFESPAN, Exchange, Observation, Phase
from pytest_noblock.model.pace import STEADY, Pace
from pytest_noblock.model.segment import Segment

if TYPE_CHECKING:
    from pytest_noblock.model.stall import Stall


class WatchRules(NamedTuple):
    """The rules by which the requests of a watched test are judged."""

    limits: Limits = Limits()
    mocked_calls_fail: bool = False
    """Whether a known blocking call that a mock answered is a finding; False: it is a note."""
    lifespan_fails: bool = False
    """Whether a stall in the app's lifespan is a finding; False: it is a note."""

    pace: Callable[[], Pace] = lambda: STEADY
    """How fast the machine computes now; asked only where a computation is near the limit."""

    def fail(self, exchange: Exchange, phase: Phase = Phase.LIFESPAN) -> bool:
        """Whether a stall in this phase of the exchange is a finding; False: it is a note.

        What the app runs by itself between start and stop keeps nobody waiting unless a request is under way.
        """
        return exchange.method != LIFESPAN or (self.lifespan_fails and phase is Phase.LIFESPAN)


def judge_watched(id: str, observation: Observation, rules: WatchRules, relative: Callable[[str], str]) -> list[Check]:
    """One check for each request, in the order in which the requests entered the app."""
    observation, strangers = earlier.taken_off(observation)
    warm = first_use.taken_off(observation)
    found = _stalls(warm, rules.limits)
    before = earlier.notes(observation, strangers, rules.limits, relative) if strangers else {}
    run = _Run.of(observation, found, _of_shared_turns(warm, found, rules.limits), before)
    return [_check(id, run, exchange, rules, relative) for exchange in observation.exchanges]


class _Run(NamedTuple):
    """An observation, sorted by exchange: once, as a test may make hundreds of requests."""

    observation: Observation
    found: "dict[int, list[Stall]]"
    segments: dict[int, list[Segment]]
    eventful: frozenset[int]
    """The numbers of the exchanges of whose segments some judge has more to say than how long they held the loop."""
    first: frozenset[int]
    """The numbers of the exchanges that did something as the first."""
    shared: Mapping[int, str]
    """By number of an exchange: what is to be said of a turn that it shared."""
    before: Mapping[int, Sequence[str]]
    """By number of an exchange: what is to be said of what earlier tests left behind."""

    @classmethod
    def of(
        cls,
        observation: Observation,
        found: "Sequence[Stall]",
        shared: Mapping[int, str],
        before: Mapping[int, Sequence[str]],
    ) -> "_Run":
        stalls: defaultdict[int, list[Stall]] = defaultdict(list)
        for stall in found:
            stalls[stall.exchange.number].append(stall)
        segments: defaultdict[int, list[Segment]] = defaultdict(list)
        for segment in observation.segments:
            segments[segment.exchange].append(segment)
        first = frozenset(each.exchange for each in observation.segments if each.imported or each.first_uses)
        told = (each.exchange for each in observation.segments if each.doubtful_trips or each.answered)
        eventful = first.union(stalls, told, shared, before)
        return cls(observation, dict(stalls), dict(segments), eventful, first, shared, before)

    def is_quiet(self, exchange: Exchange) -> bool:
        """Whether no judge has anything to say of the exchange: each of them reads one of these, or reads nothing."""
        return (
            exchange.number not in self.eventful
            and self.observation.slowdown == 1
            and not (self.observation.held or self.observation.gaps or self.observation.collections)
            and not (exchange.left or exchange.tasks)
            and exchange.entered is not False
            and exchange.steps > 0
            and exchange.is_over
        )


def _stalls(observation: Observation, limits: Limits) -> "Sequence[Stall]":
    adds_up = limits.max_total > 0  # then short steps count, too
    if not adds_up and not observation.gaps and not observation.pools and not limits.concern(observation.segments):
        return ()
    from pytest_noblock.judge.stalls import stalls

    return stalls(observation, limits)


def _of_shared_turns(observation: Observation, found: "Sequence[Stall]", limits: Limits) -> Mapping[int, str]:
    if len(observation.exchanges) < 2 or not limits.concern(observation.segments):
        return {}
    from pytest_noblock.judge import shared_turns

    return shared_turns.notes(observation, found, limits)


def _check(id: str, run: _Run, exchange: Exchange, rules: WatchRules, relative: Callable[[str], str]) -> Check:
    observation, segments = run.observation, run.segments.get(exchange.number, ())
    subject = Subject(id, exchange.request.strip(), rules.limits.max_block, observation.meter)
    if run.is_quiet(exchange) and not rules.limits.max_total:  # else what is quiet adds up
        return assemble.uneventful(subject, exchange, observation.loop, assemble.held(exchange, segments))
    found = run.found.get(exchange.number, ())
    told = assemble.told(found, relative)
    sure, notes = _concluded(exchange, found, told, rules, relative) if found else ((), ())
    held = assemble.held(exchange, segments, sure)
    notes = (
        *notes,
        *assemble.doubts(segments, exchange, sure),
        *_unjudged(run, exchange, rules.limits, relative),
        *assemble.left(exchange, rules.limits, relative),
        *_answered_elsewhere(exchange, relative),
    )
    check = assemble.measured(
        subject,
        exchange,
        Verdict(sure, notes, inconclusive.unseen(exchange)),
        relative,
        loop=observation.loop,
        loop_ns=held,
        scarce_ns=_kept_gil(observation, held, sure) if sure else 0,
        steps=assemble.steps(exchange, segments) if sure else (),
        max_total=rules.limits.max_total,
        almost=assemble.almost(sure, told, rules.limits),
    )
    check = assemble.with_total(check, segments, found, rules.limits, rules.pace, relative)
    fail = rules.mocked_calls_fail and rules.fail(exchange)
    return assemble.with_mocked_calls(check, segments, relative, fail=fail)


def _kept_gil(observation: Observation, loop_ns: int, sure: Sequence[Finding]) -> int:
    from pytest_noblock.judge import capacity

    return capacity.scarcest(capacity.shares(observation, loop_ns, sure))


def _answered_elsewhere(exchange: Exchange, relative: Callable[[str], str]) -> Iterator[str]:
    """A note on an answer that measured no route. It is not red: the test's own assertions say what it wants."""
    if exchange.entered is False:
        yield f"{inconclusive.elsewhere(exchange, shown=relative, past=False)}, and not measured"


def _concluded(
    exchange: Exchange,
    found: "Sequence[Stall]",
    told: Sequence[Finding],
    rules: WatchRules,
    relative: Callable[[str], str],
) -> tuple[Sequence[Finding], tuple[str, ...]]:
    """The findings, and notes on the stalls that are no findings. `told`: see `assemble.told`."""
    from pytest_noblock.judge import grouping, near, not_findings
    from pytest_noblock.judge.stalls import breaking

    sure = [
        each for each in breaking(found, rules.limits) if rules.fail(exchange, each.phase) and sure_in_one_run(each)
    ]
    if any(near.is_near(each, rules.limits) for each in sure):
        return _near_the_limit(sure, found, rules, relative)
    final = grouping.findings(sure, relative)
    forgiven = grouping.findings(_forgiven(exchange, found, rules), relative)
    others = not_findings.notes([*final, *forgiven], told, [], rules.limits)
    return final, (*(f"{not_findings.said(each)}{_in_lifespan(each)}: {_FORGIVEN}" for each in forgiven), *others)


def _in_lifespan(finding: Finding) -> str:
    return " in the app's lifespan" if finding.file else ""  # else its place says so


_FORGIVEN = "noblock_lifespan = fail would make it red"


def _forgiven(exchange: Exchange, found: "Sequence[Stall]", rules: WatchRules) -> "list[Stall]":
    """What would be a finding if the rules judged the app's start and stop."""
    if exchange.method != LIFESPAN or rules.lifespan_fails:
        return []
    from pytest_noblock.judge.stalls import breaking

    broken = breaking(found, rules.limits)
    return [each for each in broken if each.phase is Phase.LIFESPAN and sure_in_one_run(each)]


def _near_the_limit(
    sure: "Sequence[Stall]", found: "Sequence[Stall]", rules: WatchRules, relative: Callable[[str], str]
) -> tuple[Sequence[Finding], tuple[str, ...]]:
    """As `_concluded`, where a computation is over the limit by little: the machine may have been slow."""
    from pytest_noblock.judge import grouping, near, not_findings

    pace, limits = rules.pace(), rules.limits
    slow = [each for each in sure if near.is_near(each, limits) and not near.too_long(each, limits, pace)]
    final = [
        replace(each, near=near.told(each, limits, pace))
        for each in grouping.findings((each for each in sure if each not in slow), relative)
    ]
    let_pass = [near.let_pass(each, limits, pace) for each in grouping.findings(slow, relative)]
    rest = grouping.findings((each for each in found if each not in slow), relative, advised=False)
    stay = [f"near: {each.kind} at {each.place}, {each.near}" for each in final if each.near]
    return final, (*stay, *let_pass, *not_findings.notes(final, rest, [], limits))


def _unjudged(run: _Run, exchange: Exchange, limits: Limits, relative: Callable[[str], str]) -> Iterator[str]:
    """Notes on what was taken off the CPU of the exchange, and on what no rule judges."""
    observation = run.observation
    if not exchange.is_over:
        yield f"{UNSETTLED}{exchange.request} was under way when the test ended: from there on it was not measured"
    if exchange.number in run.first:
        yield from first_use.notes(observation, exchange, limits)
    if exchange.number in run.shared:
        yield run.shared[exchange.number]
    yield from run.before.get(exchange.number, ())
    if observation.slowdown > 1:
        from pytest_noblock.judge import traced

        yield from traced.notes(observation, exchange, limits)
    if observation.gaps:
        from pytest_noblock.judge import gil_doubts

        found = run.found.get(exchange.number, ())
        yield from gil_doubts.of_exchange(observation, exchange, found, limits, relative)
    if observation.collections:
        from pytest_noblock.judge import collected

        yield from collected.notes(observation, exchange, limits)
    if observation.held:
        from pytest_noblock.judge import unowned

        yield from unowned.notes(observation, exchange, limits, relative)


def sure_in_one_run(stall: "Stall") -> bool:
    """Whether one run is proof: the stall is sure, and is no first use if it is `cpu`."""
    return stall.sure and not (stall.kind == "cpu" and stall.place.first_use)
