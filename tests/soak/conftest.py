"""Services, apps and the table of figures that the soak prints at the end."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_noblock.checks.running_apps import RunningApps
from pytest_noblock.engine.selfcheck import meter_of_this_machine
from tests.soak import blocking_app, servers

_FIGURES: list[tuple[str, str]] = []
_DETAILS: list[dict[str, object]] = []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not _FIGURES:
        return
    terminalreporter.section("soak: figures")
    width = max(len(name) for name, _ in _FIGURES)
    for name, figure in _FIGURES:
        terminalreporter.write_line(f"{name:<{width}}  {figure}")
    if file := os.environ.get("NOBLOCK_SOAK_DETAILS"):
        Path(file).write_text(json.dumps(_DETAILS, indent=1))


@pytest.fixture(scope="session")
def figure():
    """`figure(name, text, **details)`: a line of the table."""

    def add(name: str, text: str, **details: object) -> None:
        _FIGURES.append((name, text))
        _DETAILS.append({"name": name, "figure": text, **details})

    return add


@pytest.fixture(scope="session")
def services() -> Iterator[servers.Services]:
    with servers.services() as ports:
        blocking_app.services = ports
        yield ports


@pytest.fixture(scope="session")
def meter():
    kind, missing = meter_of_this_machine()
    assert kind == "full", missing
    return kind


@pytest.fixture(scope="module")
def apps(services, meter, pytestconfig):
    running = RunningApps(str(pytestconfig.rootpath), meter)
    yield running
    assert running.stop() == []
