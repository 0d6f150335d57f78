"""What Starlette's background tasks did is on record: who added them, who awaited them, when, and to what end."""

import asyncio
import functools
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from pytest_noblock.engine.exchange import CURRENT, LiveExchange, owned
from pytest_noblock.engine.frameworks import background_tasks
from pytest_noblock.engine.patches import Patches
from pytest_noblock.engine.usercode import UserCode

background = pytest.importorskip("starlette.background")
HERE = Path(__file__)


@contextmanager
def recording():
    """The patches, with those of subclasses, as `instrument` installs them."""
    patches = Patches(lambda: background_tasks.patches(patches.join))
    patches.install()
    try:
        yield
    finally:
        patches.uninstall()


def recorded(endpoint, **scope):
    """The tasks of a request that this endpoint answers; what it raises stays here."""
    record = LiveExchange("POST", "/orders", {"endpoint": endpoint, **scope})

    async def main():
        with owned(record), suppress(ValueError):
            await endpoint()

    with recording():
        asyncio.run(main())
    return background_tasks.values(record, UserCode(str(HERE.parent)))


def line_of(text):
    """The number of the one line of this file that ends so."""
    (number,) = [number for number, line in enumerate(HERE.read_text().splitlines(), 1) if line.endswith(f"# {text}")]
    return number


async def write_log(*_arguments, **_named):
    await asyncio.sleep(0)


async def fails():
    raise ValueError("no")


def test_who_added_a_task_and_with_what():
    async def endpoint():
        tasks = background.BackgroundTasks()
        tasks.add_task(write_log, "seen", user=1)  # added

    (task,) = recorded(endpoint)
    assert (task.name, task.module, task.qualname) == ("write_log", __name__, "write_log")
    assert task.arguments == "str, user=int"
    assert (task.added_at.file, task.added_at.line) == (__file__, line_of("added"))
    assert (task.began, task.ended, task.error, task.called_at) == (None, None, None, None)


def test_the_framework_runs_it_and_no_line_of_the_endpoint_awaited_it():
    tasks = background.BackgroundTasks()

    async def endpoint():
        tasks.add_task(write_log)

    record = LiveExchange("POST", "/orders", {"endpoint": endpoint})

    async def framework():
        with owned(record):
            await endpoint()
            await tasks()

    with recording():
        asyncio.run(framework())
    (task,) = background_tasks.values(record, UserCode(str(HERE.parent)))
    assert record.sent < task.began < task.ended
    assert (task.called_at, task.error) == (None, None)


def test_the_line_of_the_endpoint_that_awaited_it_is_absolute():
    async def endpoint():
        tasks = background.BackgroundTasks()
        tasks.add_task(write_log)
        await tasks()  # awaited

    (task,) = recorded(endpoint)
    assert (task.called_at.file, task.called_at.line) == (__file__, line_of("awaited"))


def test_a_task_that_is_run_twice_keeps_the_times_of_its_first_run():
    seen = []

    async def endpoint():
        task = background.BackgroundTask(write_log)
        await task()
        seen.extend((each.began, each.ended) for each in CURRENT.get().tasks)
        await task()

    (task,) = recorded(endpoint)
    assert [(task.began, task.ended)] == seen


def test_what_a_task_raises_is_on_record_and_goes_on():
    async def endpoint():
        tasks = background.BackgroundTasks()
        tasks.add_task(fails)
        tasks.add_task(write_log)
        await tasks()

    first, second = recorded(endpoint)
    assert (first.name, first.error) == ("fails", "ValueError('no')")
    assert first.ended is not None
    assert (second.began, second.ended) == (None, None)
    assert first.batch == second.batch is not None


def test_tasks_that_are_handed_over_at_once_are_of_one_batch_and_a_single_one_of_none():
    async def endpoint():
        two = [background.BackgroundTask(write_log), background.BackgroundTask(fails)]
        kept.append(background.BackgroundTasks(two))
        background.BackgroundTask(write_log)

    kept = []
    first, second, alone = recorded(endpoint)
    assert first.batch == second.batch is not None
    assert alone.batch is None


def test_a_subclass_that_runs_its_task_itself_is_recorded():
    class Loud(background.BackgroundTask):
        async def __call__(self):
            await self.func()

    async def endpoint():
        await Loud(write_log)()

    (task,) = recorded(endpoint)
    assert task.began is not None
    assert task.ended is not None
    assert not hasattr(Loud.__call__, "noblock")


def test_a_task_that_was_made_before_the_request_is_recorded_when_it_runs():
    task = background.BackgroundTask(functools.partial(write_log, 1))

    async def endpoint():
        await task()

    (value,) = recorded(endpoint)
    assert (value.name, value.added_at) == ("write_log", None)
    assert value.began is not None


def test_of_arguments_the_types_alone_are_told():
    class Rude:
        def __repr__(self):
            raise ValueError("no")

    async def endpoint():
        tasks = background.BackgroundTasks()
        tasks.add_task(write_log, "x" * 1000)
        tasks.add_task(write_log, Rude())
        background.BackgroundTask(write_log).args = None

    long, rude, broken = recorded(endpoint)
    assert long.arguments == "str"
    assert rude.arguments == "Rude"
    assert broken.arguments == "..."


def test_outside_of_a_request_nothing_is_recorded():
    async def main():
        await background.BackgroundTask(write_log)()

    with recording():
        asyncio.run(main())
        assert CURRENT.get() is None


@pytest.mark.parametrize(
    ("message", "begun", "yields"),
    [
        ("http.response.body", False, True),
        ("http.response.body", True, False),
        ("http.response.start", False, False),
    ],
)
def test_a_task_that_does_not_wait_for_the_body_begins_before_it_is_sent(message, begun, yields):
    turns = []

    async def main():
        record = LiveExchange("POST", "/orders")
        with owned(record):
            background.BackgroundTask(write_log)
        record.tasks[0].began = 1 if begun else None
        asyncio.get_running_loop().call_soon(turns.append, "turn")
        await background_tasks.let_begin(record, {"type": message})
        return list(turns)

    with recording():
        assert asyncio.run(main()) == (["turn"] if yields else [])


def test_without_starlette_there_is_nothing_to_patch(monkeypatch):
    monkeypatch.delitem(__import__("sys").modules, "starlette.background")
    assert list(background_tasks.patches(lambda patch: None)) == []
