"""What the rows need beside the app: starts with it, stops with it, also after a crash."""

import asyncio
import sys
from asyncio import StreamReader
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

UPSTREAM = Path(__file__).with_name("upstream.py")


@asynccontextmanager
async def slow_upstream() -> AsyncIterator[str]:
    """The URL of a slow web service; a process of its own, so that its work is not the app's."""
    # A new session: Ctrl-C is the app's, the service ends when the app closes the pipe or dies.
    command = (sys.executable, "-I", UPSTREAM)
    process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, start_new_session=True)
    try:
        port = await cast(StreamReader, process.stdout).readline()
        yield f"http://127.0.0.1:{int(port)}"
    finally:
        await process.communicate(b"")
