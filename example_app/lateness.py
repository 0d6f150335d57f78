"""What comes late: 150 ms after the endpoint began, however long a busy machine took to get there."""

import time
from collections.abc import Callable
from threading import Event, Thread

DELAY = 0.15


class Late(Thread):
    """Waits for `begin`, and then a while. `begin` itself, on the event loop, waits for nobody."""

    def __init__(self, action: Callable[[], object]) -> None:
        super().__init__(daemon=True)  # a file waits for its other side, which a failed request never is
        self._action = action
        self._began = Event()
        self.start()

    def begin(self) -> None:
        self._began.set()

    def run(self) -> None:
        self._began.wait()
        time.sleep(DELAY)
        self._action()
