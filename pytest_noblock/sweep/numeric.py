"""Numbers within bounds: 1 where that will do, else the nearest."""

import itertools
import math
from collections.abc import Iterator
from fractions import Fraction

from pytest_noblock.sweep.schemas import Schema

_PARTS = 8
"""Into so many parts an interval without a whole number is cut."""


class _Bounds:
    """The interval that a schema allows, and whether its ends belong to it. None stands for no bound."""

    def __init__(self, schema: Schema) -> None:
        self.least, self.above = _stricter(schema.get("minimum"), schema.get("exclusiveMinimum"), max)
        self.most, self.below = _stricter(schema.get("maximum"), schema.get("exclusiveMaximum"), min)

    def __contains__(self, value: Fraction) -> bool:
        if self.least is not None and (value < self.least or (self.above and value == self.least)):
            return False
        return self.most is None or (value < self.most or (not self.below and value == self.most))


def _stricter(inclusive: object, exclusive: object, pick: object) -> tuple[Fraction | None, bool]:
    ends = [(_exact(inclusive), False), (_exact(exclusive), True)]
    known = [(end, out) for end, out in ends if end is not None]
    if not known:
        return None, False
    strictest = (max if pick is max else min)(end for end, _ in known)
    return strictest, any(out for end, out in known if end == strictest)


def _exact(number: object) -> Fraction | None:
    if isinstance(number, bool) or not isinstance(number, int | float) or not math.isfinite(number):
        return None
    return Fraction(str(number))


def integers(schema: Schema) -> Iterator[int]:
    """Whole numbers that the schema allows, as far as its bounds and `multipleOf` say: from 1 up, then down."""
    step = _exact(schema.get("multipleOf")) or Fraction(1)
    return (int(value) for value in _multiples(_Bounds(schema), Fraction(step.numerator)))


def numbers(schema: Schema) -> Iterator[int | float]:
    """Numbers that the schema allows: whole ones first."""
    bounds, step = _Bounds(schema), _exact(schema.get("multipleOf"))
    whole = itertools.islice(integers(schema), 3)
    yield from whole
    if step is not None:
        yield from map(_as_number, _multiples(bounds, step))
        return
    yield from map(_as_number, _between(bounds))
    yield from map(_as_number, _multiples(bounds, Fraction(1, 2)))


def _multiples(bounds: _Bounds, step: Fraction) -> Iterator[Fraction]:
    """Multiples of the step within the bounds, from the one nearest to 1."""
    step = abs(step) or Fraction(1)
    start = Fraction(1)
    if bounds.most is not None:
        start = min(start, bounds.most)
    if bounds.least is not None:
        start = max(start, bounds.least)
    first = math.ceil(start / step)
    for turn in (itertools.count(first), itertools.count(first - 1, -1)):
        for count in turn:
            value = count * step
            beyond = (bounds.most is not None and value > bounds.most) or (
                bounds.least is not None and value < bounds.least
            )
            if beyond:
                break
            if value in bounds:
                yield value


def _between(bounds: _Bounds) -> Iterator[Fraction]:
    """Points inside of an interval."""
    if bounds.least is None or bounds.most is None or bounds.least > bounds.most:
        return
    for part in range(_PARTS + 1):
        value = bounds.least + (bounds.most - bounds.least) * Fraction(part or _PARTS // 2, _PARTS)
        if value in bounds:
            yield value


def _as_number(value: Fraction) -> int | float:
    return int(value) if value.denominator == 1 else float(value)
