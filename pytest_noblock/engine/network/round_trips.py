"""The round trips of a request's steps: told from everybody else's traffic, and looked for no more than need be."""

from pytest_noblock.engine.clocks import Reading
from pytest_noblock.engine.network.tcp_info import SocketTable

_QUIET_NS = 10_000
"""Other threads that burned less than this did not make a round trip."""
_OPENING_CPU_NS = 200_000
"""What this thread burns at least when a driver opens a connection: on a busy machine any step is long."""
_OTHERS_OPENING_NS = 500_000
"""What other threads burn, at least, when they open a connection."""
_OTHERS_NS = 5_000
"""Other threads that burned less since the last look have sent nothing."""


class Traffic:
    """What one thread's steps did with the connections of the process; without a table, nothing is known."""

    def __init__(self, sockets: SocketTable | None) -> None:
        self.stale = True
        """Whether code that is nobody's ran, which may have used sockets."""
        self._sockets = sockets
        self._trips = 0
        """Of the present step, so far."""
        self._others_at_look = self._others_at_stock = -1  # until the first step begins

    def settle(self, others: int) -> bool:
        """A step begins: whether there was traffic to be left out. `others`: the CPU of all other threads so far."""
        if self._sockets is None:
            return False
        if self._others_at_stock < 0:
            self._others_at_look = self._others_at_stock = others
        stale, self.stale = self.stale, False
        if others - self._others_at_stock > _OTHERS_OPENING_NS:
            self._sockets.take_stock()
            self._others_at_stock = others
            return True
        return (stale or others - self._others_at_look > _OTHERS_NS) and self._sockets.refresh()

    def seen(self) -> bool:
        """Whether a known connection made a round trip: all that a short step can show."""
        if self._sockets is None:
            return False
        self._trips += self._sockets.look()
        return self._trips > 0

    def opened(self, within: int) -> bool:
        """Whether a connection was opened within this time and made a round trip: it may be closed again soon."""
        trips = self._sockets.take_stock(within) if self._sockets is not None else 0
        self._trips += trips
        return trips > 0

    def of_step(self, start: Reading, end: Reading, others: int, *, called: bool) -> tuple[int, int]:
        """A step ends: its round trips, and those that another thread may have made.

        `others` is what they burned meanwhile; `called`: a known blocking call was made.
        """
        self._others_at_look = end[4] - end[1]
        if self._sockets is None:
            return 0, 0
        waited = end[1] - start[1] > _OPENING_CPU_NS and end[3] != start[3]  # for the other end to answer
        look = self._sockets.take_stock(end[0] - start[0]) if waited or called else self._sockets.look()
        trips, self._trips = look + self._trips, 0
        return (0, trips) if others > _QUIET_NS else (trips, 0)
