"""A file whose content comes 150 ms late, as it may from a network drive."""

import asyncio
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import aiofiles
import anyio
from fastapi import APIRouter, Depends
from fastapi.responses import FileResponse

from example_app.lateness import Late

ORDERS = "product,pieces\nanvil,3\n"


def slow_pipe() -> Iterator[tuple[Path, Late]]:
    """With a late writer: slow on every machine, where a real file is slow on some, sometimes."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "orders.csv")
        os.mkfifo(path)
        yield path, Late(lambda: path.write_text(ORDERS))


async def slow_file(slow: Annotated[tuple[Path, Late], Depends(slow_pipe)]) -> Path:
    path, writer = slow
    writer.begin()
    return path


def thoughtful_pipe() -> Iterator[tuple[Path, Late]]:
    """Its writer is there in time, and thinks."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "orders.csv")
        os.mkfifo(path)
        writer = os.open(path, os.O_RDWR)  # both, so that it waits for nobody
        yield path, Late(lambda: write_and_close(writer))


def write_and_close(writer: int) -> None:
    os.write(writer, ORDERS.encode())
    os.close(writer)


async def late_content(slow: Annotated[tuple[Path, Late], Depends(thoughtful_pipe)]) -> Path:
    path, writer = slow
    writer.begin()
    return path


SlowFile = Annotated[Path, Depends(slow_file)]
LateContent = Annotated[Path, Depends(late_content)]
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


@router.get("/pathlib")
async def orders_by_pathlib(path: SlowFile) -> str:
    """Blocks: shorter to write, and as long to wait for."""
    return path.read_text()  # blocks


@router.get("/anyio-path")
async def orders_by_anyio_path(path: SlowFile) -> str:
    """Repaired: the same method, awaited."""
    return await anyio.Path(path).read_text()


@router.get("/anyio")
async def orders_by_anyio(path: SlowFile) -> str:
    """Repaired: anyio is there already, for FastAPI needs it."""
    async with await anyio.open_file(path) as file:
        return await file.read()


@router.get("/shutil")
async def copy_by_shutil(path: LateContent) -> int:
    """Blocks: a copy waits for both disks."""
    copy = path.with_suffix(".copy")
    with open(path) as source, open(copy, "w") as target:
        shutil.copyfileobj(source, target)  # blocks
    return copy.stat().st_size


def copied(path: Path) -> int:
    copy = path.with_suffix(".copy")
    with open(path) as source, open(copy, "w") as target:
        shutil.copyfileobj(source, target)
    return copy.stat().st_size


@router.get("/shutil-to-thread")
async def copy_in_thread(path: LateContent) -> int:
    """Repaired: a thread opens, copies and closes."""
    return await asyncio.to_thread(copied, path)


@router.get("/file-response")
async def this_file() -> FileResponse:
    """Repaired: a file that is sent as it is need not be read; Starlette does that in threads."""
    return FileResponse(__file__)
