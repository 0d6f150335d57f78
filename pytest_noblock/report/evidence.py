"""Evidence on demand: what `-v`, `-vv` and `-vvv` add to a failure, for users who doubt it or look closer (pure)."""

from collections.abc import Iterator

from pytest_noblock.model.check import Check
from pytest_noblock.model.finding import Finding
from pytest_noblock.model.observation import LIFESPAN, Exchange
from pytest_noblock.model.rules import Readings
from pytest_noblock.model.shown import without_secrets
from pytest_noblock.model.units import words

_MOST_STALLS = 10
"""The most stalls of one finding that the timeline shows."""


def readings(finding: Finding) -> Iterator[str]:
    """Lines with the rule that found the finding and what the rule read; none for a background task."""
    if finding.rule is not None:
        yield f"  rule    {finding.rule.id}: {finding.rule.text}"
    if finding.readings is not None:
        yield f"  read    {', '.join(_times(finding.readings))}"
        yield f"          {', '.join(_counts(finding.readings))}"
        for each in finding.readings.exchanged:
            yield f"          {each.peer or 'a closed socket'}: {each.sent} bytes sent, {each.received} bytes received"


def _times(read: Readings) -> Iterator[str]:
    named = {
        "wall": read.wall,
        "CPU": read.cpu,
        "run-queue delay": read.queued,
        "asleep": read.asleep,
        "CPU of other threads": read.others_cpu,
        "garbage collection": read.collected,
    }
    yield from (f"{name} {'not read' if ns is None else words(ns)}" for name, ns in named.items())
    if read.others_queued is not None:
        yield f"run-queue delay of other threads, or of a child, {words(read.others_queued)}"


def _counts(read: Readings) -> Iterator[str]:
    named = {"voluntary switches": read.switches, "stack samples": read.samples}
    return (f"{name} {'not read' if count is None else count}" for name, count in named.items())


def stack(finding: Finding) -> Iterator[str]:
    """Lines with the stack of the finding; none where nobody saw one."""
    if not finding.stack:
        return
    yield "  stack   innermost first"
    for frame in finding.stack:
        yield f"            {frame.file}:{frame.line} in {frame.function}"


def timeline(check: Check) -> Iterator[str]:
    """Lines with the times of the response and of each stall."""
    exchange = check.exchange
    if exchange is None:
        return
    yield "  timeline, from when the request was sent"
    for moment, what in sorted(_moments(check, exchange)):
        yield f"    {words(moment - exchange.sent):>9}  {what}"
    yield ""


def _moments(check: Check, exchange: Exchange) -> Iterator[tuple[int, str]]:
    of_app = exchange.method == LIFESPAN
    stages = (
        {
            "the app had started": exchange.started,
            "the app was told to stop": exchange.completed,
            "the app returned": exchange.returned,
        }
        if of_app
        else {
            "the response started": exchange.started,
            "the response was complete": exchange.completed,
            "the app returned": exchange.returned,
        }
    )
    yield from ((moment, what) for what, moment in stages.items() if moment is not None)
    for finding in check.findings:
        for began, ended in finding.stalls[:_MOST_STALLS]:
            yield began, f"the loop is held, by {finding.place}"
            yield ended, "the loop turns again"


def probes(check: Check) -> Iterator[str]:
    """Every probe that was sent beside the request."""
    if check.exchange is None or not check.probe_runs:
        return
    yield "  probes, when they were due and how long they waited"
    for probe in check.probe_runs:
        due = words(probe.due - check.exchange.sent)
        yield f"    {due:>9}  {without_secrets(probe.path)}  {words(probe.waited)}"
