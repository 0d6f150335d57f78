"""What a task waits for: the locks, queues and pools in whose methods it is, innermost first."""

import asyncio
from collections.abc import Sequence
from types import FrameType

from pytest_noblock.engine.threads.await_chains import awaited_task, coroutines
from pytest_noblock.engine.usercode import UserCode

_GROUPS = {"TaskGroup", "TaskHandle"}
"""What only passes on the waiting of its tasks."""
_OWN = {"asyncio", "anyio"}


def waited_objects(task: "asyncio.Task[object]", user: UserCode) -> dict[int, str]:
    """The objects in whose methods it waits, within the innermost line of the user's."""
    found: dict[int, str] = {}
    for frame in _frames(task):
        if frame.f_code.co_filename in user:
            return found
        found.update(_pools_in_greenlet(frame))
        found.update(_owner(frame))
    return found


def _pools_in_greenlet(frame: FrameType) -> dict[int, str]:
    """SQLAlchemy's pool awaits from sync frames, which hang in a greenlet and not in the await chain."""
    if frame.f_code.co_name != "greenlet_spawn":
        return {}
    waited_objects: dict[int, str] = {}
    sync = getattr(frame.f_locals.get("context"), "gr_frame", None)
    while sync is not None:
        waited_objects.update(_owner(sync))
        sync = sync.f_back
    return {each: name for each, name in waited_objects.items() if _is_pool(name)}


def _owner(frame: FrameType) -> dict[int, str]:
    owner = frame.f_locals.get("self")
    kind = type(owner)
    return {} if owner is None or kind.__name__ in _GROUPS else {id(owner): f"{kind.__module__}.{kind.__qualname__}"}


def _frames(task: "asyncio.Task[object]") -> list[FrameType]:
    inner = awaited_task(task)
    outer = [frame for _, frame in coroutines(task)][::-1]
    return [*(_frames(inner) if inner is not None else []), *outer]


def named(held: Sequence[str]) -> str:
    """`asyncio.Lock`, `httpcore.AsyncConnectionPool`; what is not the library's own is told with the library."""
    pool = next((name for name in held if _is_pool(name)), None)
    if not held:
        return "a future"
    outer = held[-1].partition(".")[0]
    if pool or outer in _OWN or held[0].startswith(f"{outer}."):
        return _short(pool or held[-1])
    return f"{_short(held[0])} of {outer}"


def _is_pool(name: str) -> bool:
    kind = name.rpartition(".")[2]
    return "Pool" in kind and "Request" not in kind and not kind.startswith("_")


def _short(name: str) -> str:
    return f"{name.partition('.')[0]}.{name.rpartition('.')[2].removesuffix('Adapter')}"
