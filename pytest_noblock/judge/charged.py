"""Whose check a segment belongs to (pure)."""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from pytest_noblock.model.observation import LIFESPAN, Exchange, Phase
from pytest_noblock.model.segment import Segment


class Charged(NamedTuple):
    """Whose check a segment belongs to."""

    exchange: Exchange
    of_app: bool = False
    """Whether the app ran it, and no request."""


def charged_for(segment: Segment, exchanges: Mapping[int, Exchange]) -> Iterator[Charged]:
    """The segment's exchange. What the app runs by itself belongs to the request that was under way, if one was."""
    exchange = exchanges.get(segment.exchange)
    if exchange is not None and exchange.phase_at(segment.began) is not Phase.APP:
        yield Charged(exchange)
        return
    waiting = under_way(exchanges.values(), segment.began, segment.ended)
    if waiting is not None:
        yield Charged(waiting, of_app=True)
    elif exchange is not None:
        yield Charged(exchange)


def under_way(exchanges: Iterable[Exchange], began: int, ended: int) -> Exchange | None:
    """The first request that was under way at any time between two moments, or had ended just before; else None."""
    overlapping = (
        each
        for each in exchanges
        if each.method != LIFESPAN and each.sent < ended and (ended if each.over_at is None else each.over_at) > began
    )
    return next(overlapping, None)
