"""Reads the JSON reports that are merged, and refuses what does not belong together."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, cast

from pytest_noblock.model.shown import printable, value
from pytest_noblock.report.json_v1 import SCHEMA_VERSION
from pytest_noblock.report.wire import Environment


class Refused(Exception):
    """One sentence, for the user."""


class Shard(NamedTuple):
    """One report."""

    name: str
    """As it was given."""
    environment: Environment
    routes: list[dict[str, Any]]
    checks: list[dict[str, Any]]

    @property
    def ended(self) -> bool:
        return self.environment.get("ended", True)

    @property
    def report(self) -> dict[str, Any]:
        """What a baseline is judged by."""
        return {"environment": self.environment, "checks": self.checks}


def shards(names: Iterable[str]) -> Iterator[Shard]:
    """One after the other, each file once: only one of them need be in memory. Raises Refused."""
    first: Shard | None = None
    for name in _each_once(names):
        shard = read(name)
        if first is None:
            first = shard._replace(routes=[], checks=[])
        else:
            _belongs(shard, first)
        yield shard


def _each_once(names: Iterable[str]) -> Iterator[str]:
    """A pattern of the shell and a name may mean the same file."""
    seen = set()
    for name in names:
        real = Path(name).resolve()
        if real not in seen:
            seen.add(real)
            yield name


def read(name: str) -> Shard:
    """Raises Refused."""
    problem = ""
    try:
        found = json.loads(Path(name).read_bytes())
        return _shard(name, found)
    except OSError as error:
        problem = f"cannot be read: {error.strerror or error}"
    except (ValueError, RecursionError) as error:
        problem = f"is no JSON: {error}"
    except _NoReport as mistake:
        problem = str(mistake)
    raise Refused(printable(f"{name} {problem}"))  # outside the except blocks: without a history


class _NoReport(Exception):
    """What is wrong with it, in words that follow its name."""


_KEYS = {"environment": dict, "routes": list, "checks": list}
_OF_CHECK = ("id", "request", "route", "endpoint", "outcome", "reason", "duration_ms", "loop_ms", "findings", "notes")


def _shard(name: str, found: object) -> Shard:
    if not isinstance(found, dict) or "schema_version" not in found:
        raise _NoReport("is no report of pytest-noblock: it has no schema_version")
    version = found["schema_version"]
    if version != SCHEMA_VERSION:
        raise _NoReport(f"has schema_version {value(version)}: this pytest-noblock reads {SCHEMA_VERSION} alone")
    for key, kind in _KEYS.items():
        if not isinstance(found.get(key), kind):
            raise _NoReport(f"is no report of pytest-noblock: it has no {key}")
    checks = cast("list[dict[str, Any]]", found["checks"])
    for check in cast("list[object]", checks[:1] + checks[-1:]):
        if not (isinstance(check, dict) and all(key in check for key in _OF_CHECK)):
            raise _NoReport("is no report of pytest-noblock: its checks have other keys")
    return Shard(name, cast("Environment", found["environment"]), found["routes"], checks)


def _belongs(shard: Shard, first: Shard) -> None:
    """Raises Refused."""
    theirs, ours = shard.environment, first.environment
    if theirs.get("version") != ours.get("version"):
        raise Refused(
            printable(
                f"{shard.name} was written by pytest-noblock {theirs.get('version')}, {first.name} by "
                f"{ours.get('version')}: only reports of one version are judged as one run"
            )
        )
    if _root(theirs) != _root(ours):
        raise Refused(
            printable(
                f"{shard.name} is of another root: its files lie in {_root(theirs)}, those of {first.name} in "
                f"{_root(ours)}"
            )
        )


def _root(environment: Environment) -> str:
    """The root as the repository names it, where one is known: the folder of a checkout may have any name."""
    return environment.get("folder") or environment.get("root") or "an unnamed folder"


def together(environments: Iterable[Environment]) -> Environment:
    """The head of the merged report."""
    all_ = list(environments)
    first = all_[0]
    return {
        **first,
        "python": _joined(each["python"] for each in all_),
        "platform": _joined(each["platform"] for each in all_),
        "meter": "full" if all(each["meter"] == "full" for each in all_) else "portable",
        "loop": _joined(name for each in all_ for name in each["loop"].split(",")),
        "ended": all(each.get("ended", True) for each in all_),
    }


def _joined(names: Iterable[str]) -> str:
    return ",".join(sorted(set(names)))
