"""Who watches a loop sees the tasks that its end cancels."""

import asyncio

from pytest_noblock.engine.steps import closing_loops


def test_who_watches_is_told_before_a_closing_loop_cancels_its_tasks(installed):
    async def main():
        task = asyncio.ensure_future(asyncio.sleep(30))
        await asyncio.sleep(0)
        return task

    seen = []
    note = lambda _loop, tasks: seen.extend(task.get_coro().__name__ for task in tasks)  # noqa: E731
    closing_loops.told.add(note)
    try:
        task = asyncio.run(main())
    finally:
        closing_loops.told.discard(note)
    assert (seen, task.cancelled()) == (["sleep"], True)
