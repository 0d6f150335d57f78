"""In which order many requests are sent, where not all of them may be under way at once."""

from collections import deque
from collections.abc import Iterable

from pytest_noblock.engine.many.flights import Flight


class Order:
    """First what has not been sent yet, then what is sent again. Of that, one that holds the loop flies at a time.

    While it holds the loop the others wait for what they wait for anyway. Where several hold it one after the other,
    the others are done before the last of them. And none of them makes another's wait shorter, which would leave a
    doubt that costs a run more.
    """

    def __init__(self, flights: Iterable[Flight]) -> None:
        self._first: deque[Flight] = deque()
        self._second: deque[Flight] = deque()
        self._holders: deque[Flight] = deque()
        """Those of the second ones that are known to hold the loop, or whose thread keeps the GIL."""
        self._under_way: Flight | None = None
        """The holder that was sent last."""
        for each in flights:
            self.add(each)

    def __bool__(self) -> bool:
        """Whether any is left."""
        return bool(self._first or self._second or self._holders)

    def add(self, flight: Flight) -> None:
        if flight.holds:
            self._holders.append(flight)
        else:
            (self._second if flight.second else self._first).append(flight)

    def take(self) -> Flight:
        """The next one that is to be sent; one must be left."""
        if self._first:
            return self._first.popleft()
        busy = self._under_way is not None and not self._under_way.over
        if self._holders and not (busy and self._second):
            self._under_way = self._holders.popleft()
            return self._under_way
        return self._second.popleft()
