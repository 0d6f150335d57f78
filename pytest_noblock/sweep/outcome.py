"""What a sweep knows of one route: values that the plugin shows and that reports are drawn from."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pytest_noblock.checks.plan import SAFE
from pytest_noblock.engine.observe import Request as Sent
from pytest_noblock.model.observation import Observation
from pytest_noblock.sweep.reasons import REASONS, Reason, remedy
from pytest_noblock.sweep.route import Route, variables

_FOR_LACK_OF_VALUES = ("not-found", "rejected", "failed", "no-value")
"""The reasons for which a route may be asked again once an answer of another has told more."""


@dataclass(slots=True, eq=False)
class RouteResult:
    """How far the sweep came with one route. It fills while the sweep runs."""

    route: Route
    sent: Sent | None = None
    """The request, as the app gets it; None where none could be made."""
    reason: Reason | None = None
    """Why the route is not measured; None where it is, or where nobody knows yet."""
    words: str = ""
    """What is known beyond the reason: `answered 404`."""
    mistake: str | None = None
    """A whole sentence that makes the route's item red: a hook that raised, a request that ended the loop."""
    requests: int = 0
    """How many requests were sent to it."""
    first: Observation | None = None
    """What the measured run recorded of this route alone."""
    cold: Observation | None = None
    """The same of the run before it."""
    exact: Observation | None = None
    """The same of a run of the suspects, with counters at every user line."""
    suspect: bool = False
    """Whether it is checked alone, too."""
    was_suspect: bool = False
    """Whether it was one by its first request, which the second one settles."""
    in_steps: bool = False
    """Whether it is one for what its own steps show."""
    alone: bool = False
    """Whether only a whole check of its own can tell: what the run showed is not recorded in its steps."""
    in_doubt: bool = False
    """Whether it is one only until a run with fewer others has shown nothing."""
    hidden: int | None = None
    """Whether others may have hidden what it held, and no run without them has told yet: see `suspects.Seen.hidden`."""
    shortened: bool = False
    """Whether it waited for another thread or process, and others, or the machine, may have made the wait shorter."""
    unexplained: str | None = None
    """What is to be said of it, where the loop came late while it was under way, and nobody knows why."""
    to_learn: bool = False
    """Whether it was not selected, and is sent once for what its answer tells: the id of a route that was."""
    ran: bool = False
    """Whether the sweep is through with it."""

    @property
    def measured(self) -> bool:
        """Whether the handler was entered, and answered below 400."""
        return self.ran and self.reason is None and self.mistake is None

    @property
    def measured_cold(self) -> bool:
        """Whether the first round measured it, so that the second is worth while."""
        return self.cold is not None and not self.ran

    @property
    def may_be_hidden(self) -> bool:
        """Whether it is to be sent again without those that are known to hold the loop."""
        return self.hidden is not None and self.first is not None and not self.suspect and self.measured

    @property
    def may_wait_shorter(self) -> bool:
        """Whether the runs of its own check may miss a wait that made it a suspect, as a busy machine makes it shorter.

        Where it is not checked alone, its check is told what the runs before have shown.
        """
        return self.suspect and self.alone and (self.shortened or self.in_steps) and self.route.method in SAFE

    @property
    def may_be_anothers(self) -> bool:
        """Whether runs alone may tell that a thread of another route did what made it a suspect, or made it late."""
        return self.suspect and not self.alone and bool(self.hidden) and self.route.method in SAFE

    def leave_out(self, reason: Reason, words: str = "") -> None:
        """The route is not measured, for this reason."""
        self.reason, self.words = reason, words
        self.ran = True

    @property
    def may_be_asked_again(self) -> bool:
        """Whether another value may have it answer, and nothing else is to be told of it."""
        return self.reason in _FOR_LACK_OF_VALUES and self.mistake is None and not self.suspect

    def ask_again(self) -> None:
        """As if it had not been sent: by now another request can be made."""
        self.reason, self.words, self.ran = None, "", False

    def sentence(self) -> str:
        """Why the route is not exercised, and how to have it measured."""
        if self.reason is None:
            return ""
        names = variables(self.route.path)
        asked = f" to {self.sent.url.partition('?')[0]}" if self.words and names and self.sent is not None else ""
        why = f"{self.words}{asked}: " if self.words else ""
        return f"{self.reason}: {why}{REASONS[self.reason].meaning}; {remedy(self.reason, names)}"


def teachers(wanted: Iterable[Route], others: Iterable[Route]) -> list[Route]:
    """Those of the others that answer lists of what the wanted routes have in their paths."""
    above = {path for route in wanted for path in _above(route.path)}
    return [each for each in others if each.method == "GET" and each.path.rstrip("/") in above]


def _above(path: str) -> Iterator[str]:
    """`/users` and `/users/{user_id}/orders` of `/users/{user_id}/orders/{order_id}`."""
    parts = path.split("/")
    yield from ("/".join(parts[:place]) for place, part in enumerate(parts) if "{" in part)
