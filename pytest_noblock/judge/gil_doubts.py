"""Waits for the GIL for which no one thread is to blame: told, and not counted. Pure functions of gaps and turns.

Many threads that compute in Python hand the GIL to each other each 5 ms, and each has it before the loop thread has it
again: with twelve of them the loop waits 55 ms for it, after each system call of a turn anew.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

from pytest_noblock.judge import collected, switch_interval
from pytest_noblock.judge.gil import frees_gil, under_way
from pytest_noblock.judge.gil_waits import is_gil_wait, looks_like_gil_wait, may_pass_it_on, threads_computed
from pytest_noblock.model.concurrency import Gap, LongTurn, Worker
from pytest_noblock.model.frames import Stack, user_frame
from pytest_noblock.model.limits import UNSETTLED, Limits
from pytest_noblock.model.observation import LOOP, Exchange, Observation
from pytest_noblock.model.stall import Stall
from pytest_noblock.model.units import words

_LONG_SHARE, _MUCH_SHARE = 1 / 2, 3 / 2
"""Of the limit: how long the longest wait must be, and all together. Two threads that compute in Python keep the
watchdog waiting for 10 ms at a time, three for 15. Measured with requests of 100 ms at once, limit 50 ms, longest and
all: 2 requests 11 and 29 ms (a tick of the loop was 49 ms late), 3: 43 and 92 (195), 5: 28 and 103 (412), 12: 70 and
244 (646)."""

LOOP_WAITED = f"{UNSETTLED}the event loop waited "
"""How each of these notes begins that tells of such a wait."""
_NOBODYS = "threads computed meanwhile, and none is known to have kept it (fewer at once, or a process); not counted"

Shown = Callable[[str], str]
"""Turns an absolute file into the name that reports show."""


def notes(observation: Observation, found: Sequence[Stall], limits: Limits, shown: Shown = str) -> Iterator[str]:
    """What is to be said of the run. `found`: its stalls; a wait of which one tells is no doubt."""
    gaps = [
        each
        for each in observation.gaps
        if under_way(observation.exchanges, each) is not None
        and not _is_told(each, found, limits)
        and not collected.explains(observation, each, each.late)
    ]
    yield from switch_interval.notes(observation, gaps, limits)
    waits = [each for each in gaps if is_gil_wait(each, each.asleep)]
    longer = [each for each in waits if any(_at_most(worker, each, limits) for worker in each.workers)]
    yield from _kept_asleep([each for each in waits if _mostly_waited(each) and each not in longer], limits)
    yield from _kept_by_stranger(waits, limits)
    yield from _perhaps_longer(longer, limits, shown)
    passed_on = {each: worker for each in waits if (worker := _passed_on(each, limits)) is not None}
    yield from _by_one_of_several(passed_on, shown)
    turn = _shared_turn(observation, found, limits)
    if turn is not None:
        yield turn
    else:
        rest = [each for each in waits if each.stranger is None and each not in (*passed_on, *longer)]
        yield from _shared([each for each in rest if _mostly_waited(each) or _is_nobodys(each, limits)], limits, shown)


def of_exchange(
    observation: Observation, exchange: Exchange, found: Sequence[Stall], limits: Limits, shown: Shown
) -> Iterator[str]:
    """The same of one of several requests, in whose time the gaps fell."""
    own = (each for each in observation.gaps if under_way(observation.exchanges, each) is exchange)
    yield from notes(observation._replace(gaps=tuple(own)), found, limits, shown)


def _mostly_waited(gap: Gap) -> bool:
    """Whether it waited for the GIL all the time; a part of the time it may have waited for a processor instead."""
    return is_gil_wait(gap, gap.late)


def _is_told(span: Gap | LongTurn, found: Sequence[Stall], limits: Limits) -> bool:
    return any(each.began < span.ended and span.began < each.ended and each.breaks(limits) for each in found)


def _kept_asleep(waits: Sequence[Gap], limits: Limits) -> Iterator[str]:
    """The longest wait that no thread's CPU explains, from twice the limit on."""
    unexplained = (
        gap for gap in waits if gap.late >= 2 * limits.max_block and not threads_computed(gap.others_cpu, gap.late)
    )
    longest = max(unexplained, key=lambda gap: gap.late, default=None)
    if longest is not None:
        yield f"{LOOP_WAITED}{words(longest.late)} for the GIL, and {_by_whom(longest)}; not counted"


def _by_whom(gap: Gap) -> str:
    if gap.unread:
        return "nobody read what the threads computed meanwhile, as where there are very many"
    return "no thread computed meanwhile: one kept it asleep, as an extension in C may do, or had no processor"


def _kept_by_stranger(waits: Sequence[Gap], limits: Limits) -> Iterator[str]:
    """The longest wait for one thread that may be the app's, an SDK's that started as the app was imported, or not."""
    kept = [(min(gap.late, gap.stranger.cpu), gap.stranger.stack) for gap in waits if gap.stranger is not None]
    longest, stack = max(kept, key=lambda each: each[0], default=(0, ()))
    if longest >= limits.max_block:
        yield (
            f"{LOOP_WAITED}{words(longest)} for the GIL, which {_whose(stack)} kept; nobody knows "
            "whether that thread is the app's, so it is not counted"
        )


def _whose(stack: Stack) -> str:
    """`vendor.Sdk._run`: what the thread runs, further in than `threading` and pools."""
    outer = [frame for frame in reversed(stack) if not (frame.module or "").startswith(("threading", "concurrent."))]
    return f"`{outer[0].module}.{outer[0].qualname or outer[0].function}`" if outer else "a thread"


def _passed_on(gap: Gap, limits: Limits) -> Worker | None:
    """The thread that would have kept the watchdog waiting for too long, had it not handed the GIL to others."""
    if gap.seen_by != "watchdog":  # the loop thread had the GIL between its waits, and each was short
        return None
    computed = (each for each in gap.workers if each.cpu >= limits.max_block and not frees_gil(each))
    return next((each for each in computed if may_pass_it_on(each, gap)), None)


def _by_one_of_several(passed_on: Mapping[Gap, Worker], shown: Shown) -> Iterator[str]:
    """The longest wait in which one thread computed, and others had the GIL in between, and the loop had not."""
    longest = max(passed_on, key=lambda each: passed_on[each].cpu, default=None)
    if longest is not None:
        worker = passed_on[longest]
        how = (
            "has ended, and nobody counted how often" if worker.ended else f"went to sleep {worker.sleeps} times, as if"
        )
        what = f"a thread computed {words(worker.cpu)}{_where(worker, shown)} while the event loop waited for the GIL"
        yield f"{UNSETTLED}{what}; it {how} it handed the GIL over to other threads; not counted"


def _perhaps_longer(waits: Sequence[Gap], limits: Limits, shown: Shown) -> Iterator[str]:
    """The thread that kept the GIL, for less than the limit as far as is known, and for longer than it perhaps.

    Beside busy processes nobody reads the clocks often enough: 83 ms were 42 to 45 ms at least, 3 times of 100.
    """
    kept = [(most, worker) for gap in waits for worker in gap.workers if (most := _at_most(worker, gap, limits))]
    most, worker = max(kept, key=lambda each: each[0], default=(0, None))
    if worker is not None:
        how_long = f"for {words(worker.cpu)} to {words(most)}, nobody knows more exactly"
        yield f"{UNSETTLED}a thread kept the GIL{_where(worker, shown)} {how_long}; not counted"


def _at_most(worker: Worker, gap: Gap, limits: Limits) -> int:
    """Ns; 0 where it is no more than is known, or less than the limit."""
    most = min(worker.at_most, gap.asleep)
    is_one = not (frees_gil(worker) or may_pass_it_on(worker, gap))
    return most if worker.cpu < limits.max_block <= most and is_one else 0


def _shared(waits: Sequence[Gap], limits: Limits, shown: Shown) -> Iterator[str]:
    """The waits in which several threads had the GIL in turns."""
    took = [min(gap.asleep, gap.shared_cpu or gap.others_cpu) for gap in waits]
    longest = max(took, default=0)
    much = longest >= _LONG_SHARE * limits.max_block and sum(took) >= _MUCH_SHARE * limits.max_block
    if much or any(_is_nobodys(gap, limits) for gap in waits):
        often = f", in {len(took)} waits of up to {words(longest)}" if len(took) > 1 else ""
        at = _at(waits[took.index(longest)], shown)
        yield f"{LOOP_WAITED}{words(sum(took))} for the GIL{often}{at}: {_NOBODYS}"


def _shared_turn(observation: Observation, found: Sequence[Stall], limits: Limits) -> str | None:
    """The worst turn in which the loop thread waited for the GIL again and again, and a probe of the loop with it."""
    least = 2 * limits.max_block
    late = [each for each in observation.probes if each.path == LOOP and each.waited >= least]
    for turn in sorted(observation.long_turns, key=lambda each: -each.asleep):
        waited = min(turn.asleep, turn.others_cpu) >= least and looks_like_gil_wait(turn.switches, turn.asleep)
        met = any(turn.began < probe.answered and probe.due < turn.ended for probe in late)
        known = _is_told(turn, found, limits) or collected.explains(observation, turn, turn.asleep)
        if waited and met and not known:
            return f"{LOOP_WAITED}{words(turn.asleep)} for the GIL in one turn: {_NOBODYS}"
    return None


def _is_nobodys(gap: Gap, limits: Limits) -> bool:
    """Whether one thread may have kept the watchdog waiting for too long that has ended: nobody knows which one it was.

    Beside busy processes the pool of a test's loop is gone before the watchdog looks.
    """
    return min(gap.asleep, gap.shared_cpu) - sum(each.cpu for each in gap.workers) >= limits.max_block


def _at(gap: Gap, shown: Shown) -> str:
    """Where the thread was that computed most."""
    place = next((place for each in gap.workers if (place := _where(each, shown))), "")
    return place.replace(" at ", ", most for ", 1)


def _where(worker: Worker, shown: Shown) -> str:
    frame = user_frame(worker.stack)
    return f" at {shown(frame.file)}:{frame.line}" if frame is not None else ""
