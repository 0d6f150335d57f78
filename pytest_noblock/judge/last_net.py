"""The last net: a turn of the loop that kept a probe waiting, and of which no rule knows the cause. Pure functions.

What the loop thread slept or computed outside of all recorded steps, no judge of steps has read; and where several
steps of one turn are each under the limit, no judge may have put them together. A busy machine can make neither: it
adds run-queue delay, and waits for the GIL, which show many switches.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from pytest_noblock.judge.first_use import taken_off
from pytest_noblock.judge.gil_waits import looks_like_gil_wait
from pytest_noblock.judge.shared_turns import LEAST_NS, is_told
from pytest_noblock.judge.sleeps import surely_slept
from pytest_noblock.judge.traced import without_tracing
from pytest_noblock.model.concurrency import LongTurn
from pytest_noblock.model.limits import UNSETTLED, Limits
from pytest_noblock.model.observation import LOOP, Observation, Probe
from pytest_noblock.model.segment import Segment
from pytest_noblock.model.stall import Stall
from pytest_noblock.model.units import words

_LEAST_NS = 30_000_000
"""Ns. Less than this may be our own work between the steps: 40 requests that are sampled take 10 ms a tick."""


_IDLE_SHARE = 1 / 20
"""Of a wait for the GIL: what other threads compute in it at most while one keeps the GIL asleep. Measured: 2 to 4 ms
in 150. One that computes, beside 8 busy processes on two processors, has 16 % and more."""


class _Waited(NamedTuple):
    """A turn that kept a probe waiting for twice the limit, and the probe."""

    probe: Probe
    turn: LongTurn


def unexplained(observation: Observation, found: Sequence[Stall], limits: Limits) -> str | None:
    """The sentence for the worst probe that waited twice the limit in a turn without a cause; None where none did.

    `found`: the stalls of the run.
    """
    least = max(limits.max_block, _LEAST_NS)
    for waited in _waited(observation, 2 * limits.max_block):
        outside = _outside(waited.turn, observation)
        if outside >= least:
            return _sentence(waited, f"{words(outside)} of it in no step of a request")
        together = 0 if _is_told(waited.turn, found, limits) else _together(waited.turn, observation)
        if together >= limits.max_block:
            return _sentence(waited, f"{words(together)} of it in steps that were each under the limit")
    return None


class Unexplained(NamedTuple):
    """A turn of the loop, among many different requests, that lasted long without a cause."""

    turn: LongTurn
    sentence: str


def of_many(observation: Observation, limits: Limits) -> Iterator[Unexplained]:
    """Those in which a tick waited for the limit and longer, the worst first. `probes` of the observation: late ticks.

    What the requests computed in steps that were not recorded is nobody's. So only sleeps count, and waits for the GIL
    in which other threads computed and that no gap shows, or in which none computed: one kept it asleep.
    """
    least = max(limits.max_block, _LEAST_NS)
    worst: dict[LongTurn, _Waited] = {}
    for each in _waited(observation, limits.max_block):
        if each.turn.asleep >= least:
            worst.setdefault(each.turn, each)
    for waited in worst.values():
        outside = _outside(waited.turn, observation)
        if outside >= least:
            yield Unexplained(waited.turn, _sentence(waited, f"{words(outside)} of it in no step of a request"))
        elif _waited_unseen(waited.turn, observation) >= least:
            yield Unexplained(
                waited.turn, _sentence(waited, f"while other threads computed {words(waited.turn.others_cpu)}")
            )
        elif _kept_asleep(waited.turn, observation) >= 2 * limits.max_block:
            yield Unexplained(waited.turn, _sentence(waited, "while it waited for the GIL and no thread computed"))


def _waited_unseen(turn: LongTurn, observation: Observation) -> int:
    """Ns for which other threads computed while the loop thread waited for the GIL, as far as no gap shows it."""
    if turn.polled or not looks_like_gil_wait(turn.switches, turn.asleep):
        return 0
    gaps = (each for each in observation.gaps if each.began < turn.ended and turn.began < each.ended)
    seen = sum(max(each.others_cpu, each.shared_cpu) for each in gaps)
    return min(turn.asleep - sum(each.asleep for each in _steps(turn, observation)), turn.others_cpu - seen)


def _kept_asleep(turn: LongTurn, observation: Observation) -> int:
    """Ns for which the loop thread waited for the GIL, where no other thread computed.

    One that has the GIL and waits for a processor, on a busy machine, computes a little meanwhile.
    """
    if not looks_like_gil_wait(turn.switches, turn.asleep):
        return 0
    waited = turn.asleep - sum(each.asleep for each in _steps(turn, observation))
    return 0 if turn.others_cpu > _IDLE_SHARE * waited else waited


def crowd(observation: Observation, found: Sequence[Stall], limits: Limits) -> str | None:
    """The note for many requests at once, where many short steps made long turns.

    Several such turns may follow each other: what waits for a timer and goes on in a task waits for two of them.
    """
    if len(observation.exchanges) < 2:
        return None
    for probe in _late_ticks(observation, 2 * limits.max_block):
        turns = [each for each in _turns_of(probe, observation) if each.polled and not _is_told(each, found, limits)]
        computed = sum(each.cpu - each.collected - each.deducted for each in turns)
        if computed >= 2 * limits.max_block:
            within = "one turn" if len(turns) == 1 else f"{len(turns)} turns"
            return (
                f"{UNSETTLED}a probe of the event loop waited {words(probe.waited)}: the loop computed "
                f"{words(computed)} in {within}, in many short steps of the requests and of the client that sent them; "
                "not counted"
            )
    return None


def _waited(observation: Observation, least: int) -> Iterator[_Waited]:
    """The worst probe first."""
    for probe in _late_ticks(observation, least):
        yield from (_Waited(probe, turn) for turn in _turns_of(probe, observation))


def _late_ticks(observation: Observation, least: int) -> list[Probe]:
    """The ticks that waited for so long (ns), the worst first."""
    ticks = [each for each in observation.probes if each.path == LOOP and each.waited >= least]
    return sorted(ticks, key=lambda each: -each.waited)


def _turns_of(probe: Probe, observation: Observation) -> list[LongTurn]:
    """The long turns in which the probe waited."""
    return [each for each in observation.long_turns if each.began < probe.answered and probe.due < each.ended]


def waits_on_trio(observation: Observation, limits: Limits) -> Iterator[str]:
    """A note on the longest wait of a user's probe while the loop turned, where trio ran the app: nobody saw for what.

    `pool-starved` and `contention` are judged by tasks, futures and limiters of asyncio.
    """
    if observation.loop != "trio":
        return
    ticks = [each for each in observation.probes if each.path == LOOP]
    waits = [each for each in observation.probes if each.status is not None and each.waited >= 2 * limits.max_block]
    free, path = max(((_while_free(each, ticks), each.path) for each in waits), default=(0, ""))
    if free >= 2 * limits.max_block:
        yield (
            f"{UNSETTLED}a probe of GET {path} waited {words(free)} while the loop was free; on "
            "trio it is not seen for what, as for a lock or a thread of the pool; not counted"
        )


def _while_free(probe: Probe, ticks: Iterable[Probe]) -> int:
    """Ns of the probe's wait in which no tick waited: a busy machine makes the loop late for a part of a long wait."""
    free, since = 0, probe.due
    for tick in sorted(ticks, key=lambda each: each.due):
        if tick.due < probe.answered and tick.answered > since:
            free += max(0, tick.due - since)
            since = tick.answered
    return free + max(0, probe.answered - since)


def _outside(turn: LongTurn, observation: Observation) -> int:
    """Ns that the loop thread slept or computed in the turn, and in none of its steps that were recorded.

    Of many requests at once each takes a little: the CPU of their short steps is recorded nowhere, and is nobody's
    fault.
    """
    steps = _steps(turn, observation)
    slept = 0 if looks_like_gil_wait(turn.switches, turn.asleep) else turn.asleep - sum(each.asleep for each in steps)
    computed = turn.cpu - turn.collected - sum(each.cpu + each.collected for each in steps)
    one = len(observation.exchanges) == 1
    return max(0, max(0, slept) + max(0, computed if one else 0) - turn.deducted)


def _together(turn: LongTurn, observation: Observation) -> int:
    """Ns that the steps held the loop for in the turn: of each request, and of the app, what is no small part.

    What a process does once, and what a tracer may have added, no judge takes for a cause.
    """
    probes = {each.number for each in observation.probe_exchanges}
    held: Counter[int] = Counter()
    for each in _steps(turn, taken_off(without_tracing(observation))):
        held[each.exchange] += each.cpu + surely_slept(each)
    return sum(ns for number, ns in held.items() if ns >= LEAST_NS and number not in probes)


def _is_told(turn: LongTurn, found: Iterable[Stall], limits: Limits) -> bool:
    return is_told((turn.began, turn.ended), found, limits)


def _steps(turn: LongTurn, observation: Observation) -> list[Segment]:
    return [each for each in observation.segments if turn.began <= each.began < turn.ended]


def _sentence(waited: _Waited, part: str) -> str:
    probe, turn = waited
    when = "in one turn of the loop" if turn.polled else "meanwhile"
    return (
        f"a probe of the event loop waited {words(probe.waited)}, and no cause was found: {when} its thread slept "
        f"{words(turn.asleep)} (in {turn.switches} goes), computed {words(turn.cpu)} and waited "
        f"{words(turn.queued)} for a processor, {part}"
    )
