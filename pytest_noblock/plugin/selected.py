"""What the command line selects: routes by the ids of their items, paths of tests, or neither.

pytest looks for a file of each argument. So the ids of a sweep's items, `noblock::GET /users/{user_id}`, are taken out
of its arguments before it collects.
"""

import difflib
from collections.abc import Sequence
from typing import NamedTuple, TypeVar

import pytest

from pytest_noblock.plugin import options

NODE = "noblock"
"""The id of the node that collects routes."""

OF_WORKER = "noblock_selected"
"""What xdist's controller tells its workers: they get the arguments that are left."""

Named = TypeVar("Named", bound=pytest.Item)


class Selected(NamedTuple):
    """The routes that are wanted, by name; empty for all."""

    routes: tuple[str, ...] = ()
    alone: bool = False
    """Whether no test runs beside the routes."""

    def among(self, items: Sequence[Named]) -> list[Named]:
        """Those of the items; raises UsageError for a route that the app does not have."""
        if not self.routes:
            return list(items)
        known = {item.name: item for item in items}
        for name in self.routes:
            if name not in known:
                close = difflib.get_close_matches(name, known, n=1)
                hint = f", did you mean {NODE}::{close[0]}" if close else ""
                raise pytest.UsageError(f"not found: {NODE}::{name}: the app has no such route{hint}")
        return [known[name] for name in dict.fromkeys(self.routes)]


def select(config: pytest.Config) -> Selected:
    """Takes what is the sweep's out of pytest's arguments. Without paths of tests, only the sweep runs."""
    told = getattr(config, "workerinput", {}).get(OF_WORKER)
    selected = _read_arguments(config) if told is None else Selected(tuple(told[0]), told[1])
    if told is not None:
        _swallowed(config)
    if selected.alone:
        config.args = []
    return selected


def _read_arguments(config: pytest.Config) -> Selected:
    given = [*_swallowed(config), *(config.args if config.args_source is pytest.Config.ArgsSource.ARGS else [])]
    routes = [each.removeprefix(f"{NODE}::") for each in given if each.startswith(f"{NODE}::")]
    paths = [each for each in given if not each.startswith(f"{NODE}::")]
    if paths:
        config.args = paths
    return Selected(tuple(routes), not paths and bool(routes or not options.watches_all(config)))


def _swallowed(config: pytest.Config) -> list[str]:
    """In `--noblock-sweep tests/` the path is no value of the option, whose value is an app, `pkg.mod:app`."""
    value: str = config.option.noblock_sweep
    file = value.partition("::")[0]
    if not (value.startswith(f"{NODE}::") or (value and (config.invocation_params.dir / file).exists())):
        return []
    config.option.noblock_sweep = ""
    return [value]
