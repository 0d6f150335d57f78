"""Turns `"50 ms"` into integer nanoseconds and back. No other module knows units."""

import re

_NS_PER = {"us": 1_000, "µs": 1_000, "ms": 1_000_000, "s": 1_000_000_000}
SWITCH_INTERVAL_NS = 5_000_000
"""Ns that a thread waits before it asks the thread that has the GIL to let go: CPython's default switch interval
(`sys.getswitchinterval()`)."""
NS_OF_ONE_WAKE = 6 * SWITCH_INTERVAL_NS // 5
"""Ns that one switch of a wait for the GIL takes at most: 6 ms. Measured beside 4 busy processes: 717 ms with 142
switches, 617 ms with 119."""
_DURATION = r"\s*([0-9]+(?:\.[0-9]+)?)\s*(us|µs|ms|s)\s*"  # compiled where it is used: every pytest run imports this
LONGEST_S = 86_400
"""Seconds of the longest duration: a day. What counts them, as a wait of a thread, overflows at 292 years."""
_TOO_LONG_NS = LONGEST_S * 1_000_000_000 + 1


def parse(text: object) -> int:
    """Nanoseconds of a duration such as `"50 ms"`, `"1.5s"` or `"200us"`.

    Raises ValueError, in one sentence, for anything else: a bare number has no
    unit, and a guess would be wrong by a factor of a thousand.
    """
    match = re.fullmatch(_DURATION, text) if isinstance(text, str) else None
    ns = round(min(float(match[1]) * _NS_PER[match[2]], _TOO_LONG_NS)) if match else 0
    if 0 < ns < _TOO_LONG_NS:
        return ns
    from pytest_noblock.model import shown

    if ns:
        raise ValueError(f"{shown.value(text)} is longer than a day: write a duration of at most {LONGEST_S} s")
    raise ValueError(
        f'{shown.value(text)} is not a duration: write a positive number and a unit (us, ms or s), such as "50 ms"'
    )


def milliseconds(ns: int) -> float:
    """Milliseconds with microsecond precision, as reports carry them."""
    return round(ns / 1_000_000, 3)


def nanoseconds(ms: float) -> int:
    """The reverse, of what a report carries."""
    return round(ms * 1_000_000)


def seconds(ns: int) -> str:
    """Seconds with two digits, for figures in requests per second: `0.51 s`."""
    return f"{ns / 1_000_000_000:.2g} s"


def words(ns: int) -> str:
    """A duration as people read it: `301 ms`, `4.2 ms`, `0.08 ms`."""
    ms = ns / 1_000_000
    if ms >= 9.95:
        return f"{ms:.0f} ms"
    if ms >= 0.95:
        return f"{ms:.1f} ms"
    return f"{ms:.2g} ms"
