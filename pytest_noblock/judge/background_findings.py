"""From background tasks and their faults to what a check says (pure)."""

from collections.abc import Sequence

from pytest_noblock.calls.names import source_line
from pytest_noblock.judge import advice
from pytest_noblock.judge.background import Fault
from pytest_noblock.judge.grouping import Shown
from pytest_noblock.model.finding import Check, Finding, TaskRun
from pytest_noblock.model.observation import Exchange, Phase, Task
from pytest_noblock.model.units import milliseconds


def task_runs(exchange: Exchange, shown: Shown) -> tuple[TaskRun, ...]:
    """The exchange's tasks, timed from when the request was sent."""
    return tuple(_task_run(exchange, task, shown) for task in exchange.tasks)


def _task_run(exchange: Exchange, task: Task, shown: Shown) -> TaskRun:
    added = task.added_at
    return TaskRun(
        name=task.name,
        response_complete_ms=_since(exchange, exchange.completed),
        began_ms=_since(exchange, task.began),
        ended_ms=_since(exchange, task.ended),
        error=task.error,
        arguments=task.arguments,
        added_at=f"{shown(added.file)}:{added.line}" if added else None,
    )


def _since(exchange: Exchange, moment: int | None) -> float | None:
    return None if moment is None else milliseconds(moment - exchange.sent)


def finding(fault: Fault, shown: Shown) -> Finding:
    """A fault at the line that added the task."""
    run = fault.run
    frame = run.task.added_at if run else None
    began, ended = (run.task.began, run.task.ended) if run else (None, None)
    return Finding(
        kind=fault.kind,
        phase=Phase.BACKGROUND,
        blocked_ns=(ended - began) if began is not None and ended is not None else 0,
        cpu=0,
        asleep=0,
        count=1,
        file=shown(frame.file) if frame else None,
        line=frame.line if frame else None,
        function=frame.function if frame else None,
        code=source_line(frame.file, frame.line) if frame else None,
        call=fault.name,
        replacement=advice.replacement(None, fault.kind),
        confirmed=True,
        evidence="timeline",
        reason=fault.reason,
    )


def judged(check: Check, faults: Sequence[Fault], shown: Shown) -> Check:
    """The check with the faults of its background tasks added."""
    findings = tuple(finding(fault, shown) for fault in faults)
    return check._replace(outcome="failed", findings=check.findings + findings, reason=None) if findings else check


def shared_out(checks: Sequence[Check], faults: Sequence[Fault], shown: Shown) -> list[Check]:
    """Each fault at the check of its request; what belongs to none of them at the last."""
    owned = {id(check.exchange) for check in checks}
    strays = [fault for fault in faults if fault.run is None or id(fault.run.exchange) not in owned]
    result = [
        judged(check, [each for each in faults if each.run and each.run.exchange is check.exchange], shown)
        for check in checks
    ]
    return [*result[:-1], judged(result[-1], strays, shown)]
