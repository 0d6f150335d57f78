"""A file whose content comes 150 ms late, as it may from a network drive."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Timer
from typing import Annotated

import aiofiles
from fastapi import APIRouter, Depends

DELAY = 0.15
ORDERS = "product,pieces\nanvil,3\n"


def slow_file() -> Iterator[Path]:
    """A pipe with a late writer: slow on every machine, where a real file is slow on some, sometimes."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "orders.csv")
        os.mkfifo(path)
        writer = Timer(DELAY, path.write_text, [ORDERS])
        writer.daemon = True  # it waits for a reader, which a failed request never is
        writer.start()
        yield path


SlowFile = Annotated[Path, Depends(slow_file)]
router = APIRouter(prefix="/file", tags=["A file"])


@router.get("/open")
async def orders_by_open(path: SlowFile) -> str:
    """Blocks: `open` waits for the disk on the event loop."""
    with open(path) as file:  # blocks
        return file.read()


@router.get("/to-thread")
async def orders_in_thread(path: SlowFile) -> str:
    """Repaired: a thread waits for the disk."""
    return await asyncio.to_thread(path.read_text)


@router.get("/aiofiles")
async def orders_by_aiofiles(path: SlowFile) -> str:
    """Repaired: the same lines, awaited; the threads are aiofiles' own affair."""
    async with aiofiles.open(path) as file:
        return await file.read()


@router.get("/def")
def orders_in_def(path: SlowFile) -> str:
    """Repaired: without `async`, FastAPI calls the endpoint in a thread."""
    with open(path) as file:
        return file.read()
