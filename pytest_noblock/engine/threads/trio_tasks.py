"""The tasks of the trio run that the calling thread hosts, as in the fixture: what a request left in a nursery.

Public and read here: `current_root_task`, and what trio's documentation lists of tasks and nurseries
(`child_nurseries`, `child_tasks`, `context`, `coro`; trio 0.27 to 0.35).
"""

from collections.abc import Collection, Iterator
from typing import Any

from pytest_noblock.engine.exchange import CURRENT, LiveExchange
from pytest_noblock.engine.raw_stacks import RawFrame
from pytest_noblock.engine.threads.await_chains import chain_of

Left = list[tuple[list[RawFrame], LiveExchange]]


def left_by(records: Collection[LiveExchange]) -> Left:
    """Each unfinished task that such a request started and that its app's call has not waited for: where it sits."""
    return [
        (chain_of(task.coro), record)
        for task in _all()
        if (record := task.context.get(CURRENT)) is not None and record.returned is not None and record in records
    ]


def chains(record: LiveExchange | None = None) -> list[list[RawFrame]]:
    """Where the tasks of the request sit, those that others started first; None: all tasks of the run."""
    tasks = [task for task in _all() if record is None or task.context.get(CURRENT) is record]
    return [chain_of(task.coro) for task in reversed(tasks)]


def _all() -> Iterator[Any]:
    import trio  # type: ignore[import-not-found, unused-ignore]  # the caller has seen that it is imported

    try:
        waiting = [trio.lowlevel.current_root_task()]
    except RuntimeError:  # this thread hosts no run
        return
    while waiting:
        task = waiting.pop()
        if task is not None:
            yield task
            waiting += [child for nursery in task.child_nurseries for child in nursery.child_tasks]
