"""Work after the response: a log, an email, a file that takes a while."""

import json
import os
import smtplib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from email.message import EmailMessage
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import aiosmtplib
import anyio
from fastapi import APIRouter, BackgroundTasks, Depends, HTTPException, Request
from fastapi.responses import JSONResponse
from starlette.background import BackgroundTask

from example_app import services
from example_app.lateness import Late


@asynccontextmanager
async def lifespan(_: object) -> AsyncIterator[dict[str, object]]:
    with TemporaryDirectory() as folder:
        yield {"folder": Path(folder)}


async def shared_folder(request: Request) -> Path:
    folder: Path = request.state.folder
    return folder


def mail_port() -> int:
    return services.slow_mail_server()[0]


def slow_pipe() -> Iterator[tuple[Path, Late]]:
    """With a late reader: as slow as a full disk or a network drive may be."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "log")
        os.mkfifo(path)
        yield path, Late(path.read_text)


async def slow_log(slow: Annotated[tuple[Path, Late], Depends(slow_pipe)]) -> Path:
    path, reader = slow
    reader.begin()
    return path


Folder = Annotated[Path, Depends(shared_folder)]
MailPort = Annotated[int, Depends(mail_port)]
SlowLog = Annotated[Path, Depends(slow_log)]
router = APIRouter(prefix="/background", tags=["Background tasks"], lifespan=lifespan)


def write_log(folder: Path, message: str) -> None:
    with Path(folder, "log.txt").open("a") as log:
        log.write(f"{message}\n")


def written(to: str) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "shop@example.org", to, "Your order"
    message.set_content("It is on its way.")
    return message


def write_slow_log(log: Path, message: str) -> None:
    log.write_text(f"{message}\n")


async def write_slow_log_awaited(log: Path, message: str) -> None:
    await anyio.Path(log).write_text(f"{message}\n")


def send_email(port: int, to: str) -> None:
    with smtplib.SMTP("127.0.0.1", port, local_hostname="localhost") as server:
        server.send_message(written(to))


async def send_email_awaited(port: int, to: str) -> None:
    await aiosmtplib.send(written(to), hostname="127.0.0.1", port=port, local_hostname="localhost")


def count_words(text: bytes, result: Path) -> None:
    result.write_text(json.dumps({"words": len(text.split())}))


def logged_client(request: Request, tasks: BackgroundTasks, folder: Folder) -> str:
    client = request.client.host if request.client else "nobody"
    tasks.add_task(write_log, folder, f"asked by {client}")
    return client


def logged_query(
    tasks: BackgroundTasks, folder: Folder, _client: Annotated[str, Depends(logged_client)], q: str = ""
) -> str:
    tasks.add_task(write_log, folder, f"found query: {q}")
    return q


@router.post("/send-notification/{email}", dependencies=[Depends(logged_query)])
async def send_notification(email: str, tasks: BackgroundTasks, folder: Folder) -> str:
    """Right: this endpoint, its dependency and the dependency of that each add a line to the log."""
    tasks.add_task(write_log, folder, f"message to {email}")
    return "Message sent"


@router.post("/email/{email}")
async def email_in_def(email: str, tasks: BackgroundTasks, port: MailPort) -> str:
    """Right: the task is a `def`, so a thread waits for the mail server."""
    tasks.add_task(send_email, port, email)
    return "Message will be sent"


@router.post("/email-awaited/{email}")
async def email_awaited(email: str, tasks: BackgroundTasks, port: MailPort) -> str:
    """Right: the task is an `async def`, and awaits the mail server."""
    tasks.add_task(send_email_awaited, port, email)
    return "Message will be sent"


@router.post("/slow-log/{email}")
async def log_in_def(email: str, tasks: BackgroundTasks, log: SlowLog) -> str:
    """Right: the task is a `def`, so a thread waits for the disk."""
    tasks.add_task(write_slow_log, log, f"message to {email}")
    return "Message sent"


@router.post("/slow-log-awaited/{email}")
async def log_awaited(email: str, tasks: BackgroundTasks, log: SlowLog) -> str:
    """Right: the task is an `async def`, and awaits the disk."""
    tasks.add_task(write_slow_log_awaited, log, f"message to {email}")
    return "Message sent"


@router.post("/files/{name}", status_code=202)
async def accept_file(name: str, request: Request, tasks: BackgroundTasks, folder: Folder) -> str:
    """Right: accepted at once, processed afterwards; the answer says where the result will be."""
    tasks.add_task(count_words, await request.body(), folder / f"{name}.json")
    return f"{router.prefix}/files/{name}"


@router.get("/files/{name}")
def processed_file(name: str, folder: Folder) -> dict[str, int]:
    """Right: what became of an accepted file."""
    try:
        result: dict[str, int] = json.loads(Path(folder, f"{name}.json").read_text())
    except FileNotFoundError:
        raise HTTPException(404, "Not processed yet") from None
    return result


@router.post("/refused/{email}")
async def refused_and_logged(email: str, folder: Folder) -> JSONResponse:
    """Right: the refusal is a response, which carries the task."""
    task = BackgroundTask(write_log, folder, f"refused {email}")
    return JSONResponse("Not now", 409, background=task)


@router.post("/both/{email}")
async def log_and_email(email: str, tasks: BackgroundTasks, folder: Folder, port: MailPort) -> JSONResponse:
    """Right: both tasks are in what the returned response carries."""
    tasks.add_task(write_log, folder, f"message to {email}")
    tasks.add_task(send_email, port, email)
    return JSONResponse("Message will be sent", background=tasks)


def send_email_if_possible(port: int, to: str, folder: Path) -> None:
    try:
        send_email(port, to)
    except OSError as error:
        write_log(folder, f"no message to {to}: {error}")


@router.post("/no-mail-server/{email}")
async def email_that_fails(email: str, tasks: BackgroundTasks, folder: Folder) -> str:
    """Right: the first task handles its failure, so the second one runs."""
    tasks.add_task(send_email_if_possible, 1, email, folder)
    tasks.add_task(write_log, folder, f"message to {email}")
    return "Message will be sent"
