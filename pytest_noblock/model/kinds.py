"""The kinds of findings: one row says all that the rest of the code asks of a kind.

A new kind touches four files: its name and its row stand here, a module of `judge/` finds its stalls,
`judge/stalls.py` calls that module, and `judge/advice.py` says what to write instead. The README explains it to
users: a test asks for that.
"""

from typing import Literal, NamedTuple

StallKind = Literal["sync-network", "sync-io", "cpu", "gil", "pool-starved", "contention"]
"""Somebody had to wait: a finding of such a kind is made of stalls."""

TaskKind = Literal[
    "background-early",
    "background-lost",
    "background-missing",
    "background-failed",
    "background-order",
]
"""A background task did not do what it must: such a finding says nothing of time."""

TotalKind = Literal["loop-total"]
"""What one request took in all: such a finding is made of a sum."""

Kind = Literal[StallKind, TotalKind, TaskKind]
"""Stable ids of the kinds. Reports and markers have them: an id never changes its meaning."""

Confirmation = Literal["line counters", "probes again", "alone again", "none needed"]
"""How a second run shows a finding of the fixture again.

`line counters`: one copy of the request without probes, with counters at every user line. `probes again`: the same
copies and probes as in the first run. `alone again`: one copy with probes, because the threads of several copies may
hand the GIL to each other. `none needed`: no second run, because the times of one run are proof.
"""

Identity = Literal["line", "function", "pool", "task"]
"""What makes stalls of two runs the same, beside kind, phase and file."""


class KindRow(NamedTuple):
    """What the other modules ask of a kind."""

    headline: str
    """The words behind the request in a failure's first line; `{time}`, `{pool}` and `{call}` are filled in."""
    help: str
    """What it means, in one or two sentences, for readers of a report who do not know this plugin."""
    always: bool
    """True: red however short. False: red from the limit on."""
    on_loop: bool
    """True: a step of the loop thread held the loop. False: the loop was free, or the loop thread could not go on."""
    confirmation: Confirmation
    doing: str = "waiting"
    """What the thread did meanwhile; `{where}` is the call, or what the thread waited for in the kernel."""
    identity: Identity = "line"
    counters_add_to_it: bool = False
    """True: line counters add to the time of this kind. The run with counters then gives the line only, and the first
    run, which has no counters, gives the times."""
    part_of: StallKind | None = None
    """Another kind. A line that shows stalls of both kinds has one finding, of the other kind."""


_BLOCKED = "blocked the event loop {time}"

KINDS: dict[Kind, KindRow] = {
    "sync-network": KindRow(
        _BLOCKED,
        "A synchronous network round trip ran on the event loop. However fast it was here, in production the other "
        "end is a network away, and every other request of the worker waits for it.",
        always=True,
        on_loop=True,
        confirmation="line counters",
        doing="waiting for the network",
    ),
    "sync-io": KindRow(
        _BLOCKED,
        "The event loop's thread slept in the kernel (a sleep, a file, a lock, a subprocess). "
        "Every other request of the worker waited meanwhile.",
        always=False,
        on_loop=True,
        confirmation="line counters",
        doing="waiting {where}",
        part_of="sync-network",  # a round trip sleeps for its answer
    ),
    "cpu": KindRow(
        _BLOCKED,
        "The request computed on the event loop's thread. Every other request of the worker waited meanwhile.",
        always=False,
        on_loop=True,
        confirmation="line counters",
        doing="computing",
        identity="function",  # a loop burns in many lines, and the samples of each run show another
        counters_add_to_it=True,
    ),
    "gil": KindRow(
        "held the GIL {time}",
        "Another thread computed without letting go of the GIL, so that the event loop could not turn.",
        always=False,
        on_loop=False,
        confirmation="alone again",
        doing="computing",
    ),
    "pool-starved": KindRow(
        "used up {pool} for {time}",
        "Requests took all threads of a pool. The event loop was free, and whatever needs a thread had to wait.",
        always=True,
        on_loop=False,
        confirmation="probes again",
        identity="pool",  # most of many workers may sit here in one run and there in the next
    ),
    "contention": KindRow(
        "kept others waiting {time}",
        "A probe waited for a lock, a semaphore or a connection that the request held. "
        "The event loop and the thread pools were free.",
        always=False,
        on_loop=False,
        confirmation="probes again",
    ),
    "loop-total": KindRow(
        "held the event loop {time} in all",
        "Many stretches, each under the limit, add up: for so long one request keeps its worker from all others.",
        always=False,
        on_loop=False,
        confirmation="none needed",
        identity="function",
    ),
    "background-early": KindRow(
        "background task {call} began before the response was complete",
        "A background task began before the last part of its response was sent, so that the client waits for it.",
        always=True,
        on_loop=False,
        confirmation="none needed",
        identity="task",
    ),
    "background-lost": KindRow(
        "background task {call} was added and never ran",
        "A background task was added, and it never ran or never ended.",
        always=True,
        on_loop=False,
        confirmation="none needed",
        identity="task",
    ),
    "background-missing": KindRow(
        "background task {call} was never added",
        "A background task that the test names was added to none of its requests.",
        always=True,
        on_loop=False,
        confirmation="none needed",
        identity="task",
    ),
    "background-failed": KindRow(
        "background task {call} raised",
        "A background task raised. The client has its response already and never learns of it; "
        "the tasks after it never run.",
        always=True,
        on_loop=False,
        confirmation="none needed",
        identity="task",
    ),
    "background-order": KindRow(
        "background task {call} ran out of order",
        "Background tasks began in another order than the test names.",
        always=True,
        on_loop=False,
        confirmation="none needed",
        identity="task",
    ),
}


def is_background(kind: Kind) -> bool:
    """Whether the kind is a fault of a background task (`TaskKind`); the others are kinds of waiting (`StallKind`)."""
    return KINDS[kind].identity == "task"
