"""What the rows need beside the app: starts with it, stops with it, also after a crash."""

import asyncio
import sys
from asyncio import StreamReader
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

HERE = Path(__file__).parent


@asynccontextmanager
async def slow_upstream() -> AsyncIterator[str]:
    """The URL of a slow web service."""
    async with service("upstream.py") as port:
        yield f"http://127.0.0.1:{port}"


@asynccontextmanager
async def slow_mail_server(folder: Path) -> AsyncIterator[int]:
    """The port of a slow mail server, which keeps what it gets in a Maildir there."""
    async with service("mail_server.py", folder) as port:
        yield port


@asynccontextmanager
async def service(program: str, *arguments: str | Path) -> AsyncIterator[int]:
    """Its port on 127.0.0.1; a process of its own, so that its work is not the app's."""
    # A new session: Ctrl-C is the app's, the service ends when the app closes the pipe or dies.
    command = (sys.executable, "-I", HERE / program, *arguments)
    process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, start_new_session=True)
    try:
        yield int(await cast(StreamReader, process.stdout).readline())
    finally:
        await process.communicate(b"")
