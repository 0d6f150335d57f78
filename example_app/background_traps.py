"""Work after the response, done wrong: each of these looks right, and passes a test that looks at the response."""

import smtplib
from pathlib import Path

from fastapi import APIRouter, BackgroundTasks, HTTPException
from fastapi.responses import JSONResponse
from starlette.background import BackgroundTask

from example_app.background import Folder, MailPort, SlowLog, send_email, write_log, written

router = APIRouter(prefix="/trap", tags=["Traps of background tasks"])


async def send_email_blocking(port: int, to: str) -> None:
    with smtplib.SMTP("127.0.0.1", port, local_hostname="localhost") as server:  # trap
        server.send_message(written(to))  # trap


@router.post("/email/{email}")
async def email_in_async_def(email: str, tasks: BackgroundTasks, port: MailPort) -> str:
    """Trap: the task is an `async def` that blocks, so everybody waits for the mail server."""
    tasks.add_task(send_email_blocking, port, email)
    return "Message will be sent"


async def write_slow_log_blocking(log: Path, message: str) -> None:
    with open(log, "w") as file:  # trap
        file.write(f"{message}\n")


@router.post("/slow-log/{email}")
async def log_in_async_def(email: str, tasks: BackgroundTasks, log: SlowLog) -> str:
    """Trap: the task is an `async def` that blocks, so everybody waits for the disk."""
    tasks.add_task(write_slow_log_blocking, log, f"message to {email}")
    return "Message sent"


@router.post("/awaited/{email}")
async def awaited(email: str, tasks: BackgroundTasks, folder: Folder) -> str:
    """Trap: the client waits, for the endpoint awaits the tasks; and they run a second time afterwards."""
    tasks.add_task(write_log, folder, f"message to {email}")  # trap
    await tasks()
    return "Message sent"


@router.post("/called/{email}")
async def called(email: str, folder: Folder) -> str:
    """Trap: the function is called at once; nothing is added as a task."""
    write_log(folder, f"message to {email}")
    return "Message sent"


@router.post("/refused/{email}")
async def refused(email: str, tasks: BackgroundTasks, folder: Folder) -> None:
    """Trap: the exception becomes a response of its own, and the task is lost."""
    tasks.add_task(write_log, folder, f"refused {email}")  # trap
    raise HTTPException(409, "Not now")


@router.post("/own-background/{email}")
async def own_background(email: str, tasks: BackgroundTasks, folder: Folder, port: MailPort) -> JSONResponse:
    """Trap: the returned response has a task of its own, and the injected ones are lost."""
    tasks.add_task(write_log, folder, f"message to {email}")  # trap
    return JSONResponse("Message will be sent", background=BackgroundTask(send_email, port, email))


@router.post("/no-mail-server/{email}")
async def first_raises(email: str, tasks: BackgroundTasks, folder: Folder) -> str:
    """Trap: the first task raises, and the second one never runs."""
    tasks.add_task(send_email, 1, email)
    tasks.add_task(write_log, folder, f"message to {email}")  # trap
    return "Message will be sent"
