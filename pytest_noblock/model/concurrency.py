"""What was recorded beside the steps of the request: thread pools, gaps between steps, waits of probes."""

from dataclasses import dataclass
from typing import Literal

from pytest_noblock.model.frames import Stack

SeenIn = Literal["workers", "tasks", "responses"]


@dataclass(frozen=True, slots=True)
class PoolReading:
    """A thread pool at a moment at which all its threads were taken and somebody waited for one.

    `holders` names the exchange of each that was taken, 0 where it is none of the observed;
    what a probe took is left out. `at_work` threads had not done with it. Readings of the
    same `span` follow each other without a gap. `queued` counts up: the run-queue delay
    of the pool's threads, None on the portable meter. `stacks` are the workers', those
    that are in the user's code; where none is, of the tasks that wait for them; where those
    wait in a response that an endpoint returned, as for a file, they begin with the endpoint.
    """

    at: int
    span: int
    pool: str
    total: int
    waiting: int
    holders: tuple[int, ...]
    at_work: int
    queued: int | None
    stacks: tuple[Stack, ...] = ()
    seen_in: SeenIn = "workers"


@dataclass(frozen=True, slots=True)
class PoolUse:
    """For how long the observed requests had threads of a pool, added up; by looks 5 ms apart."""

    pool: str
    total: int
    taken: int


@dataclass(frozen=True, slots=True)
class Worker:
    """A thread right after a gap: what it had burned, where it was and where the task waited that had called it."""

    cpu: int
    stack: Stack
    awaited: Stack = ()


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch between two steps in which the loop's thread should have gone on and did not.

    `late` is by how much; `switches` its voluntary context switches meanwhile, in which it
    was `asleep` for so long in all; `others_cpu` what the other threads of the process
    burned. `workers`: those that burned most first.
    """

    began: int
    ended: int
    late: int
    switches: int
    asleep: int
    others_cpu: int
    workers: tuple[Worker, ...] = ()


@dataclass(frozen=True, slots=True)
class HolderSighting:
    """Where a request was seen while a probe waited, and how often."""

    exchange: int
    times: int
    stack: Stack


@dataclass(frozen=True, slots=True)
class Wait:
    """A user's probe at one await that somebody else ended.

    `by` names the exchange in whose step that was (probes have numbers, too), None
    where it was nobody's: a thread's, a timer's. `let_go`: the request had gone on by
    then from where it sat. `shared`: both waited in methods of one and the same
    object. `what` the probe waited for. `waited_ns` is for how long, as far as that was not
    the machine being busy.
    """

    path: str
    began: int
    ended: int
    waited_ns: int
    stack: Stack
    what: str
    by: int | None
    let_go: bool
    shared: bool
    sightings: tuple[HolderSighting, ...] = ()
