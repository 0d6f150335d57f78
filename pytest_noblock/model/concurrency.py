"""What was recorded beside the steps of a request: thread pools, gaps between steps, waits of probes.

Moments are `time.perf_counter_ns` readings, durations ns, stacks innermost frame first with absolute files.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from pytest_noblock.model.frames import Stack

SeenIn = Literal["workers", "tasks", "responses"]
"""Where the stacks of a pool reading come from.

`workers`: the pool's threads. `tasks`: the tasks that wait for these threads, where no thread runs a user line.
`responses`: tasks that wait inside a response that an endpoint returned (a file); their stacks begin with the endpoint.
"""


@dataclass(frozen=True, slots=True)
class PoolReading:
    """A thread pool at a moment at which all its threads were taken and somebody waited for one."""

    at: int
    """The moment of the reading."""
    span: int
    """A number that readings share which follow each other while the pool stays full."""
    pool: str
    """`the thread pool`, `the default executor`, or the name that the app gave its own pool."""
    total: int
    """How many threads, or tokens, the pool has."""
    waiting: int
    """How many tasks waited for a thread."""
    holders: tuple[int, ...]
    """For each thread that was taken: the number of the exchange that had it, 0 for no observed exchange. Threads that
    probes had are left out."""
    at_work: int
    """How many threads had not ended their work. The other threads wait for the loop to fetch their results."""
    queued: int | None
    """Ns of run-queue delay of all threads of the pool since the threads began: it only grows. None on the portable
    meter."""
    stacks: tuple[Stack, ...] = ()
    """The stacks that show a user line; `seen_in` says whose stacks."""
    seen_in: SeenIn = "workers"
    shared_cpu: int = 0
    """Ns that the whole process computed in a gap of the watchdog's, at most; 0 for others."""
    seen_by: Literal["loop thread", "watchdog"] = "loop thread"
    """Who read it. In a watched test it is the watchdog; a test may well fill a pool for less than the limit."""


@dataclass(frozen=True, slots=True)
class PoolUse:
    """How long the observed requests had threads of one pool."""

    pool: str
    """As `PoolReading.pool`."""
    total: int
    """How many threads, or tokens, the pool has."""
    taken: int
    """Ns, added up over all threads and requests: two threads for 1 ms are 2 ms; from samples 5 ms apart."""
    exchange: int | None = None
    """The number of the exchange whose use it is; None for all that the run observed."""


@dataclass(frozen=True, slots=True)
class Worker:
    """A thread that computed in a gap, as it was right after the gap."""

    cpu: int
    """Ns that the thread computed in the gap, by its CPU clock."""
    stack: Stack
    """The stack of the thread."""
    awaited: Stack = ()
    """The stack of the task that waits for the thread; empty where no task does."""
    exchanges: tuple[int, ...] = ()
    """The numbers of the exchanges that the thread worked for, as far as known; it may have done several jobs."""
    of_pool: bool = False
    """Whether it is a thread of the loop's own pools: whoever it worked for waits for a thread."""
    sleeps: int | None = None
    """How often the thread went to sleep in the gap: each time that it handed the GIL over. None where nobody knows."""
    ended: bool = False
    """Whether it had ended when the gap did: nobody knows in how many goes it computed."""
    at_most: int = 0
    """Ns that it may have computed in the gap, where `cpu` is a lower bound; 0 where `cpu` is exact."""


class HeldTurn(NamedTuple):
    """A turn of the loop that lasted long, in steps that no request owns, while a request was under way."""

    exchange: int
    ns: int
    """At least so long; the loop thread's run-queue delay is off."""
    stack: Stack
    """Of the last look at it."""
    polls: bool = False
    """Whether it ran while the loop waited for its selector: a signal handler, or a finalizer."""


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch between two steps in which the loop thread wanted to go on and did not; durations in ns."""

    began: int
    ended: int
    late: int
    """Ns by which the loop thread went on too late."""
    switches: int
    """Voluntary context switches of the loop thread in the gap."""
    asleep: int
    """Ns that the loop thread slept in these switches, added up."""
    others_cpu: int
    """Ns that the other threads of the process computed in the gap."""
    workers: tuple[Worker, ...] = ()
    """The threads that computed in the gap; the thread that computed most stands first."""
    exchange: int | None = None
    """The number of the exchange that waits for the thread that computed most; None where nobody knows."""
    waiting: tuple[int, ...] = ()
    """The numbers of the exchanges that waited for a thread when the gap ended; empty where nobody looked."""
    shared_cpu: int = 0
    """Ns that the whole process computed in a gap of the watchdog's, at most; 0 for others."""
    seen_by: Literal["loop thread", "watchdog"] = "loop thread"
    """Who waited for the GIL: whose switches and sleep these are. In a watched test it is the watchdog, while no step
    runs: the loop thread cannot go on either."""
    stranger: Worker | None = None
    """The thread that computed most, where nobody knows whether it is the app's."""
    unread: bool = False
    """Whether nobody read what the threads computed in the gap, as where there are too many of them."""


@dataclass(frozen=True, slots=True)
class LongTurn:
    """One turn of the loop that took long, from one poll of the selector to the next; durations in ns.

    Where the loop does not say when it polls: from one tick of ours to the next, which came late.
    """

    began: int
    ended: int
    cpu: int
    """Ns that the loop thread computed."""
    queued: int
    """Ns of its run-queue delay."""
    asleep: int
    """Ns that it slept."""
    switches: int
    """How often it went to sleep."""
    collected: int
    """Ns of CPU that garbage collection took on it."""
    deducted: int
    """Ns that no step is charged for: first imports, waits until a new thread or process has run, our own work, the
    client's among it."""
    others_cpu: int = 0
    """Ns that the other threads of the process computed."""
    polled: bool = True
    """Whether it lies between two polls. Else `cpu` is of several turns, and `asleep` a lower bound."""


class Collection(NamedTuple):
    """A garbage collection that fell due, in any thread: it keeps the GIL to its end."""

    began: int
    ended: int
    cpu: int
    """Ns that it computed."""


@dataclass(frozen=True, slots=True)
class HolderSighting:
    """A place where a request sat while a probe waited."""

    exchange: int
    """The number of the request's exchange."""
    times: int
    """How often the request was sampled at this place."""
    stack: Stack
    """The stack of the request's task at this place."""


@dataclass(frozen=True, slots=True)
class Wait:
    """How one probe of the user waited at one await until something else ended the wait."""

    path: str
    """The path of the probe, `/health`."""
    began: int
    ended: int
    waited_ns: int
    """Ns from `began` to `ended`, without the time in which the machine was busy."""
    stack: Stack
    """Where the probe waited."""
    what: str
    """What the probe waited for, `asyncio.Lock`."""
    by: int | None
    """The number of the exchange whose step ended the wait (probes are exchanges, too); None where a thread or a timer
    ended it."""
    let_go: bool
    """Whether the request had left the place where it sat when the wait ended."""
    shared: bool
    """Whether the probe and the request waited in methods of one and the same object."""
    sightings: tuple[HolderSighting, ...] = ()
    """The places where requests sat while the probe waited."""
