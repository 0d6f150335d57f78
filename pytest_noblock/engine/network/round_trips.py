"""The round trips of a request's steps, without the traffic of others. All of it runs on the metered thread.

Reading sockets costs time, and a step may be 30 us long: sockets are read only where something may have happened.
"""

from typing import NamedTuple

from pytest_noblock.engine.clocks import CPU, PROCESS, SWITCHES, WALL, Reading
from pytest_noblock.engine.network.tcp_info import SocketTable
from pytest_noblock.engine.other_threads import others_exactly
from pytest_noblock.model.segment import SocketExchange

_QUIET_NS = 10_000
"""CPU ns. Other threads that burned less than this in a step made no round trip."""
_OPENING_CPU_NS = 200_000
"""CPU ns that this thread burns at least when a driver opens a connection. Wall time would not do: on a busy machine
any step is long."""
_OTHERS_OPENING_NS = 500_000
"""CPU ns that other threads burn at least when they open a connection."""
_OTHERS_NS = 5_000
"""CPU ns. Other threads that burned less than this since the last scan have sent nothing."""


class StepTrips(NamedTuple):
    """What one step did; `exchanged` has one value for each round trip, `own` or `doubtful`."""

    own: int
    doubtful: int
    """Round trips that another thread may have made."""
    exchanged: tuple[SocketExchange, ...] = ()


class RoundTrips:
    """What one thread's steps did with the connections of the process; without a table, nothing is known."""

    __slots__ = ("_found", "_others_at_full_scan", "_others_at_scan", "_sockets", "stale")

    def __init__(self, sockets: SocketTable | None) -> None:
        self.stale = True
        """Whether code of no request ran since the last step. That code may have used sockets."""
        self._sockets = sockets
        self._found: list[SocketExchange] = []
        """Of the present step, so far."""
        self._others_at_scan = self._others_at_full_scan = -1  # until the first step begins

    def begin_step(self, others: int) -> bool:
        """Leave out what was sent and received before this step. Returns whether sockets were read, which takes time.

        `others`: the CPU (ns) that all other threads have burned so far.
        """
        if self._sockets is None:
            return False
        if self._others_at_full_scan < 0:
            self._others_at_scan = self._others_at_full_scan = others
        stale, self.stale = self.stale, False
        opening = others - self._others_at_full_scan > _OTHERS_OPENING_NS
        if not (opening or stale or others - self._others_at_scan > _OTHERS_NS):
            return False
        self._others_at_scan = others
        if opening:
            self._sockets.scan_all()
            self._others_at_full_scan = others
            return True
        return self._sockets.rebase_known()

    def count_now(self) -> int:
        """Scan the known connections, which is all that a short step can have used: the step's round trips so far."""
        if self._sockets is None:
            return 0
        self._found += self._sockets.scan_known()
        return len(self._found)

    def opened(self, within: int) -> bool:
        """Scan all connections; returns whether one made a round trip. A new one must be no older than `within` ns.

        Called after a known call that may have opened a connection, which may be closed again before the step ends.
        """
        found = self._sockets.scan_all(within) if self._sockets is not None else []
        self._found += found
        return bool(found)

    def exchanged(self, within: int) -> bool:
        """As `opened`, after a known call that most often used a connection which is known already."""
        before = len(self._found)
        return self.count_now() > before or self.opened(within)

    def end_step(self, start: Reading, end: Reading, others: int, *, called: bool) -> StepTrips:
        """The round trips of the step between two readings.

        `others`: the CPU (ns) that other threads burned meanwhile; `called`: a known blocking call was made.
        """
        before, self._others_at_scan = self._others_at_scan, end[PROCESS] - end[CPU]
        if self._sockets is None:
            return StepTrips(0, 0)
        waited = (
            end[CPU] - start[CPU] > _OPENING_CPU_NS and end[SWITCHES] != start[SWITCHES]
        )  # for the other end to answer
        last = self._sockets.scan_all(end[WALL] - start[WALL]) if waited or called else self._sockets.scan_known()
        found, self._found = (*self._found, *last), []
        if found:  # a scan lets other threads run, and the step's first reading comes after it
            others += start[PROCESS] - start[CPU] - before + others_exactly() - self._others_at_scan
        return StepTrips(*own_and_doubtful(len(found), others), found)


def own_and_doubtful(trips: int, others: int) -> tuple[int, int]:
    """Round trips that this thread made, and those that others may have made, which burned `others` ns of CPU.

    `others` by `others_exactly`: a thread that runs all the time seems to burn nothing until the kernel's next tick.
    Measured beside a thread that queries all the time: without it 1 of 100 innocent steps had a round trip of its own.
    """
    return (0, trips) if others > _QUIET_NS else (trips, 0)
