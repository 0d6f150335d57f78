"""What was recorded beside the steps of a request: thread pools, gaps between steps, waits of probes.

Moments are `time.perf_counter_ns` readings, durations ns, stacks innermost frame first with absolute files.
"""

from dataclasses import dataclass
from typing import Literal

from pytest_noblock.model.frames import Stack

SeenIn = Literal["workers", "tasks", "responses"]
"""Where the stacks of a pool reading come from.

`workers`: the pool's threads. `tasks`: the tasks that wait for them, where no thread runs a user line.
`responses`: tasks that wait inside a response which an endpoint returned, as a file; they begin with the endpoint.
"""


@dataclass(frozen=True, slots=True)
class PoolReading:
    """A thread pool at a moment at which all its threads were taken and somebody waited for one."""

    at: int
    span: int
    """Readings with the same number follow each other, and the pool was full in between."""
    pool: str
    """`the thread pool`, `the default executor`, or what the app calls its own."""
    total: int
    """How many threads, or tokens, it has."""
    waiting: int
    """How many tasks waited for one."""
    holders: tuple[int, ...]
    """The exchange of each thread that was taken, 0 where it is none of the observed; without those of probes."""
    at_work: int
    """How many of the threads had not ended their work; the others wait for the loop to fetch the result."""
    queued: int | None
    """Run-queue delay of all its threads in ns since they began: it only grows. None on the portable meter."""
    stacks: tuple[Stack, ...] = ()
    """Those that show a user line, as `seen_in` says."""
    seen_in: SeenIn = "workers"


@dataclass(frozen=True, slots=True)
class PoolUse:
    """How long the observed requests had threads of a pool, added up."""

    pool: str
    total: int
    """How many threads, or tokens, it has."""
    taken: int
    """Ns of one thread; from samples 5 ms apart."""


@dataclass(frozen=True, slots=True)
class Worker:
    """A thread right after a gap."""

    cpu: int
    """What it computed in the gap, ns."""
    stack: Stack
    awaited: Stack = ()
    """Of the task that waits for it; empty where none does."""


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch between two steps in which the loop thread wanted to go on and did not; durations in ns."""

    began: int
    ended: int
    late: int
    """How much later than it should the loop thread went on."""
    switches: int
    """Its voluntary context switches meanwhile."""
    asleep: int
    """How long it slept in them, in all."""
    others_cpu: int
    """What the other threads of the process computed."""
    workers: tuple[Worker, ...] = ()
    """Threads that computed in it; the one that computed most first."""


@dataclass(frozen=True, slots=True)
class HolderSighting:
    """A place where a request sat while a probe waited."""

    exchange: int
    times: int
    """How often it was sampled there."""
    stack: Stack


@dataclass(frozen=True, slots=True)
class Wait:
    """A probe of the user at one await, which something else ended."""

    path: str
    """The probe's, `/health`."""
    began: int
    ended: int
    waited_ns: int
    """From its begin to its end, without the time in which the machine was busy."""
    stack: Stack
    """Where the probe waited."""
    what: str
    """What it waited for, `asyncio.Lock`."""
    by: int | None
    """The exchange (a probe has a number, too) whose step ended the wait; None where a thread or a timer did."""
    let_go: bool
    """Whether the request had gone on by then from where it sat."""
    shared: bool
    """Whether both waited in methods of one and the same object."""
    sightings: tuple[HolderSighting, ...] = ()
