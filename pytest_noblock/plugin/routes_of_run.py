"""The routes of the apps that requests entered, and whether enough of them were measured; in the process that prints.

Every pytest run imports this module: it imports nothing that costs time.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import pytest

from pytest_noblock.plugin import options

if TYPE_CHECKING:
    from pytest_noblock.model.app_routes import AppRoutes
    from pytest_noblock.plugin.entered import Told
    from pytest_noblock.report.coverage import Coverage
    from pytest_noblock.report.json_v1 import Record

OF_WORKER = "noblock_apps"
"""The key under which an xdist worker hands over what `EnteredApps` tells."""


class RoutesOfRun:
    """What all processes of the run told of their apps."""

    def __init__(self, config: pytest.Config, of_this_process: "Callable[[], list[Told]]") -> None:
        self._config = config
        self._of_this_process = of_this_process
        self._told: list[Told] = []
        self._coverage: Coverage | None = None
        """None until the end, and where no app told any route."""
        self.failed: str | None = None
        """Why the run is red for its routes; None where it is not."""

    def add(self, output: Mapping[str, Any]) -> None:
        """What an xdist worker hands over at its end."""
        self._told.extend(output.get(OF_WORKER, ()))

    @property
    def apps(self) -> "tuple[AppRoutes, ...]":
        """All apps, each once."""
        return tuple(self._coverage.apps) if self._coverage is not None else ()

    @property
    def measured(self) -> set[tuple[str, str]]:
        """Method and path of each route that was measured."""
        return {(each.method, each.path) for each in self._coverage.measured} if self._coverage is not None else set()

    def judge(self, by_test: "Mapping[str, Sequence[Record]]", *, swept: bool) -> None:
        """Counts what all records of the run measured. `swept`: a sweep has its own say on how many are enough."""
        self._told.extend(self._of_this_process())
        if self._told:
            self._coverage = self._covered(by_test)
        if options.value_of(self._config, "require") is not None and not swept and not self._is_part():
            self._require()

    def _covered(self, by_test: "Mapping[str, Sequence[Record]]") -> "Coverage | None":
        from pytest_noblock.model.app_routes import AppRoute, AppRoutes
        from pytest_noblock.model.measured import is_measured
        from pytest_noblock.report.coverage import Asked, Coverage

        told = cast("list[tuple[str, list[list[Any]]]]", self._told)
        coverage = Coverage(AppRoutes(name, tuple(AppRoute(*each) for each in rows)) for name, rows in told)
        for records in by_test.values():
            for each in records:
                measured = is_measured(each["outcome"], each["notes"], each.get("status"))
                coverage.add(Asked(each["request"], each["route"], each["endpoint"], measured))
        return coverage or None

    def _is_part(self) -> bool:
        """Whether only some of the tests were asked for: the ini file's share is of all of them."""
        option = self._config.option
        part = any("::" in each for each in self._config.args) or option.keyword or getattr(option, "lf", False)
        return bool(part) and self._config.getoption("noblock_require") is None

    def _require(self) -> None:
        from pytest_noblock.plugin.sweep_options import required

        wanted = required(self._config)
        if self._coverage is None:
            self.failed = f"--noblock-require={wanted.words} is not met: no app that was entered shows its routes"
            return
        named = options.of_run(self._config).app
        measured, routes, words = self._coverage.share(named if isinstance(named, str) else None)
        if wanted.fails(measured, routes):
            share = f"{measured} of {routes} routes of {words} were measured"
            self.failed = f"--noblock-require={wanted.words} is not met: {share}"

    def lines(self, *, others: bool) -> Iterator[str]:
        """For the summary. `others`: lists the routes that were not measured."""
        if self._coverage is not None:
            yield from self._coverage.lines(others=others)
