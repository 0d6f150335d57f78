"""What an exchange's background tasks did, against what they must do (pure).

Starlette's own words: a background task "will run only once the response has been sent".
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from pytest_noblock.model.kinds import Kind
from pytest_noblock.model.observation import Exchange, Task

_LATE = "tasks run only after the endpoint's response"


@dataclass(frozen=True, slots=True)
class Run:
    """A task and the exchange that it belongs to."""

    exchange: Exchange
    task: Task


@dataclass(frozen=True, slots=True)
class Fault:
    """One way in which a task went wrong; `run` is None where there was no such task."""

    kind: Kind
    name: str
    reason: str
    run: Run | None = None


def runs(exchanges: Iterable[Exchange]) -> list[Run]:
    """Every task of every exchange, in the order in which they were added."""
    return [Run(exchange, task) for exchange in exchanges for task in exchange.tasks]


def faults(exchanges: Sequence[Exchange], expected: Sequence[str]) -> list[Fault]:
    """What is wrong with the named tasks; with all of them, and with there being none, where no name is given."""
    added = runs(exchanges)
    if not expected:
        missing = [] if added else [Fault("background-missing", "", _nothing_added(exchanges))]
        return missing + [fault for run in added for fault in _faults_of(run)]
    chosen, missing = _chosen(added, expected, exchanges)
    named = [run for run in added if any(run.task.is_called(name) for name in expected)]
    return missing + [fault for run in named for fault in _faults_of(run)] + list(_out_of_order(chosen))


def _chosen(
    added: Sequence[Run], expected: Sequence[str], exchanges: Sequence[Exchange]
) -> tuple[list[Run], list[Fault]]:
    """The run for each name, the same name twice meaning two of them; and a fault for each name without one."""
    left = list(added)
    chosen: list[Run] = []
    missing: list[Fault] = []
    for name in expected:
        run = next((each for each in left if each.task.is_called(name)), None)
        if run is None:
            missing.append(Fault("background-missing", name, _not_among(added, exchanges)))
        else:
            left.remove(run)
            chosen.append(run)
    return chosen, missing


def _nothing_added(exchanges: Sequence[Exchange]) -> str:
    if not exchanges:
        return "the test made no request"
    if all(exchange.framework is None for exchange in exchanges):
        return "the app is not Starlette's, so its background work has no names: " + _after_response(exchanges[-1])
    return "no request of this test added a task"


def _not_among(added: Sequence[Run], exchanges: Sequence[Exchange]) -> str:
    if not added:
        return _nothing_added(exchanges)
    return f"the tasks that were added: {', '.join(run.task.name for run in added)}"


def _after_response(exchange: Exchange) -> str:
    """All that a bare ASGI app shows."""
    if exchange.completed is None or exchange.returned is None:
        return "its response was not completed"
    ms = (exchange.returned - exchange.completed) / 1e6
    return f"it returned {ms:.1f} ms after the response was complete"


def _faults_of(run: Run) -> Iterator[Fault]:
    task, exchange = run.task, run.exchange
    if task.began is None:
        yield Fault("background-lost", task.name, _why_lost(run), run)
        return
    if exchange.completed is None or task.began < exchange.completed:
        yield Fault("background-early", task.name, _why_early(run), run)
    if task.error is not None:
        yield Fault("background-failed", task.name, f"it raised {task.error}", run)
    elif task.ended is None:
        yield Fault("background-lost", task.name, "it began, and had not ended when the test did", run)


def _why_early(run: Run) -> str:
    task, exchange = run.task, run.exchange
    if task.called_at is not None:
        return f"the endpoint waited for it at {task.called_at.file}:{task.called_at.line}"
    if exchange.framework is not None and _before(exchange.framework, (1, 7)):
        return f"Starlette {exchange.framework} runs it before the body behind BaseHTTPMiddleware; 1.7 does not"
    return "the framework began it before the last part of the body was sent"


def _why_lost(run: Run) -> str:
    task, exchange = run.task, run.exchange
    failed = next((each for each in exchange.tasks if each.error is not None and _together(each, task)), None)
    if failed is not None:
        return f"{failed.name} raised {failed.error} before it; the tasks after one that raises never run"
    if exchange.cancelled:
        return "the app was cancelled, for the client left the response unread"
    if exchange.returned is None:
        return "the test ended before the app's call did"
    return _why_dropped(exchange)


def _why_dropped(exchange: Exchange) -> str:
    """The app's call ended, and nothing held the task any more."""
    if exchange.raised is not None or exchange.error is not None:
        return f"the endpoint raised {exchange.raised or exchange.error} after it was added; {_LATE}"
    if exchange.own_background:
        return "the returned Response has a background of its own; then FastAPI drops the injected tasks"
    if exchange.entered is False:
        return f"the request was answered {exchange.status} before its endpoint was called; {_LATE}"
    return "its Response was not the one that was sent"


def _together(one: Task, other: Task) -> bool:
    """One object holds both."""
    return one.batch is not None and one.batch == other.batch


def _out_of_order(chosen: Sequence[Run]) -> Iterator[Fault]:
    began = [run for run in chosen if run.task.began is not None]
    for before, after in pairwise(began):
        if (after.task.began or 0) < (before.task.began or 0):
            yield Fault("background-order", after.task.name, f"it began before {before.task.name}", after)


def _before(version: str, wanted: tuple[int, ...]) -> bool:
    parts = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    return parts < wanted
