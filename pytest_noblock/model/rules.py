"""How a stall was found: the rule that decided, and the readings that the rule rests on.

A user who disagrees with a finding, and a bug report, can show why it was made.
"""

from typing import Literal, NamedTuple

from pytest_noblock.model.observation import SocketExchange

Rule = Literal[
    "cpu-clock",
    "slept",
    "slept-asked",
    "known-call",
    "round-trip",
    "doubtful-trip",
    "seen-in-known-calls",
    "mocked-call",
    "gil-gap",
    "pool-full",
    "wait-ended-by-request",
    "wait-ended-after-request",
]
"""Stable ids; `RULES` says what each means."""

FEWEST_SWITCHES = 3
"""Voluntary switches of a wait for the GIL, at least. A sleep of 100 ms, and a wait for a processor, show 1 or 2."""

NS_PER_SWITCH = 12_000_000
"""A wait for the GIL shows one voluntary switch in so many ns, at least. The switch interval is 5 ms; measured on a
quiet machine: 99 ms late with 21 switches, 152 ms with 33; 12 ms leaves room for a busy one."""

POOL_FULL_NS = 10_000_000
"""How long all threads of a pool must be at work before others starve. Requests that come at once and take a moment
each fill a pool as well, for as long as the loop needs to fetch their answers."""

RULES: dict[Rule, str] = {
    "cpu-clock": "the loop thread's CPU clock; garbage collection and first imports are taken off",
    "slept": "wall time less CPU, garbage collection and run-queue delay, where the loop thread switched voluntarily; "
    "waits for the GIL are taken off",
    "slept-asked": "the sleep that the arguments of known calls asked for, and that the calls took",
    "known-call": "a known blocking call to the network ended on the loop thread; red at any speed",
    "round-trip": "a socket that no event loop awaits sent and received within the step; red at any speed",
    "doubtful-trip": "a socket sent and received within the step, another thread computed meanwhile and may have done "
    "it, and a sample shows the loop thread waiting in a known network call",
    "seen-in-known-calls": "portable meter: the time in which the loop thread was seen in known blocking calls",
    "mocked-call": "a known blocking call ended without sleeping and without using a socket; no time is counted",
    "gil-gap": f"the loop thread woke {FEWEST_SWITCHES} times and more, once in {NS_PER_SWITCH // 1_000_000} ms at "
    "least, nearly always in vain, while a thread of the request computed; the size is that thread's CPU",
    "pool-full": f"requests had all threads of a pool at work, for {POOL_FULL_NS // 1_000_000} ms and more, run-queue "
    "delay of the threads taken off",
    "wait-ended-by-request": "a probe waited at an await that a step of the request ended",
    "wait-ended-after-request": "a probe and the request waited in methods of one object, and the probe went on no "
    "sooner than the request",
}
"""What each rule goes by, with its thresholds, for readers of a report."""


class Readings(NamedTuple):
    """What was read of one step, gap or wait; ns and counts, None where it was not read or has no meaning there."""

    wall: int
    """From its begin to its end."""
    cpu: int | None = None
    """What the loop thread computed, garbage collection and first imports taken off; for `gil-gap`, what the thread
    that kept the GIL computed."""
    queued: int | None = None
    """Run-queue delay: the thread was runnable and had no processor; for `pool-full`, of all threads of the pool."""
    asleep: int | None = None
    """Neither on a processor nor in the run queue."""
    switches: int | None = None
    """Voluntary context switches of the loop thread."""
    others_cpu: int | None = None
    """What all other threads of the process computed."""
    collected: int | None = None
    """What garbage collection took."""
    samples: int | None = None
    """How often a stack was sampled."""
    exchanged: tuple[SocketExchange, ...] = ()
    """Peer and bytes of each connection that made a round trip."""
