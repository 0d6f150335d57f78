"""The README is run: its files are written, its commands given, its sample output compared line by line."""

import contextlib
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.one_python

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
BLOCK = r"```\w+\n(.*?)```"
FILES = dict(re.findall(rf"<!-- file: (\S+) -->\n{BLOCK}", README, re.DOTALL))
RUNS = re.findall(rf"<!-- run: python -m pytest (.+?) -->\n{BLOCK}", README, re.DOTALL)
NUMBERS = re.compile(r"[\d.]+(?= ms\b)|\d+(?= of )|(?<= of )\d+|\d+(?= (?:turns|waiting|workers)\b)")
PER_SECOND = re.compile(r" ms +[\d,.]+(?=$|  )")
"""A sweep's table: a column of numbers without a unit."""


PORT = "8931"
"""Of the service that the README starts: a stranger's is free, ours may not be."""


@pytest.fixture
def port() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


@pytest.fixture
def project(pytester: pytest.Pytester, port: str) -> Iterator[pytest.Pytester]:
    """The README's files, as a stranger pastes them, and the service that it starts; nothing else is set up."""
    for name, text in FILES.items():
        path = pytester.path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text.replace(PORT, port), encoding="utf-8")
    assert "python rates.py &\n" in README
    with subprocess.Popen([sys.executable, "rates.py"]) as rates:
        try:
            _wait_for(port)
            yield pytester
        finally:
            rates.kill()


def _wait_for(port: str) -> None:
    for _ in range(300):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", int(port))):
            return
        time.sleep(0.03)
    raise AssertionError("rates.py does not listen")


def without_numbers(text: str) -> list[str]:
    lines = (PER_SECOND.sub(" ms  N", NUMBERS.sub("N", line.rstrip())) for line in text.strip().splitlines())
    return [re.sub(r"(?<=\S) {2,}", "  ", line) for line in lines]


@pytest.mark.parametrize(("command", "sample"), RUNS, ids=[command for command, _ in RUNS])
def test_the_samples_are_what_the_commands_print(
    project: pytest.Pytester, port: str, command: str, sample: str
) -> None:
    if "test_schema" in command:
        pytest.importorskip("schemathesis")
    result = project.runpytest_subprocess(*command.split(), "-p", "no:randomly")
    printed = without_numbers(result.stdout.str())
    expected = without_numbers(sample.replace(PORT, port))
    assert expected[0] in printed, result.stdout.str()
    start = printed.index(expected[0])
    assert printed[start : start + len(expected)] == expected
    assert re.match("$|=", printed[start + len(expected)]), "the sample leaves out what the command prints next"


def test_the_other_snippet_passes(project: pytest.Pytester) -> None:
    project.runpytest_subprocess("tests/test_check.py").assert_outcomes(passed=1)


def test_the_server_snippet_passes(project: pytest.Pytester) -> None:
    pytest.importorskip("uvicorn")
    project.runpytest_subprocess("tests/test_served.py").assert_outcomes(passed=1)


def test_every_file_of_the_readme_takes_part() -> None:
    assert set(FILES) == {
        "app/main.py",
        "conftest.py",
        "noblock.jsonl",
        "rates.py",
        "tests/test_check.py",
        "tests/test_existing.py",
        "tests/test_pool.py",
        "tests/test_report.py",
        "tests/test_schema.py",
        "tests/test_served.py",
        "tests/test_tasks.py",
    }
    assert len(RUNS) == 7
