"""One segment, the part of a step that belongs to one request, and all that was recorded about it.

Times are ns, by `time.perf_counter_ns` of one process.
"""

from typing import NamedTuple

from pytest_noblock.model.frames import Frame, Stack


class Sample(NamedTuple):
    """The loop thread's stack, as the watchdog saw it in the middle of a step."""

    due: int
    """When the watchdog's timer was to wake it."""
    began: int
    """When the watchdog had woken, and had the GIL."""
    ended: int
    """When it let go of the GIL: a loop thread that wanted it meanwhile waited for the watchdog."""
    stack: Stack
    """The loop thread's."""
    syscall: str
    """The kernel call that the loop thread sat in; `running` for none, `unknown` where the kernel does not tell."""


class SocketExchange(NamedTuple):
    """What one connection carried between two scans in which it made a round trip."""

    peer: str | None
    """`127.0.0.1:5432`; None where it could not be read any more."""
    sent: int
    """Bytes that it sent."""
    received: int
    """Bytes that came and were read."""


class BlockingCall(NamedTuple):
    """A known blocking call of the loop thread, recorded as it was made."""

    name: str
    """The function that was wrapped, `time.sleep`."""
    network: bool
    """Whether it talks to the network."""
    began: int
    ended: int
    stack: Stack
    """Of the loop thread, without the call's own frames."""
    asked: int = 0
    """The sleep in ns that its argument asked for (`time.sleep(0.1)`: 100,000,000); 0 where none does."""


class LineCost(NamedTuple):
    """What one user line cost in one segment; what it calls outside the user's code is included."""

    frame: Frame
    stack: Stack
    """The line's stack, innermost frame first."""
    hits: int
    """How often it ran."""
    cpu: int
    asleep: int
    """Neither on a processor nor in the run queue."""
    round_trips: int
    """How many sockets sent and received while it ran."""


class Segment(NamedTuple):
    """One uninterrupted run of the loop thread for one exchange: a step of the loop, or the part of one.

    `wall` splits into `cpu`, `collected`, `queued` and the sleep. The portable meter knows neither `queued` nor
    `switches`, which are None there: the rest cannot be split.
    """

    exchange: int
    """The number of the exchange."""
    began: int
    ended: int
    cpu: int
    """What the loop thread computed; `collected` and `imported` are taken off."""
    collected: int
    """CPU of garbage collection."""
    queued: int | None
    """Run-queue delay: the loop thread was runnable, and no processor was free."""
    switches: int | None
    """Voluntary context switches: how often it went to sleep."""
    others_cpu: int
    """What the other threads of the process computed meanwhile."""
    round_trips: int
    """How many sockets, which no loop awaits, sent and received."""
    doubtful_trips: int
    """The same, where another thread computed meanwhile and may have made them."""
    imported: int = 0
    """Time of first imports; it is taken off all other times, `began` and `ended` excepted."""
    samples: tuple[Sample, ...] = ()
    """In order of time; none in most steps, which are short."""
    calls: tuple[BlockingCall, ...] = ()
    """Known blocking calls that slept or used a socket, in order of time."""
    lines: tuple[LineCost, ...] = ()
    """Empty unless counters stood at every user line."""
    answered: tuple[BlockingCall, ...] = ()
    """Known blocking calls that ended without sleeping and without using a socket: a mock answered them."""
    exchanged: tuple[SocketExchange, ...] = ()
    """One for each of the `round_trips` and `doubtful_trips` that the sockets showed."""

    @property
    def wall(self) -> int:
        """From `began` to `ended`."""
        return self.ended - self.began

    @property
    def asleep(self) -> int:
        """Time asleep in the kernel; 0 where no voluntary switch shows that the thread slept at all."""
        if self.queued is None or not self.switches:
            return 0
        return max(0, self.wall - self.cpu - self.collected - self.queued)

    @property
    def off_cpu(self) -> int:
        """Time not on a processor, whatever the reason; all that the portable meter knows."""
        return max(0, self.wall - self.cpu - self.collected)
