"""Round trips of which nobody can say which thread made them: pure functions. Each is told, in a note."""

from collections.abc import Iterable

from pytest_noblock.judge import attribution
from pytest_noblock.model.finding import Finding
from pytest_noblock.model.limits import UNSETTLED
from pytest_noblock.model.segment import Segment


def notes(segments: Iterable[Segment], exchange: int, found: Iterable[Finding]) -> tuple[str, ...]:
    """One sentence for each peer, about the segments of one exchange.

    `found`: the findings of the exchange. Where one of them is a round trip, the doubt is settled.
    """
    if any(finding.kind == "sync-network" for finding in found):
        return ()
    doubtful = (each for each in segments if each.exchange == exchange and each.doubtful_trips)
    peers = [trip.peer for segment in doubtful if not attribution.of_network(segment) for trip in segment.exchanged]
    return tuple(_sentence(peer, peers.count(peer)) for peer in dict.fromkeys(peers))


def _sentence(peer: str | None, times: int) -> str:
    trips = "a round trip" if times == 1 else f"{times} round trips"
    return (
        f"{UNSETTLED}{trips} to {peer or 'a closed socket'} while the event loop was held: another thread computed "
        "at the same time and may have made it, so it is not counted"
    )
