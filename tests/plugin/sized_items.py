"""Goes beside an app that answers items: how many of them take so much CPU, at the best that the machine does."""

import time
from collections.abc import Callable

from pydantic import BaseModel, TypeAdapter


class Item(BaseModel):
    name: str
    tags: dict[str, str]


ADAPTER = TypeAdapter(list[Item])


def rows(count: int) -> list[dict[str, object]]:
    return [{"name": str(number), "tags": {"a": "b"}} for number in range(count)]


def size(work: Callable[[int], object], ms: float) -> int:
    """How large the input of `work` must be for so much CPU."""

    def burned(count: int) -> float:
        began = time.thread_time()
        work(count)
        return (time.thread_time() - began) * 1000

    count = 200
    while min(burned(count) for _ in range(3)) < 2:
        count *= 2
    return int(count * ms / min(burned(count) for _ in range(3)))
