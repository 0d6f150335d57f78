"""Compares what the background tasks of requests did with what they must do: pure functions.

Starlette's own words: a background task "will run only once the response has been sent".
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from pytest_noblock.calls.names import source_line
from pytest_noblock.judge import advice
from pytest_noblock.judge.grouping import Shown
from pytest_noblock.model.check import Check, TaskRun, with_findings
from pytest_noblock.model.finding import Finding
from pytest_noblock.model.kinds import TaskKind
from pytest_noblock.model.observation import Exchange, Phase, Task
from pytest_noblock.model.units import milliseconds

_LATE = "tasks run only after the endpoint's response"

_Owned = tuple[Exchange, Task]
"""The request that added a task, and the task."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of one task; `exchange` and `task` are None where no request added such a task."""

    kind: TaskKind
    name: str
    """The task's `__name__`; where no task was added, the name that the test gave, empty where it gave none."""
    reason: str
    """Why, as text for people."""
    instead: str = ""
    """What to write instead, for this reason; empty: what is advised for the kind."""
    exchange: Exchange | None = None
    task: Task | None = None


def faults(exchanges: Sequence[Exchange], expected: Sequence[str], shown: Shown) -> list[Fault]:
    """The faults of the tasks that the test names in `expected`.

    An empty `expected` stands for all tasks, and then at least one task must be there. `shown` as in `grouping`.
    """
    added = [(exchange, task) for exchange in exchanges for task in exchange.tasks]
    places = _path_operations(exchanges, shown)
    if not expected:
        missing = [] if added else [Fault("background-missing", "", *_nothing_added(exchanges, places))]
        return missing + [fault for owned in added for fault in _faults_of(*owned, shown)]
    chosen, missing = _chosen(added, expected, exchanges, places)
    named = [(exchange, task) for exchange, task in added if any(task.is_called(name) for name in expected)]
    return missing + [fault for owned in named for fault in _faults_of(*owned, shown)] + list(_out_of_order(chosen))


def task_runs(exchange: Exchange, shown: Shown) -> tuple[TaskRun, ...]:
    """The tasks of the exchange, as `Check.background` has them."""
    return tuple(_task_run(exchange, task, shown) for task in exchange.tasks)


def judged(check: Check, faults: Sequence[Fault], shown: Shown) -> Check:
    """The check with the faults of its background tasks added."""
    if not faults:
        return check
    findings = (*check.findings, *(_finding(fault, shown) for fault in faults))
    return with_findings(check, findings)


def shared_out(checks: Sequence[Check], faults: Sequence[Fault], shown: Shown) -> list[Check]:
    """The checks, each with the faults of its request. The last check gets the faults that no request owns as well.

    `checks` must not be empty.
    """
    owned = {id(check.exchange) for check in checks}
    strays = [fault for fault in faults if fault.exchange is None or id(fault.exchange) not in owned]
    result = [
        judged(check, [each for each in faults if each.exchange and each.exchange is check.exchange], shown)
        for check in checks
    ]
    return [*result[:-1], judged(result[-1], strays, shown)]


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


def _finding(fault: Fault, shown: Shown) -> Finding:
    """The finding of a fault, at the line that added the task."""
    task = fault.task
    frame = task.added_at if task else None
    began, ended = (task.began, task.ended) if task else (None, None)
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
        replacement=fault.instead or advice.replacement(None, fault.kind),
        confirmed=True,
        evidence="timeline",
        reason=fault.reason,
    )


def _chosen(
    added: Sequence[_Owned], expected: Sequence[str], exchanges: Sequence[Exchange], places: str
) -> tuple[list[_Owned], list[Fault]]:
    """One task for each name, and a fault for each name without a task. A name that stands twice needs two tasks."""
    left = list(added)
    chosen: list[_Owned] = []
    missing: list[Fault] = []
    for name in expected:
        owned = next((each for each in left if each[1].is_called(name)), None)
        if owned is None:
            missing.append(Fault("background-missing", name, *_not_among(name, added, exchanges, places)))
        else:
            left.remove(owned)
            chosen.append(owned)
    return chosen, missing


_Why = tuple[str, str]
"""The reason of a fault, and what to write instead."""


def _nothing_added(exchanges: Sequence[Exchange], places: str, name: str = "") -> _Why:
    if not exchanges:
        return "the test made no request", "send the request that adds the task within the test's call"
    if all(exchange.framework is None for exchange in exchanges):
        why = "the app is not Starlette's, so its background work has no names: " + _after_response(exchanges[-1])
        return why, "test what the task leaves behind: only Starlette's and FastAPI's tasks are seen"
    return "no request of this test added a task", f"{_adding(name)} in the path operation{places} or in a dependency"


_MOST_PLACES = 3


def _path_operations(exchanges: Sequence[Exchange], shown: Shown) -> str:
    """` (app/main.py:20)`: where the endpoints of the requests are defined; empty for more than a reader looks at."""
    defined = (each.defined for each in exchanges)
    places = list(dict.fromkeys(f"{shown(frame.file)}:{frame.line}" for frame in defined if frame and frame.user))
    return f" ({', '.join(places)})" if 0 < len(places) <= _MOST_PLACES else ""


def _adding(name: str) -> str:
    """`tasks.add_task(write_log, ...)`, for a name as the test gives it."""
    short = name.rpartition(".")[2]
    return f"tasks.add_task({short}, ...)" if short else "tasks.add_task(...)"


def _not_among(name: str, added: Sequence[_Owned], exchanges: Sequence[Exchange], places: str) -> _Why:
    if not added:
        return _nothing_added(exchanges, places, name)
    names = ", ".join(task.name for _, task in added)
    return f"the tasks that were added: {names}", f"{_adding(name)}, or in the marker the name of one that is added"


def _after_response(exchange: Exchange) -> str:
    """When the app's call ended: nothing else is seen of the background work of an app that is not Starlette's."""
    if exchange.completed is None or exchange.returned is None:
        return "its response was not completed"
    ms = (exchange.returned - exchange.completed) / 1e6
    return f"it returned {ms:.1f} ms after the response was complete"


def _faults_of(exchange: Exchange, task: Task, shown: Shown) -> Iterator[Fault]:
    if task.began is None:
        yield Fault("background-lost", task.name, *_why_lost(exchange, task), exchange, task)
        return
    if exchange.completed is None or task.began < exchange.completed:
        yield Fault("background-early", task.name, *_why_early(exchange, task, shown), exchange, task)
    if task.error is not None:
        instead = f"handle {_type_of(task.error)} in {task.name}: the client has its response already"
        yield Fault("background-failed", task.name, f"it raised {task.raised}", instead, exchange, task)
    elif task.ended is None:
        why = "it began, and had not ended when the test did"
        yield Fault("background-lost", task.name, why, _LET_IT_END, exchange, task)


_LET_IT_END = "leave the client's `with` block, or await what sends the request, before the test ends"


def _type_of(error: str) -> str:
    """`ValueError` of `ValueError('no') at app/main.py:12 in report`."""
    name = error.partition("(")[0].strip("<")
    return name if name.replace(".", "").isidentifier() else "the exception"


def _why_early(exchange: Exchange, task: Task, shown: Shown) -> _Why:
    if task.called_at is not None:
        where = f"{shown(task.called_at.file)}:{task.called_at.line}"
        return f"the endpoint waited for it at {where}", "hand the task to the response and return; do not await it"
    if exchange.framework is not None and _is_older(exchange.framework, (1, 7)):
        why = f"Starlette {exchange.framework} runs it before the body behind BaseHTTPMiddleware; 1.7 does not"
        return why, "Starlette 1.7 or newer, or a pure ASGI middleware in the place of BaseHTTPMiddleware"
    why = "the framework began it before the last part of the body was sent"
    return why, "the task as background= of the Response that is returned"


def _why_lost(exchange: Exchange, task: Task) -> _Why:
    failed = next((each for each in exchange.tasks if each.error is not None and _in_one_object(each, task)), None)
    if failed is not None:
        why = f"{failed.name} raised {failed.raised} before it; the tasks after one that raises never run"
        return why, f"handle {_type_of(failed.error or '')} in {failed.name}, or add {task.name} before it"
    if exchange.cancelled:
        why = "the app was cancelled, for the client left the response unread"
        return why, "read the response to its end in the test: response.read(), or all that client.stream() gives"
    if exchange.returned is None:
        return "the test ended before the app's call did", _LET_IT_END
    return _why_dropped(exchange)


def _why_dropped(exchange: Exchange) -> _Why:
    """Why a task was dropped: the app's call has ended, and nothing runs the task any more."""
    if exchange.raised is not None or exchange.error is not None:
        why = f"the endpoint raised {exchange.raised or exchange.error} after it was added; {_LATE}"
        return why, "return the error as a Response that has the task (background=), or do its work before the raise"
    if exchange.own_background:
        why = "the returned Response has a background of its own; then FastAPI drops the injected tasks"
        return why, "add all tasks to one object: the injected BackgroundTasks, or the background= of the Response"
    if exchange.entered is False:
        why = f"the request was answered {exchange.status} before its endpoint was called; {_LATE}"
        return why, "add the task where the answer is made: background= of its Response"
    return "its Response was not the one that was sent", "add the task to the Response that is sent"


def _in_one_object(one: Task, other: Task) -> bool:
    return one.batch is not None and one.batch == other.batch


def _out_of_order(chosen: Sequence[_Owned]) -> Iterator[Fault]:
    began = [(exchange, task) for exchange, task in chosen if task.began is not None]
    for (_, before), (exchange, after) in pairwise(began):
        if (after.began or 0) < (before.began or 0):
            instead = f"add {before.name} before {after.name}, or name them in the order in which they are added"
            yield Fault("background-order", after.name, f"it began before {before.name}", instead, exchange, after)


def _is_older(version: str, wanted: tuple[int, ...]) -> bool:
    parts = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    return parts < wanted
