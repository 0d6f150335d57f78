"""Of many requests that are under way at once: whose worker computed while the watchdog waited for the GIL."""

from collections.abc import Callable, Mapping, Sequence

from pytest_noblock.engine.current_frames import current_frames
from pytest_noblock.engine.threads.gap_workers import works_for
from pytest_noblock.engine.threads.pools import Holder
from pytest_noblock.engine.threads.raw_gaps import ThreadInGap
from pytest_noblock.engine.threads.under_way import UnderWay


class GapOwners:
    """All of it runs on whichever thread looks: the watchdog's, or one that got the GIL before."""

    def __init__(self, holders: Callable[[], Sequence[Holder]], keepers: set[int], least: int) -> None:
        """`holders`: whose tasks wait for a worker at the moment. `keepers` is told at once whose worker it was.

        `least`: ns; a worker that computed for less is no keeper.
        """
        self._holders = holders
        self._keepers = keepers
        self._least = least

    def now(self) -> Mapping[int, tuple[int, ...]]:
        """The numbers of the requests that each thread works for, by its identity; none where nobody knows."""
        holders = self._holders()
        records = {ident: works_for(ident, holders) for ident in current_frames()}
        return {ident: tuple(each.number for each in known) for ident, known in records.items() if known}

    def of(self, threads: Sequence[ThreadInGap], under_way: Sequence[UnderWay]) -> Sequence[UnderWay]:
        """The request for which the thread worked that computed most; none where nobody knows that, or several."""
        most = next((each for each in threads if not each.runs_loop), None)
        if most is None or len(most.exchanges) != 1:
            return ()
        if most.cpu >= self._least:
            self._keepers.update(most.exchanges)
        return [each for each in under_way if each.record.number in most.exchanges]
