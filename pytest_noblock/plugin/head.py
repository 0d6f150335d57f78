"""What a run says before its first test, and what each report says first: the rules of the meter, the machine."""

import sys
from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING

import pytest

from pytest_noblock.plugin import options
from pytest_noblock.plugin.faults import GUARD

if TYPE_CHECKING:
    from pytest_noblock.model.observation import Meter
    from pytest_noblock.report.wire import Environment

_NOT_SEEN_ON = {
    "uvloop": "noblock: the fixture runs apps on uvloop (not seen on it: what a protocol with `__slots__` does; the "
    "steps of one turn are not added up)",
    "trio": "noblock: the fixture runs apps on trio, as a guest of asyncio's loop (not seen on it: `pool-starved`, "
    "`contention`)",
}
"""By `noblock_loop`: what the header says of it."""
_TRACED = (
    "noblock: a tracer or a profiler is on (coverage, a debugger, cProfile), which slows Python code down: of CPU only "
    "calls in C are judged; COVERAGE_CORE=sysmon slows nothing down"
)


class Head:
    """It computes and imports on first use."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    @cached_property
    def meter(self) -> "tuple[Meter, str]":
        """The rules that hold on this machine, by a self-check, and what is missing for the full rules, in words."""
        wanted: str = self._config.getini("noblock_meter")
        if wanted == "portable":
            return "portable", "noblock_meter = portable"
        kind, missing = self._checked()
        if wanted == "full" and kind != "full":
            raise pytest.UsageError(f"noblock_meter = full, but this machine does not show {missing}")
        return kind, missing

    def _checked(self) -> "tuple[Meter, str]":
        from pytest_noblock.engine.selfcheck import meter_of_this_machine

        with GUARD:
            return meter_of_this_machine()
        return "portable", "the self-check itself failed"

    def lines(self) -> list[str]:
        """The lines in the header of the run. They name no event loop but one that was asked for: none has run yet."""
        from pytest_noblock.engine.tracers import slowdown

        kind, missing = self.meter
        more = [_TRACED] if slowdown() > 1 else []
        more += filter(None, [_NOT_SEEN_ON.get(options.own_loop(self._config))])
        if kind == "full":
            return ["noblock: full meter (the app's own sleep, CPU and network, not the machine's load)", *more]
        return [f"noblock: portable rules (not seen here: {missing}; `gil` is not judged)", *more]

    def environment(self, loops: Iterable[str]) -> "Environment":
        """The head of every report. `loops`: the event loops that ran; if empty, the head names the fixture's loop."""
        version, root, folder = self._project
        return {
            "version": version,
            "root": root,
            "folder": folder,
            "python": sys.version.split()[0],
            "platform": sys.platform,
            "meter": self.meter[0],
            "loop": ",".join(sorted(set(loops))) or options.own_loop(self._config),
        }

    @cached_property
    def _project(self) -> tuple[str, str, str]:
        from pytest_noblock.plugin.project import root_and_folder, version  # only a report says it

        return version(), *root_and_folder(self._config.rootpath)
