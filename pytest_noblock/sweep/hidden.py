"""Who held the loop while many requests were under way, where that run cannot tell: runs with fewer of them do."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from pytest_noblock.judge.gil_doubts import LOOP_WAITED
from pytest_noblock.model.check import Check
from pytest_noblock.model.limits import UNSETTLED
from pytest_noblock.model.units import words
from pytest_noblock.sweep.outcome import RouteResult

_MOST_RUNS = 20
"""Chosen: of 200 requests one is found in 15 runs, each as long as its slowest request."""
_MOST_ALONE = 5
"""Runs of one request, where the machine is too busy for the loop to turn in time."""


class Hidden:
    """Sends those again that others may have hidden: without these, then in halves, until one is left.

    What a run shows of one request alone makes it a suspect. What no smaller run shows again stays in doubt.
    Where the runs are used up, what is no more than a suspicion is checked alone: of an amount the report tells.
    """

    def __init__(self, send: Callable[[Sequence[RouteResult]], None]) -> None:
        """`send` sends the requests of these in one run, and puts into them what it shows."""
        self._send = send
        self._runs = 0
        self._known: set[str | None] = set()
        """What those were under way with that are suspects anyway."""

    def look(self, results: Sequence[RouteResult]) -> None:
        """`results`: all of the sweep that may be sent again."""
        some = [each for each in results if each.may_be_hidden]
        if some:
            self._known = {each.unexplained for each in results if each.suspect}
            self._look_at(some, others=any(each.suspect for each in results))

    def _look_at(self, some: Sequence[RouteResult], *, others: bool, half: bool = False) -> None:
        """`others`: whether those that were under way with them before may have done it all. `half`: the other half."""
        if self._runs >= _MOST_RUNS:
            _check_alone(each for each in some if each.hidden == 0)
            return
        self._runs += 1
        before = [(each.hidden, each.unexplained) for each in some]
        self._send(some)
        left = [each for each in some if each.may_be_hidden]
        if left and len(left) < len(some):
            self._look_at(left, others=True)
        elif len(left) == 1:
            self._look_at_one(left)
        elif left:
            self._look_at_halves(left)
        elif not others and not any(each.suspect for each in some):
            _doubt(some, before)
        elif not (left or half or any(each.suspect for each in some)):
            _unexplained(some, [(ns, None if sentence in self._known else sentence) for ns, sentence in before])

    def _look_at_one(self, left: Sequence[RouteResult]) -> None:
        """No other request is under way: the machine may still make a wait shorter, and does so less often."""
        runs = 0
        while left[0].may_be_hidden and left[0].hidden == 0 and not left[0].unexplained and runs < _MOST_ALONE:
            self._send(left)
            runs += 1
        if left[0].may_be_hidden:
            _check_alone(left)

    def _look_at_halves(self, some: Sequence[RouteResult]) -> None:
        before = [(each.hidden, each.unexplained) for each in some]
        middle = len(some) // 2
        for half in (some[:middle], some[middle:]):
            self._look_at(half, others=True, half=True)
        if not any(each.suspect or each.may_be_hidden for each in some):
            _doubt(some, before)


def _check_alone(some: Iterable[RouteResult]) -> None:
    for each in some:
        each.suspect = each.alone = True


Shown = tuple[int | None, str | None]
"""`RouteResult.hidden` and `.unexplained`."""


def _doubt(some: Sequence[RouteResult], shown: Sequence[Shown]) -> None:
    """What they showed did not come again, and nobody is known to have done it."""
    for each, (ns, _sentence) in zip(some, shown, strict=True):
        each.hidden = ns
    _unexplained(some, shown)


def _unexplained(some: Sequence[RouteResult], shown: Sequence[Shown]) -> None:
    """The loop did not come late again, and the others that were under way before explain nothing."""
    for each, (_ns, sentence) in zip(some, shown, strict=True):
        each.unexplained = sentence


def told_unexplained(check: Check, sentence: str) -> Check:
    """The check of a route that was under way while the loop came late, and that does not show why.

    What a check alone leaves open tells more: it came again there.
    """
    if check.findings or not check.measured or any(note.startswith(LOOP_WAITED) for note in check.notes):
        return check
    doubt = f"{UNSETTLED}in the run of many requests {sentence}; another run did not show it again; not counted"
    return replace(check, notes=(*check.notes, doubt))


_SHORTENED = (
    f"{UNSETTLED}the route waits for another thread or process, and in each run other requests or a busy machine kept "
    "the event loop before that: the wait was over by then, or shorter; on a free machine it may hold the event loop"
)


def told_shortened(check: Check) -> Check:
    """The check of a route of which each run may have made a wait shorter, those of the check as well."""
    if check.findings or not check.measured:
        return check
    return replace(check, notes=(*check.notes, _SHORTENED))


def told(check: Check, ns: int) -> Check:
    """The check of a route that stays in doubt; `ns`: `suspects.Seen.hidden`. What a worker serves counts that time."""
    if not ns or check.findings or not check.measured:
        return check
    doubt = (
        f"{UNSETTLED}in the run of many requests threads computed {words(ns)} while the event loop waited for the GIL; "
        "it may have been this route's thread, and no run with fewer requests shows whose it was"
    )
    return replace(check, notes=(*check.notes, doubt), scarce_ns=max(check.scarce_ns, ns))
