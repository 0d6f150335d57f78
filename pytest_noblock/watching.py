"""One test's watch: from its setup to the end of its call."""

from contextlib import ExitStack

from pytest_noblock.engine.usercode import UserCode
from pytest_noblock.engine.watch import Watch
from pytest_noblock.findings import Check
from pytest_noblock.limits import Limits
from pytest_noblock.observation import Meter
from pytest_noblock.watched import Judge

_SAMPLE_AFTER_NS = 10_000_000


class ItemWatch:
    """Started and stopped by hooks, which cannot share a `with`."""

    def __init__(self, kind: Meter, user: UserCode, limits: Limits) -> None:
        self._user = user
        self._limits = limits
        self._watch = Watch(kind, user, min(_SAMPLE_AFTER_NS, limits.max_block // 2))
        self._active = ExitStack()

    def start(self) -> None:
        self._active.enter_context(self._watch.active())

    def stop(self, id: str, *, lifespan: bool) -> list[Check]:
        """One check for each request that entered an app meanwhile."""
        self._active.close()
        judge = Judge(self._limits, self._user.relative, lifespan=lifespan)
        return judge.checks(id, self._watch.observation())
