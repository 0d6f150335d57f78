"""One test's watch: from its setup to the end of its call, then its patches until the end of its teardown.

Most tests make requests of which there is nothing to say: the judgement is imported for the others.
"""

from typing import TYPE_CHECKING

from pytest_noblock.engine.exchange import LiveExchange
from pytest_noblock.engine.watch import Kit, Watch
from pytest_noblock.model.limits import NOTE_NS, Limits

if TYPE_CHECKING:
    from pytest_noblock.model.finding import Check

_SAMPLE_AFTER_NS = 10_000_000


class ItemWatch(Watch):
    """Started, stopped and left by hooks, which cannot share a `with`. `keep`: the kit serves other tests, too."""

    def __init__(self, kit: Kit, limits: Limits, *, keep: bool) -> None:
        super().__init__(kit, min(_SAMPLE_AFTER_NS, limits.max_block // 2))
        self._keep = keep
        self._limits = limits

    def uneventful(self) -> list[LiveExchange] | None:
        """The requests that entered an app meanwhile, if there is nothing to say of any of them."""
        concern = self._limits.concern
        if any(concern(each) or each.answered or each.imported >= NOTE_NS for each in self.segments):
            return None
        return self.records if all(record.steps and not record.tasks for record in self.records) else None

    def checks(self, id: str, *, lifespan: bool) -> "list[Check]":
        """One for each request that entered an app meanwhile."""
        from pytest_noblock.checks.watched import Judge

        judge = Judge(self._limits, self._kit.user.relative, lifespan=lifespan)
        return judge.checks(id, self.observation())

    def leave(self) -> None:
        super().leave()
        if not self._keep:
            self._kit.close()
