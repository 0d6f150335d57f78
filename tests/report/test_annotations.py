"""Workflow commands of GitHub Actions."""

import re

import pytest

from pytest_noblock.report.annotations import MOST, annotations
from pytest_noblock.report.wire import Run
from tests.report.runs import ENVIRONMENT, GREEN, ROUTED, hostile, many

pytestmark = pytest.mark.one_python

COMMAND = re.compile(r"::(error|warning) (?P<properties>[^:]*(?:%3A[^:]*)*)::(?P<message>.*)")


def read(line):
    """As the runner reads it: the command's properties and message."""
    assert "\n" not in line
    found = COMMAND.fullmatch(line)
    properties = dict(each.split("=", 1) for each in found["properties"].split(","))
    shown = {name: unescaped(value).replace("%3A", ":").replace("%2C", ",") for name, value in properties.items()}
    return shown, unescaped(found["message"])


def unescaped(text):
    return text.replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%")


def test_a_finding_is_at_its_line():
    (line,) = annotations(Run(ENVIRONMENT, (ROUTED["sync-network"],)))
    properties, message = read(line)
    assert properties == {"file": "services/api/app/main.py", "line": "44", "title": "pytest-noblock: sync-network"}
    instead = "httpx.AsyncClient().get, or await asyncio.to_thread(requests.get, ...), or make the endpoint a plain def"
    assert message.splitlines() == [
        "GET /report blocked the event loop 301 ms (limit 50 ms)",
        "rates = requests.get(URL).json()",
        "why: waiting for the network: asleep 299 ms, CPU 2.1 ms",
        f"instead: {instead}",
    ]


def test_green_and_accepted_are_not_told():
    assert list(annotations(GREEN)) == []
    assert list(annotations(Run(ENVIRONMENT, (ROUTED["accepted"],)))) == []


def test_the_worst_come_first_and_the_tenth_says_how_many_more():
    lines = list(annotations(many(14)))
    assert len(lines) == MOST == 10
    files = [read(line)[0]["file"] for line in lines]
    assert files[0] == "services/api/app/api/orders/handlers_13.py"
    assert "and 4 more findings: the summary of this job has them" in read(lines[-1])[1]
    assert not any("more finding" in line for line in lines[:-1])
    assert not any("more finding" in line for line in annotations(many(10)))


def test_a_finding_without_a_line_is_told_without_a_file():
    (line,) = annotations(Run(ENVIRONMENT, (ROUTED["sync-io-no-line"],)))
    properties, message = read(line)
    assert "file" not in properties
    assert "by a line outside of the user's code" in message


def test_what_a_name_has_is_no_command():
    (line,) = annotations(hostile())
    properties, message = read(line)
    assert set(properties) == {"file", "line", "title"}
    assert "::error::" in message
    assert "\x1b" not in line
