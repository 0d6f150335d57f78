"""What a task waits for: the locks, queues and pools in whose methods it is, innermost first. On the loop thread.

SQLAlchemy's pool awaits from sync frames, which hang in a greenlet and not in the await chain. They are reached by
the local variable `context` of `greenlet_spawn` (SQLAlchemy 2.0 and 2.1) and its `gr_frame` (greenlet 3); where
a version lacks one of them, the pool is not found and the wait has the name of what is around it.
"""

from collections.abc import Sequence
from types import FrameType

from pytest_noblock.engine.threads.await_chains import AnyTask, frames_through_tasks
from pytest_noblock.engine.usercode import UserCode

_GROUPS = {"TaskGroup", "TaskHandle"}
"""Classes that only wait for their tasks: the tasks wait for something."""
_LOOP_LIBRARIES = {"asyncio", "anyio"}
"""Top-level packages whose objects are known by their own names."""


def waited_objects(task: AnyTask, user: UserCode) -> dict[int, str]:
    """Identity and dotted class of each object in whose method the task waits, up to its innermost user line."""
    found: dict[int, str] = {}
    for frame in frames_through_tasks(task):
        if frame.f_code.co_filename in user:
            return found
        found.update(_pools_in_greenlet(frame))
        found.update(_owner(frame))
    return found


def describe(waited: Sequence[str]) -> str:
    """The classes of `waited_objects` in one word: `asyncio.Lock`, `httpcore.AsyncConnectionPool`.

    Where the innermost object belongs to another package than the outermost, both: `asyncio.Lock of aiocache`.
    """
    if not waited:
        return "a future"
    pool = next((name for name in waited if _is_pool(name)), None)
    library = waited[-1].partition(".")[0]
    if pool or library in _LOOP_LIBRARIES or waited[0].startswith(f"{library}."):
        return _short(pool or waited[-1])
    return f"{_short(waited[0])} of {library}"


def _pools_in_greenlet(frame: FrameType) -> dict[int, str]:
    if frame.f_code.co_name != "greenlet_spawn":
        return {}
    owners: dict[int, str] = {}
    inner = getattr(frame.f_locals.get("context"), "gr_frame", None)
    while inner is not None:
        owners.update(_owner(inner))
        inner = inner.f_back
    return {each: name for each, name in owners.items() if _is_pool(name)}


def _owner(frame: FrameType) -> dict[int, str]:
    owner = frame.f_locals.get("self")
    kind = type(owner)
    return {} if owner is None or kind.__name__ in _GROUPS else {id(owner): f"{kind.__module__}.{kind.__qualname__}"}


def _is_pool(name: str) -> bool:
    kind = name.rpartition(".")[2]
    return "Pool" in kind and "Request" not in kind and not kind.startswith("_")


def _short(name: str) -> str:
    """Top-level package and class: `anyio.Lock` of `anyio._core._synchronization.LockAdapter`."""
    return f"{name.partition('.')[0]}.{name.rpartition('.')[2].removesuffix('Adapter')}"
