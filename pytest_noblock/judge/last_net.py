"""The last net: a turn of the loop that kept a probe waiting, and of which no rule knows the cause. Pure functions.

What the loop thread slept or computed outside of all recorded steps, no judge of steps has read. A busy machine can
make neither: it adds run-queue delay, and waits for the GIL, which show many switches.
"""

from collections.abc import Iterator, Sequence

from pytest_noblock.judge.gil_waits import looks_like_gil_wait
from pytest_noblock.model.concurrency import LongTurn
from pytest_noblock.model.limits import UNSETTLED, Limits
from pytest_noblock.model.observation import LOOP, Observation, Probe
from pytest_noblock.model.segment import Segment
from pytest_noblock.model.units import words

_LEAST_NS = 30_000_000
"""Ns. Less than this may be our own work between the steps: 40 requests that are sampled take 10 ms a tick."""


def unexplained(observation: Observation, limits: Limits) -> str | None:
    """The sentence for the worst probe that waited twice the limit in a turn without a cause; None where none did."""
    ticks = [each for each in observation.probes if each.path == LOOP and each.waited >= 2 * limits.max_block]
    for probe in sorted(ticks, key=lambda each: -each.waited):
        for turn in observation.long_turns:
            if turn.began < probe.answered and probe.due < turn.ended:
                left = _left(turn, observation)
                if left >= max(limits.max_block, _LEAST_NS):
                    return _sentence(probe, turn, left)
    return None


def waits_on_trio(observation: Observation, limits: Limits) -> Iterator[str]:
    """A note on the longest wait of a user's probe while the loop turned, where trio ran the app: nobody saw for what.

    `pool-starved` and `contention` are judged by tasks, futures and limiters of asyncio.
    """
    if observation.loop != "trio":
        return
    late = [each for each in observation.probes if each.path == LOOP and each.waited >= limits.max_block]
    waits = (
        each
        for each in observation.probes
        if each.status is not None
        and each.waited >= 2 * limits.max_block
        and not any(tick.due < each.answered and each.due < tick.answered for tick in late)
    )
    longest = max(waits, key=lambda each: each.waited, default=None)
    if longest is not None:
        yield (
            f"{UNSETTLED}a probe of GET {longest.path} waited {words(longest.waited)} while the loop was free; on "
            "trio it is not seen for what, as for a lock or a thread of the pool; not counted"
        )


def _left(turn: LongTurn, observation: Observation) -> int:
    """Ns that the loop thread slept or computed in the turn, and in none of its steps that were recorded.

    Of many requests at once each takes a little: the CPU of their short steps is recorded nowhere, and is nobody's
    fault.
    """
    steps = [each for each in observation.segments if turn.began <= each.began < turn.ended]
    slept = 0 if looks_like_gil_wait(turn.switches, turn.asleep) else turn.asleep - _sum_asleep(steps)
    computed = turn.cpu - turn.collected - sum(each.cpu + each.collected for each in steps)
    one = len(observation.exchanges) == 1
    return max(0, max(0, slept) + max(0, computed if one else 0) - turn.deducted)


def _sum_asleep(steps: Sequence[Segment]) -> int:
    return sum(each.asleep for each in steps)


def _sentence(probe: Probe, turn: LongTurn, left: int) -> str:
    return (
        f"a probe of the event loop waited {words(probe.waited)}, and no cause was found: in one turn of the loop its "
        f"thread slept {words(turn.asleep)} (in {turn.switches} goes), computed {words(turn.cpu)} and waited "
        f"{words(turn.queued)} for a processor, {words(left)} of it in no step of a request"
    )
