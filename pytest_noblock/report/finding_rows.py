"""What is told of a finding below its headline, as pairs of a name and a text (pure). Every format shows these."""

from collections.abc import Iterator
from typing import assert_never

from pytest_noblock.model.check import SWEPT, Check, TaskRun
from pytest_noblock.model.finding import Evidence, Finding
from pytest_noblock.model.kinds import is_background
from pytest_noblock.model.observation import Phase
from pytest_noblock.model.units import words
from pytest_noblock.report.harms import harms
from pytest_noblock.report.why import why

Row = tuple[str, str]
"""A name, as `why`, and a text; a line of code has the name `code`."""

_MOST_PARTS = 5
"""The most lines of one turn that are shown."""


def finding_rows(check: Check, finding: Finding, *, has_baseline: bool = False) -> Iterator[Row]:
    """`has_baseline`: whether the run has a list of known findings, which may take in this one."""
    if is_background(finding.kind):
        yield from _background_rows(check, finding)
        yield from _of_baseline(finding, "accept", has_baseline=has_baseline)
        return
    yield from _total_rows(check, finding) if finding.kind == "loop-total" else _wait_rows(check, finding)
    yield ("accept", _acceptance(check, finding))
    yield from _of_baseline(finding, "or", has_baseline=has_baseline)
    if not finding.confirmed:
        yield ("seen", _once(check, finding))


def parts(finding: Finding) -> Iterator[Row]:
    """What else held the loop in the same turn, where several lines did."""
    for part in finding.parts[:_MOST_PARTS]:
        where = f"{part.frame.file}:{part.frame.line} in {part.frame.function}"
        yield "part", f"{words(part.blocked_ns)} by {where}"


def _background_rows(check: Check, finding: Finding) -> Iterator[Row]:
    if finding.file:
        yield ("by", f"{finding.place} in {finding.function}")
        yield "code", f"{finding.code}"
    yield ("why", finding.reason or "not known")
    for run in check.background:
        yield ("when", _when(run))
    yield ("instead", finding.replacement)


def _when(run: TaskRun) -> str:
    """The times of the task, and of its response."""
    began = "never began" if run.began_ms is None else f"began {run.began_ms:.1f} ms"
    ended = "" if run.ended_ms is None else f", ended {run.ended_ms:.1f} ms"
    complete = "never" if run.response_complete_ms is None else f"{run.response_complete_ms:.1f} ms"
    return f"{run.name}({run.arguments}) {began}{ended}; response complete {complete}"


def _total_rows(check: Check, finding: Finding) -> Iterator[Row]:
    """The endpoint, what it adds up to, and the lines that took most of it."""
    yield ("by", finding.by)
    if finding.code:
        yield "code", f"{finding.code}"
    yield ("why", finding.reason or "not known")
    yield from parts(finding)
    rate = 1e9 / max(check.loop_ns, finding.blocked_ns)
    yield ("harm", f"one worker can serve {rate:.{0 if rate >= 9.95 else 1}f} such requests per second, no more")
    yield ("instead", finding.replacement)


def _wait_rows(check: Check, finding: Finding) -> Iterator[Row]:
    yield ("by", finding.by + _to_search(finding))
    if finding.code:
        yield "code", f"{finding.code}"
    if finding.waiter is not None:
        yield ("waiter", f"{finding.waiter.place} in {finding.waiter.function}")
        yield "code", f"{finding.waiter.code}"
    for name in _during(check, finding):
        yield ("task", name)
    yield ("why", why(finding))
    if finding.near is not None:
        yield ("near", finding.near)
    for harm in harms(check, finding):
        yield ("harm", harm)
    yield ("instead", finding.replacement)


def _to_search(finding: Finding) -> str:
    """A function in C that the loop itself calls leaves no line: who gave it to the loop is told by its words."""
    if finding.file is not None or finding.role != "loop callback":
        return ""
    what = finding.call or "what is"
    givers = "call_soon, call_soon_threadsafe, call_later, call_at or add_done_callback"
    return f"; its line is not known: the loop called it, so search for {what} given to {givers}"


def _during(check: Check, finding: Finding) -> list[str]:
    """The background tasks that were running when the loop was held."""
    tasks = check.exchange.tasks if check.exchange else ()
    return [
        f"{task.name}({task.arguments})"
        for task in tasks
        if finding.phase is Phase.BACKGROUND
        and any((task.began or ended) < ended and began < (task.ended or ended) for began, ended in finding.stalls)
    ]


def _acceptance(check: Check, finding: Finding) -> str:
    """What accepts the finding. A route of a sweep has no test to decorate: a hook of conftest.py marks its item."""
    mark = f'pytest.mark.noblock_allow("reason", {_narrowed(finding)})'
    if check.id.startswith(SWEPT):
        marks = f'if item.nodeid == "{check.id}": item.add_marker({mark})'
        return f"{marks}, in conftest.py's pytest_collection_modifyitems"
    return f"@{mark}"


def _of_baseline(finding: Finding, name: str, *, has_baseline: bool) -> Iterator[Row]:
    """How the list of known findings takes it in; of an entry that is out of date, that it is."""
    if finding.beside is not None:
        yield ("new", finding.beside)
    if finding.expired is not None:
        yield ("expired", f"the baseline accepted it up to {finding.expired}")
    elif has_baseline and finding.accepted is None:
        yield (name, "--noblock-update-baseline, which makes it a known finding")


def _narrowed(finding: Finding) -> str:
    return f'call="{finding.call}"' if finding.call else f'kinds=["{finding.kind}"]'


def _once(check: Check, finding: Finding) -> str:
    """What an unconfirmed finding rests on, and how to confirm it."""
    again = "to be sure" if finding.evidence == "call" else "and names the exact line"
    hint = f"; confirm=True sends the request again, {again}" if check.probes else ""
    return f"once, {_evidence(finding.evidence)}{hint}"


def _evidence(evidence: Evidence) -> str:  # noqa: C901, PLR0911  # one for each
    match evidence:
        case "call" | "known blocking call, answered by a mock":
            return "as the call was made"
        case "sample":
            return "by a stack sample while it lasted"
        case "line counters" | "hot loop":
            return "by counters at every line"
        case "worker":
            return "by the stacks of the worker threads"
        case "await":
            return "by where its tasks waited"
        case "timeline":
            return "by the times of its task"
        case "endpoint":
            return "by the counters of the step; most of it lay outside of the user's lines"
        case "none":
            return "by the counters of the step alone"
        case _:
            assert_never(evidence)
