"""When the watchdog's timer rings, and for which rings the watchdog still waits for the GIL. Times in ns."""

from pytest_noblock.engine.now import now
from pytest_noblock.engine.steps.timer import best_timer


class NeverDue:
    """In the place of the rings, where there is no watchdog."""

    due = seen = 0


NEVER_DUE = NeverDue()


class Rings:
    """The rings of one timer. Loop threads arm it, the watchdog waits for it and deals with each ring.

    A thread that gets the GIL before the watchdog, which was due, arms the timer again: that ring is unseen.
    """

    def __init__(self) -> None:
        self.due = 0
        """When the timer rings, or last rang."""
        self.seen = 0
        """When the watchdog last had the GIL after a ring that it has dealt with."""
        self._rang = (0, 0)
        """When it rang before it was armed anew, and when it was. Of several rings that the watchdog has not seen: the
        longest wait."""
        self._first_rang = 0
        """The first of the rings that the watchdog has not dealt with: since then it may wait for the GIL. None where
        this is not after `seen`."""
        self._timer = best_timer()

    def arm(self, ns: int) -> None:
        """It rings in so long, and not before."""
        moment = now()
        if moment > self.due:
            self._rang = max(self.unseen(), (self.due, moment), key=_length)
            if self._first_rang <= self.seen:
                self._first_rang = self.due
        self.due = moment + ns
        self._timer.arm(ns)

    def unseen(self) -> tuple[int, int]:
        """From when to when the watchdog waited at most for the GIL after a ring that it has not dealt with."""
        return self._rang if self._rang[0] > self.seen else (0, 0)

    def last(self) -> int:
        """When the timer rang last. A step that got the GIL before the watchdog may have armed it again since."""
        return self.due if now() >= self.due else self._rang[0]

    def last_wait(self) -> tuple[int, int]:
        """From when to when the watchdog waited for the GIL at most. The wait ended where a loop thread had it."""
        moment = now()
        last = (self.due, moment) if self.due <= moment else (0, 0)
        return max(self.unseen(), last, key=_length)

    def waits_since(self, woke: int) -> int:
        """Since when the watchdog has waited for a processor and for the GIL, which it has since `woke`.

        Not `due`: a loop thread that goes from one step to the next, and keeps the GIL, has armed the timer again.
        """
        first = self._first_rang if self._first_rang > self.seen else self.due
        return min(first, woke)

    def wait(self) -> None:
        """On the watchdog's thread, until it rings; not at all after a ring that is unseen, unless one more is due."""
        if self.unseen() == (0, 0) or now() >= self.due:
            self._timer.wait()

    def rest(self) -> None:
        """A ring to come is not waited for: as if it had rung, and been dealt with."""
        if now() < self.due:
            self._timer.disarm()
            self.due = self.seen = now()

    def ring_now(self) -> None:
        self._timer.arm(1)

    def close(self) -> None:
        self._timer.close()


def _length(wait: tuple[int, int]) -> int:
    return wait[1] - wait[0]
