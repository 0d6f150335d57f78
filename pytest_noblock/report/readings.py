"""Evidence on demand: the rule that found something and what the rule read, for users who disagree (pure)."""

from collections.abc import Iterator

from pytest_noblock.model.finding import Finding
from pytest_noblock.model.rules import RULES, Readings
from pytest_noblock.model.units import words


def readings_of(finding: Finding) -> Iterator[str]:
    """The lines for one finding; none for a background task, which is judged by its timeline alone."""
    if finding.rule is not None:
        yield f"  rule    {finding.rule}: {RULES[finding.rule]}"
    if finding.readings is not None:
        yield f"  read    {', '.join(_times(finding.readings))}"
        yield f"          {', '.join(_counts(finding.readings))}"
        for each in finding.readings.exchanged:
            yield f"          {each.peer or 'a closed socket'}: {each.sent} bytes sent, {each.received} bytes received"


def _times(readings: Readings) -> Iterator[str]:
    named = {
        "wall": readings.wall,
        "CPU": readings.cpu,
        "run-queue delay": readings.queued,
        "asleep": readings.asleep,
        "CPU of other threads": readings.others_cpu,
        "garbage collection": readings.collected,
    }
    return (f"{name} {'not read' if ns is None else words(ns)}" for name, ns in named.items())


def _counts(readings: Readings) -> Iterator[str]:
    named = {"voluntary switches": readings.switches, "stack samples": readings.samples}
    return (f"{name} {'not read' if count is None else count}" for name, count in named.items())
