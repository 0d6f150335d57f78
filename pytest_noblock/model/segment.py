"""One segment, the part of a step that belongs to one request, and all that was recorded about it.

Moments are `time.perf_counter_ns` readings of one process. Durations are ns.
"""

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from pytest_noblock.model.frames import Frame, Stack

FIRST_TIME = "noblock_first_time"
"""The function on a stack, ours, below which a process does what it does once."""


class Sample(NamedTuple):
    """The loop thread's stack, as the watchdog saw it in the middle of a step."""

    due: int
    """When the watchdog's timer was to wake it. On the full meter later, where the watchdog waited for the GIL: when
    the loop thread may have let go of the GIL, and the watchdog had no processor to take it."""
    began: int
    """When the watchdog had woken and had the GIL."""
    ended: int
    """When the watchdog let go of the GIL. From `began` to `ended` a loop thread that wanted the GIL had to wait."""
    stack: Stack
    """The stack of the loop thread."""
    syscall: str
    """The kernel call in which the loop thread was, `poll`; `running` for none, `unknown` where the kernel does not
    tell."""
    gil_wait: int | None = None
    """Ns that the watchdog waited for the GIL before it saw the stack: near 0 where the GIL was free; None: unknown."""
    left: int | None = None
    """Ns of CPU that the loop thread then still burned until the end of its step; None: unknown. Of its run-queue delay
    the kernel tells no such thing: it adds a wait when that is over."""


class Standstill(NamedTuple):
    """The watchdog's thread woke late, though it waited neither for a processor nor for the GIL.

    The process was stopped (a debugger, `docker pause`), or the host did not run the virtual machine.
    """

    since: int
    """When the watchdog last ran before: from then on all may have stood still."""
    began: int
    """When the watchdog was to wake."""
    ended: int
    """When the watchdog ran again."""
    ns: int
    """Ns between the two in which it stood still."""


class SocketExchange(NamedTuple):
    """What one connection carried between two scans in which it made a round trip."""

    peer: str | None
    """The other end, `127.0.0.1:5432`; None where the socket was closed before it could be read."""
    sent: int
    """Bytes that the app sent, by the kernel's counters of the TCP socket."""
    received: int
    """Bytes that came and that the app read."""


class BlockingCall(NamedTuple):
    """A known blocking call of the loop thread, recorded as it was made."""

    name: str
    """The function that the plugin wrapped, `time.sleep`."""
    network: bool
    """Whether the function talks to the network."""
    began: int
    ended: int
    stack: Stack
    """The stack of the loop thread, without the frames of the call itself."""
    asked: int = 0
    """Ns of sleep that the argument asked for (`time.sleep(0.1)`: 100,000,000); 0 where no argument asks for one."""
    times: int = 1
    """How many calls at this line it stands for: where no more are kept, it is the last one of them."""


MOST_CALLS = 100
"""Further calls of one step are not kept: a loop of calls repeats itself."""


class LineCost(NamedTuple):
    """What one user line cost in one segment, with what the line calls outside the user's code."""

    frame: Frame
    stack: Stack
    """The line's stack, innermost frame first."""
    hits: int
    """How often the line ran."""
    cpu: int
    """Ns that the loop thread computed at the line, by its CPU clock."""
    asleep: int
    """Ns in which the loop thread was neither on a processor nor in the run queue."""
    round_trips: int
    """How many sockets sent and received while the line ran."""
    doubtful_trips: int = 0
    """Those of them that another thread may have used: it computed meanwhile. `round_trips` is without them."""


class BesideIt(NamedTuple):
    """What one other thread did while the loop thread slept, which may have waited for it. Ns of the sleep."""

    native: int
    """The thread's native id."""
    surely: int | None
    """In which it waited for a processor, at least; None: it did not end the sleep, for it has not run since."""
    at_most: int
    """In which it did, or may have done so."""
    pace: float
    """How much it computed, as a share of the step's wall time."""


class Segment(NamedTuple):
    """One uninterrupted run of the loop thread for one exchange: a step of the loop, or the part of one.

    Steps of one exchange that follow each other at once, without a poll of the selector, are one run. The judges join
    those that other steps separate, too (`judge.turns`).

    `wall` is the sum of `cpu`, `collected`, `queued` and the sleep. The portable meter knows neither `queued` nor
    `switches`: both are None, and run-queue delay and sleep cannot be told apart.
    """

    exchange: int
    """`Exchange.number` of the request."""
    began: int
    ended: int
    """Earlier than the true end by the time of first imports and of the plugin's own work."""
    cpu: int
    """Ns that the loop thread computed, by its CPU clock, less `collected` and `imported`."""
    collected: int
    """Ns of CPU that garbage collection took on the loop thread."""
    queued: int | None
    """Ns of run-queue delay, by schedstat: the loop thread was runnable, and no processor was free."""
    switches: int | None
    """Voluntary context switches, by `ru_nvcsw`: how often the loop thread went to sleep."""
    others_cpu: int
    """Ns that all other threads but the watchdog computed meanwhile, by the CPU clock of the process."""
    round_trips: int
    """How many sockets that no event loop awaits sent and received in the segment."""
    doubtful_trips: int
    """The same count where another thread computed meanwhile and may have made the round trips; `round_trips` is 0."""
    imported: int = 0
    """Ns of wall time that first imports took; `wall`, `cpu` and `queued` are without them."""
    samples: tuple[Sample, ...] = ()
    """In order of time; none in most steps, which are short."""
    calls: tuple[BlockingCall, ...] = ()
    """Known blocking calls that slept or used a socket, in order of time."""
    lines: tuple[LineCost, ...] = ()
    """The cost of each user line that ran; empty unless counters stood at every user line."""
    answered: tuple[BlockingCall, ...] = ()
    """Known blocking calls that ended without sleeping and without using a socket: a mock answered them."""
    exchanged: tuple[SocketExchange, ...] = ()
    """One for each of the `round_trips` or `doubtful_trips`."""
    turn: int = 0
    """The turn of the event loop, unique in the process: the loop polls its selector once in a turn, before the turn's
    first step. 0 where nobody counted the turns (uvloop, trio)."""
    elsewhere: int = 0
    """Ns between `began` and `ended` that are not this exchange's: others ran between its steps of the same turn."""
    first_use: int = 0
    """Ns of `cpu` below functions that a process runs once (loading a template, building a schema), less the imports
    and the garbage collection in them."""
    first_uses: tuple[tuple[str, int], ...] = ()
    """What was done there, in words, and its part of `first_use`: `("the template page.html", 20_000_000)`."""
    modules: tuple[tuple[str, int], ...] = ()
    """What was imported, and its part of `imported`."""
    imported_again: int = 0
    """The part of `imported` of modules that a request of an earlier test had imported: somebody took them out."""
    counted: bool = True
    """Whether `lines`, where there are any, holds all lines that ran: the counters give up in a hot loop."""

    def without_first_use(self) -> "Segment":
        """The segment of a request that finds all of it done already."""
        return self.less_cpu(self.first_use)._replace(first_use=0)

    def less_cpu(self, ns: int) -> "Segment":
        """The segment without so much of its CPU, which is not the app's."""
        return self._replace(cpu=self.cpu - ns, ended=self.ended - ns, taken_off=self.taken_off + ns)

    standstills: tuple[Standstill, ...] = ()
    """Those that overlap the segment, in order of time; only of the full meter."""
    taken_off: int = 0
    """Ns of CPU that a judge took off: `cpu` is without them. The thread had the GIL in them all the same."""
    threads_cpu: int | None = None
    """Ns, an upper bound: what those of the other threads computed that can hold the GIL. A C library's own threads
    cannot. None: nobody knows."""

    others_queued: int = 0
    """Ns of the sleep in which each thread that may have ended it waited for a processor; only of the full meter."""
    others_may_have_queued: int = 0
    """The same, where one of those threads waited, or may have: the most."""
    children_queued: int = 0
    """Ns of the sleep in which a child process that the thread waited for waited for a processor; likewise."""
    beside: tuple[BesideIt, ...] = ()
    """The threads of which `others_queued` and `others_may_have_queued` are told."""

    @property
    def wall(self) -> int:
        """Ns from `began` to `ended` that are the exchange's."""
        return self.ended - self.began - self.elsewhere

    @property
    def asleep(self) -> int:
        """Ns asleep in the kernel; 0 on the portable meter, and where no voluntary switch shows a sleep."""
        if self.queued is None or not self.switches:
            return 0
        return max(0, self.wall - self.cpu - self.collected - self.queued)

    @property
    def off_cpu(self) -> int:
        """Ns not on a processor, asleep or in the run queue; the portable meter cannot tell these apart."""
        return max(0, self.wall - self.cpu - self.collected)

    @property
    def held(self) -> int:
        """Ns for which the exchange held the loop at most: CPU and sleep. No stall of the segment is longer.

        The portable meter cannot take off the run queue.
        """
        return self.cpu + (self.off_cpu if self.queued is None else self.asleep)

    @property
    def has_call(self) -> bool:
        """Whether a call or a round trip was recorded: it may be a finding however short it is."""
        return bool(self.calls or self.round_trips or self.doubtful_trips)


def held_together(segments: Iterable[Segment]) -> Counter[int]:
    """Ns for which the app held the loop in each turn that was counted, by its number; all requests together."""
    held: Counter[int] = Counter()
    for each in segments:
        if each.turn:
            held[each.turn] += each.held
    return held
