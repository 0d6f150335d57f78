"""Which findings of a request are beyond doubt: it is sent again, to see whether what it showed comes again."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Literal

from pytest_noblock.checks.plan import Plan
from pytest_noblock.judge import confirmation, grouping, repeats, shared_turns, two_runs
from pytest_noblock.judge.repeats import Repeat
from pytest_noblock.judge.stalls import breaking, doubtful, stalls
from pytest_noblock.model.finding import Finding
from pytest_noblock.model.kinds import Confirmation
from pytest_noblock.model.limits import Limits
from pytest_noblock.model.observation import Meter, Observation
from pytest_noblock.model.stall import Stall

Findings = Callable[[Iterable[Stall]], list[Finding]]


def by_two_runs(
    observation: Observation, found: Iterable[Stall], warm_up: Iterable[Stall], limits: Limits, findings: Findings
) -> list[Finding]:
    """What held the loop, where two runs are proof of all of it, so that no third is needed; else nothing.

    `found`: the stalls of the later run, `observation`; `warm_up`: what broke the limits in the one before. Only of the
    full meter: the portable one asks for more runs.
    """
    found = repeats.confirmed_by("line counters", found)
    broken = breaking(found, limits)
    if doubtful(observation, (each for each in found if each not in broken)):
        return []
    return _shown_twice(broken, repeats.confirmed_by("line counters", warm_up), limits, findings)


def _shown_twice(broken: list[Stall], warm_up: Iterable[Stall], limits: Limits, findings: Findings) -> list[Finding]:
    if not all(stall.sure and stall.requests == 1 for stall in broken):
        return []
    return two_runs.shown_twice(findings(broken), findings(each for each in warm_up if each.sure), limits)


@dataclass(frozen=True, slots=True)
class Confirming:
    """Sends one request up to eight times more, up to nine times on the portable meter. Each kind has its own way.

    Up to four times more where the machine may have made a loop long.
    """

    plan: Plan
    meter: Meter
    again: Callable[[Repeat], Observation]
    """Sends the request once more."""
    findings: Findings
    counted: list[Observation] = field(default_factory=list)
    """Runs with counters that have been made already."""
    two_are_proof: bool = False
    """Whether a computation that the warm-up showed as well needs no third run."""
    runs: list[Observation] = field(default_factory=list)
    """Those that were made, or looked at, to see whether something comes again."""
    as_sent: list[Observation] = field(default_factory=list)
    """Those that were made to see how a wait ends."""

    def sure(self, observation: Observation, found: list[Stall], warm_up: list[Stall]) -> list[Finding]:
        """The findings that other runs showed as well. `found`: the stalls of the run that is judged."""
        broken = breaking(found, self.plan.limits)
        return [
            *self._on_loop(observation, found, warm_up),
            *self._off_loop("probes again", broken, warm_up),
            *self._off_loop("alone again", broken, warm_up),
        ]

    def settled(self, found: list[Stall]) -> list[Stall]:
        """The stalls of the run that is judged, without the doubts that later runs have settled."""
        if not any(each.is_open for each in found):
            return found
        from pytest_noblock.judge import open_waits  # only on a busy machine

        return [open_waits.settled(each, self.runs, self.as_sent, self.plan.limits) for each in found]

    def _by_the_clock(self, found: list[Stall], known: list[Finding]) -> list[Finding]:
        """Findings of short sleeps, and of loops, that end by the clock, as the runs show together."""
        doubts = self._settled_by_more([each for each in found if each.is_open])
        sure = self.findings(each for each in doubts if each.sure and each.breaks(self.plan.limits))
        told = {grouping.key(each) for each in known}
        return [replace(each, confirmed=True) for each in sure if grouping.key(each) not in told]

    def _settled_by_more(self, doubts: list[Stall]) -> list[Stall]:
        """The doubts, where it takes more runs for that: as few as settle them."""
        repeat = repeats.TO_SEE_HOW_IT_ENDS
        while any(each.polls is not None for each in self.settled(doubts)) and len(self.as_sent) < repeat.at_most:
            self.as_sent.append(self.again(repeat))
        return self.settled(doubts)

    def _on_loop(self, observation: Observation, found: list[Stall], warm_up: list[Stall]) -> list[Finding]:
        """Findings that runs with counters show again or, where it takes more than one request, a run as the first."""
        found = repeats.confirmed_by("line counters", found)
        broken = breaking(found, self.plan.limits)
        doubt = doubtful(observation, found)
        if not broken and not doubt:
            return []
        # What many hold together, one does not show again; to a loop that waits, counters add CPU.
        alone = [stall for stall in broken if stall.requests == 1 and not _is_loop(stall)]
        result = (
            by_two_runs(observation, found, warm_up, self.plan.limits, self.findings) if self._two_may_be_proof else []
        )
        if not result and (alone or doubt):
            result = self._by_counters(alone)
        result += self._by_the_clock(found, result)
        sure = self.findings(stall for stall in broken if stall.sure)
        warm = self.findings(stall for stall in warm_up if stall.sure)
        result += two_runs.shown_by_warm_up(confirmation.open_after(sure, result), warm)
        left = confirmation.open_after(sure, result)
        if left and (self.plan.concurrency > 1 or self.plan.probes):
            result += self._came_again("as sent", left)
        return self._named(result)

    def _by_counters(self, broken: list[Stall]) -> list[Finding]:
        """Runs with counters at every user line; on the portable meter without counters."""
        repeat = repeats.repeat_for("line counters", self.meter)
        nearly = repeats.nearly(self.plan.limits)
        first = self.findings(broken)
        in_doubt = any(confirmation.is_in_doubt(each, self.plan.limits) for each in broken if not each.sure)
        runs: list[list[Finding]] = []
        result: list[Finding] = []
        while len(runs) < repeat.at_most and confirmation.may_show_more(repeat, first, runs, result):
            self.runs.append(self.counted.pop() if self.counted else self.again(repeat))
            again = stalls(self.runs[-1], nearly)
            mine = (each for each in breaking(again, nearly) if not _is_loop(each))
            shown = list(filter(confirmation.is_sleep_of_its_own, mine))
            if in_doubt:
                shown = [each for each in shown if not self._stays_in_doubt(each, broken)]
            runs.append(self.findings(shown))
            result = confirmation.confirmed(first, runs, needed=repeat.needed)
        return result

    def _stays_in_doubt(self, stall: Stall, first: list[Stall]) -> bool:
        limits = self.plan.limits
        in_doubt = confirmation.is_in_doubt(stall, limits)
        return in_doubt or confirmation.is_short_where_in_doubt(stall, first, limits)

    def _named(self, found: list[Finding]) -> list[Finding]:
        """Of what many hold together, each part may be too short for a look: counters name its line, in one request."""
        if not any(map(shared_turns.lacks_line, found)):
            return found
        repeat = repeats.repeat_for("line counters", self.meter)
        alone = self.findings(stalls(self.again(repeat), self.plan.limits))
        return [shared_turns.named(each, alone) for each in found]

    def _off_loop(self, how: Confirmation, found: list[Stall], warm_up: list[Stall]) -> list[Finding]:
        """Findings confirmed by runs with probes: what happens off the loop shows in no step of the request."""
        off_loop = repeats.confirmed_by(how, found)
        twice = _shown_twice(off_loop, warm_up, self.plan.limits, self.findings) if self._two_may_be_proof else []
        return twice or self._came_again(how, self.findings(off_loop))

    @property
    def _two_may_be_proof(self) -> bool:
        return self.two_are_proof and self.meter == "full"

    def _came_again(self, how: Confirmation | Literal["as sent"], first: list[Finding]) -> list[Finding]:
        repeat = repeats.repeat_for(how, self.meter)
        runs: list[list[Finding]] = []
        while len(runs) < repeat.at_most and not confirmation.all_came_again(first, runs):
            again = breaking(stalls(self.again(repeat), self.plan.limits), self.plan.limits)
            runs.append(self.findings(stall for stall in again if stall.sure or not repeat.only_sure))
        return confirmation.came_again(first, runs)


def _is_loop(stall: Stall) -> bool:
    """Whether it is a loop that waits, of which no sleeps were counted."""
    return stall.polls is not None and stall.naps is None
