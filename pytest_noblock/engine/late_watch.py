"""Watches what requests the teardown of a test's fixtures makes: most make none, and cost nothing.

Between the end of a test's call and the end of its teardown a `LateWatch` stands where the test's watch stood. The
first request that enters starts a watch of its own.
"""

import threading
from typing import TYPE_CHECKING

from pytest_noblock.engine.exchange import LiveExchange
from pytest_noblock.engine.steps.meter import StepMeter
from pytest_noblock.engine.watch import Kit, RequestWatch

if TYPE_CHECKING:
    from pytest_noblock.engine.asgi.client_side import Watcher


_starting = threading.Lock()
"""Held while a watch is made: two threads may bring the first request."""


class LateWatch:
    """A `client_side.Watcher`. `begin` and `end` belong to the test's thread, `request_enters` to the app's."""

    asks_for_tasks = False
    _watch: RequestWatch | None = None

    def __init__(self, kit: Kit, sample_after: int, linger: int = 0) -> None:
        """`kit`: its patches are on. `sample_after`, `linger`: as for `RequestWatch`."""
        self._linger = linger
        self._kit = kit
        self._sample_after = sample_after

    def begin(self) -> None:
        self._kit.entry_points.watcher = self

    def end(self) -> RequestWatch | None:
        """The watch, which is over; None where no request entered."""
        if self._watch is not None:
            self._watch.stop()
            self._watch.take_in_stops()
        elif self._kit.entry_points.watcher is self:
            self._kit.entry_points.watcher = None
        return self._watch

    def current(self) -> "Watcher | None":
        """See `client_side.Watcher`."""
        return self._kit.entry_points.watcher

    def lifespan_stops(self, record: LiveExchange) -> StepMeter | None:
        """See `client_side.Watcher`; a watch is asked that saw the app's start."""

    def request_enters(self, app: object, record: LiveExchange) -> StepMeter:
        """See `client_side.Watcher`."""
        with _starting:
            if self._watch is None:
                watch = RequestWatch(self._kit, self._sample_after, linger=self._linger)
                watch.start(inherits=True)
                watch.is_told_of_stops()
                self._watch = watch
        return self._watch.request_enters(app, record)
