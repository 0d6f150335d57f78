"""Tests that ask to be measured, and in which nothing was: red, or named in the summary; never silently green.

Who asks decides what happens to a passing test without a request:

* The test itself (`@pytest.mark.noblock` or `usefixtures("noblock")` on the function, or `noblock` among its arguments)
  is red and `inconclusive`: its author wanted a measurement.
* A marker on a class or a module holds for all its tests, and some of them may need no request: these are named in
  the summary. Where no test under the marker made a request, and each of them ran and passed, the run is red: then the
  marker asserts nothing. A run of a part of these tests (`-k`, `file.py::test`) is not red for that.
* `--noblock`, or a fixture that uses `noblock`, asks for nobody in particular: the tests are named in the summary.
"""

import json
from collections.abc import Iterable, Iterator, Sequence

import pytest

UNSEEN = "noblock-unseen"
"""The user property of a passing test in which nothing was measured: JSON, the asking node's id and a sentence."""

UNWATCHED = "noblock-unwatched"
"""The user property of such a test that sent requests, or has a client whose requests nobody watches: a sentence."""

BY_ITSELF = "the test"
"""In the place of a node's id: the test itself asks."""

_CLIENT, _SERVER = "noblock", "noblock_server"
"""The fixtures."""

_MOST_LINES = 10

_NO_REQUEST = (
    "{name} made no request that noblock could watch: nothing was measured\n"
    "{client}"
    "  make one with TestClient, AsyncClient or the noblock fixture, or take the marker off the test"
)
_NOT_WITH_FIXTURE = (
    "{name} has the noblock fixture and made no request with it: nothing was measured\n"
    "  call noblock.get(...), or take the fixture off the test"
)
_NOT_TO_SERVER = (
    "{name} has the noblock_server fixture, and no request reached the app: nothing was measured\n"
    "  send one to noblock_server.url, or take the fixture off the test"
)


def has_fixture(item: pytest.Item) -> bool:
    """Whether the test has a fixture of ours, by itself or by another fixture: then it is watched.

    What it requests with a client of its own is judged as well, be it to log in.
    """
    return _has(item, _CLIENT) or _has(item, _SERVER)


def _has(item: pytest.Item, fixture: str) -> bool:
    if fixture not in getattr(item, "fixturenames", ()):
        return False
    known = getattr(getattr(item, "_fixtureinfo", None), "name2fixturedefs", {})  # pytest 7 to 9; none: it is ours
    defined = known.get(fixture, ())
    return not defined or any(map(_is_ours, _asked_for(defined, fixture)))


def _asked_for(defined: Sequence[pytest.FixtureDef[object]], name: str) -> Iterator[pytest.FixtureDef[object]]:
    """The innermost fixture of that name and, as far as each asks for the one that it overrides, the others."""
    for each in reversed(defined):
        yield each
        if name not in each.argnames:
            return


def _is_ours(fixture: pytest.FixtureDef[object]) -> bool:
    return str(getattr(fixture.func, "__module__", "")).startswith("pytest_noblock.")


def _names_fixture(mark: pytest.Mark) -> bool:
    return mark.name == "usefixtures" and not {_CLIENT, _SERVER}.isdisjoint(mark.args)


def asked_at(item: pytest.Item) -> str | None:
    """Who asks for a measurement: `BY_ITSELF`, the id of a class or a module, or None for nobody in particular."""
    if is_marked(item) or _takes_fixture(item, _CLIENT, _SERVER):
        return BY_ITSELF
    nodes = reversed(item.listchain()) if any(map(_asks, item.iter_markers())) else ()
    return next((node.nodeid for node in nodes if any(map(_asks, node.own_markers))), None)


def is_marked(item: pytest.Item) -> bool:
    """Whether a marker on the test itself asks."""
    return any(map(_asks, item.own_markers))


def _asks(mark: pytest.Mark) -> bool:
    return mark.name == "noblock" or _names_fixture(mark)


def _takes_fixture(item: pytest.Item, *fixtures: str) -> bool:
    """Whether one is among the arguments of the test's function; a fixture of the user's may have it as well."""
    if not any(_has(item, each) for each in fixtures):
        return False
    import inspect

    try:
        parameters = inspect.signature(item.function).parameters  # type: ignore[attr-defined]
    except (AttributeError, TypeError, ValueError):  # an item that is no function's, or no signature
        return False
    return any(each in parameters for each in fixtures)


def sentence(item: pytest.Item, sent: tuple[str, int] | None = None) -> str:
    """What is wrong, and what to do.

    `sent`: by which client the test sent most requests, and how many, of which none was seen.
    """
    if _takes_fixture(item, _SERVER):
        return _NOT_TO_SERVER.format(name=item.name)
    if _takes_fixture(item, _CLIENT):
        return _NOT_WITH_FIXTURE.format(name=item.name)
    client = unwatched(item, sent)
    return _NO_REQUEST.format(name=item.name, client=f"  {client}\n" if client else "")


def unwatched(item: pytest.Item, sent: tuple[str, int] | None) -> str | None:
    """What became of the requests that the test sent; None where nothing is known of any."""
    from pytest_noblock.plugin.unwatched import where_sent  # most tests are seen

    return where_sent(item, sent)


def attach_unwatched(item: pytest.Item, sent: tuple[str, int] | None) -> None:
    """The test is green, nothing was seen in it, and the summary says where its requests went."""
    why = unwatched(item, sent)
    if why is not None:
        item.user_properties.append((UNWATCHED, why))


def attach(item: pytest.Item, where: str | None, why: str) -> None:
    """The test is green, and the summary names it."""
    item.user_properties.append((UNSEEN, json.dumps([where, why.partition("\n")[0]])))


class Unseen:
    """The tests of a run in which nothing was seen; kept by the process that prints."""

    def __init__(self, *, every_test: bool) -> None:
        """`every_test`: whether every test is watched."""
        self._every_test = every_test
        self._passed: dict[str, None] = {}
        self._others: set[str] = set()
        """Tests that did not pass, and tests that were not run."""
        self._why: dict[str, str] = {}
        self._unwatched: dict[str, str] = {}
        """By test: what became of the requests that it sent."""
        self._asked: dict[str, list[str]] = {}
        """By the id of a class or a module: its tests without a request."""

    def ended(self, report: pytest.TestReport) -> None:
        """Of each phase."""
        if report.outcome != "passed":
            self._others.add(report.nodeid)
        elif report.when == "call":
            self._passed[report.nodeid] = None

    def keep(self, test: str, properties: Iterable[tuple[str, object]]) -> None:
        """What the test attached."""
        for key, value in properties:
            if key == UNWATCHED:
                self._unwatched[test] = str(value)
            if key == UNSEEN:
                where, self._why[test] = json.loads(str(value))
                if where is not None:
                    self._asked.setdefault(where, []).append(test)

    def left_out(self, tests: Iterable[str]) -> None:
        """Tests that were collected and are not run."""
        self._others.update(tests)

    def _tests(self, seen: set[str]) -> list[str]:
        passed = [test for test in self._passed if test not in self._others and test not in seen]
        return passed if self._every_test else [test for test in passed if test in self._why]

    @property
    def asks(self) -> bool:
        """Whether a marker of a class or a module covers a test in which nothing was seen."""
        return bool(self._asked)

    def vain(self, seen: set[str], *, whole: bool) -> list[str]:
        """The classes and modules whose marker asserted nothing. `whole`: all of their tests were collected."""
        others = seen | self._others
        return [where for where in self._asked if whole and not any(_is_under(test, where) for test in others)]

    def _line(self, test: str) -> str:
        return f"      {test}" + (f": {self._unwatched[test]}" if test in self._unwatched else "")

    def _head(self, tests: list[str]) -> str:
        clients = sum(test in self._unwatched for test in tests)
        told = f"; {clients} of them {'has' if clients == 1 else 'have'} a client whose requests were not seen"
        return f"nothing was seen in {len(tests)} of {len(self._passed)} passed tests{told if clients else ''}:"

    def lines(self, seen: set[str], vain: Iterable[str]) -> Iterator[str]:
        """For the summary, ten at most; first the tests whose clients may have sent something.

        `seen`: the tests with a request; `vain`: see above.
        """
        red = [f"  the marker of {where} asserted nothing: no test under it made a request" for where in vain]
        tests = sorted(self._tests(seen), key=lambda test: test not in self._unwatched)
        beside = [f"  {why} ({test})" for test, why in self._why.items() if test in seen]
        lines = [*red, *beside, *([self._head(tests)] if tests else []), *map(self._line, tests)]
        yield from lines[: _MOST_LINES - 1]
        if len(lines) >= _MOST_LINES:
            yield lines[-1] if len(lines) == _MOST_LINES else f"      and {len(lines) - _MOST_LINES + 1} more"


def _is_under(test: str, where: str) -> bool:
    return test.startswith(f"{where}::")
