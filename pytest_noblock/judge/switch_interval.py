"""A switch interval that the app has set: who keeps the GIL is judged for CPython's default (pure)."""

from collections.abc import Iterable, Iterator

from pytest_noblock.model.concurrency import Gap
from pytest_noblock.model.limits import UNSETTLED, Limits
from pytest_noblock.model.observation import Observation
from pytest_noblock.model.units import SWITCH_INTERVAL_NS, words


def notes(observation: Observation, waits: Iterable[Gap], limits: Limits) -> Iterator[str]:
    """On the longest of the waits in which other threads computed. `waits`: those of which no finding tells.

    A thread that waits for the GIL wakes once in an interval; the rules count on one wake each 5 ms. With an interval
    of 200 ms the loop came 206 to 405 ms late beside one thread that computes in Python, and no rule saw a wait.
    """
    if observation.switch_interval < 2 * SWITCH_INTERVAL_NS:
        return
    longest = max((min(each.asleep, max(each.others_cpu, each.shared_cpu)) for each in waits), default=0)
    if longest >= limits.max_block:
        yield (
            f"{UNSETTLED}threads computed while the event loop waited {words(longest)} for the GIL, and "
            f"sys.setswitchinterval({observation.switch_interval / 1e9:g}) lets each of them keep it for so long; "
            f"who keeps it is judged for the default of {SWITCH_INTERVAL_NS / 1e9:g}; not counted"
        )
