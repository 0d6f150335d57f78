"""One test's watch: from its setup to the end of its call, then its patches until the end of its teardown."""

from pytest_noblock.engine.watch import Kit, Watch
from pytest_noblock.findings import Check
from pytest_noblock.limits import Limits
from pytest_noblock.watched import Judge

_SAMPLE_AFTER_NS = 10_000_000


class ItemWatch:
    """Started, stopped and left by hooks, which cannot share a `with`. `keep`: the kit serves other tests, too."""

    def __init__(self, kit: Kit, limits: Limits, *, keep: bool) -> None:
        self._kit = kit
        self._keep = keep
        self._limits = limits
        self._watch = Watch(kit, min(_SAMPLE_AFTER_NS, limits.max_block // 2))
        self._watch.start()

    def stop(self, id: str, *, lifespan: bool) -> list[Check]:
        """One check for each request that entered an app meanwhile."""
        self._watch.stop()
        judge = Judge(self._limits, self._kit.user.relative, lifespan=lifespan)
        return judge.checks(id, self._watch.observation())

    def leave(self) -> None:
        self._watch.leave()
        if not self._keep:
            self._kit.close()
