"""Garbage collections that fell due while a request was under way: told, and charged to nobody. Pure functions.

The collector keeps the GIL to its end, in whichever thread it runs. What it takes depends on all objects of the
process, the tests' own among them, and whose request it falls into is chance.
"""

from collections.abc import Iterator

from pytest_noblock.judge.charged import under_way
from pytest_noblock.model.concurrency import Collection, Gap, LongTurn
from pytest_noblock.model.limits import UNSETTLED, Limits
from pytest_noblock.model.observation import Exchange, Observation
from pytest_noblock.model.units import words


def notes(observation: Observation, exchange: Exchange, limits: Limits) -> Iterator[str]:
    """One sentence where a collection took the limit, or longer, in the time of the exchange."""
    own = [each for each in observation.collections if _fell_into(each, exchange) and each.cpu >= limits.max_block]
    longest = max(own, key=lambda each: each.cpu, default=None)
    if longest is not None:
        what, worst = (f"{len(own)} garbage collections", "at most ") if len(own) > 1 else ("a garbage collection", "")
        yield (
            f"{UNSETTLED}{what} that fell due held the event loop {worst}{words(longest.cpu)} while {exchange.request} "
            "was under way; not counted, for it takes all objects of the process, the tests' too (gc.freeze() after "
            "the start leaves out what stays)"
        )


def _fell_into(each: Collection, exchange: Exchange) -> bool:
    return under_way([exchange], each.began, each.ended) is not None


def explains(observation: Observation, span: Gap | LongTurn, waited: int) -> bool:
    """Whether collections had the GIL for most of the ns that the loop thread waited for it in this time."""
    return 2 * sum(_shared(each, span) for each in observation.collections) >= waited


def _shared(each: Collection, span: Gap | LongTurn) -> int:
    return max(0, min(each.ended, span.ended) - max(each.began, span.began))
