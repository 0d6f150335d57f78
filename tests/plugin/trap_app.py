"""Every trap that background tasks hold, each beside its repaired twin; what the tests and the soak ask of them."""

import asyncio
import time
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Annotated, NamedTuple

from fastapi import BackgroundTasks, Body, Depends, FastAPI, HTTPException
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.background import BackgroundTasks as StarletteTasks
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

log: list[str] = []


async def write_log(line: str = "") -> None:
    await asyncio.sleep(0)
    log.append(line)


def send_email(to: str = "") -> None:
    time.sleep(0.001)
    log.append(to)


async def update_stock() -> None:
    raise ConnectionError("the stock is away")


async def update_stock_if_there() -> None:
    try:
        await update_stock()
    except ConnectionError:
        log.append("the stock is away")


async def slow_log() -> None:
    rests()


def slow_log_in_thread() -> None:
    rests()


def rests() -> None:
    time.sleep(0.08)


class Ledger:
    @staticmethod
    async def book(amount: int = 0) -> None:
        log.append(f"{amount}")


app = FastAPI()

# --- traps


@app.post("/awaited")
async def awaited(tasks: BackgroundTasks):
    tasks.add_task(write_log, "ordered")
    await tasks()


@app.post("/awaited-alone")
async def awaited_alone():
    task = BackgroundTask(write_log, "ordered")
    await task()


@app.post("/refused")
async def refused(tasks: BackgroundTasks):
    tasks.add_task(write_log, "refused")
    raise HTTPException(409)


def logs(tasks: BackgroundTasks) -> None:
    tasks.add_task(write_log, "seen")


def nobody() -> None:
    raise HTTPException(401)


@app.post("/refused-by-dependency", dependencies=[Depends(logs), Depends(nobody)])
async def refused_by_dependency():
    return {}


@app.post("/invalid", dependencies=[Depends(logs)])
async def invalid(pieces: Annotated[int, Body()]):
    return pieces


@app.post("/own-background")
async def own_background(tasks: BackgroundTasks):
    tasks.add_task(write_log, "ordered")
    return Response(background=BackgroundTask(send_email, "me"))


@app.post("/first-raises")
async def first_raises(tasks: BackgroundTasks):
    tasks.add_task(update_stock)
    tasks.add_task(write_log, "ordered")


@app.post("/first-given-raises")
async def first_given_raises():
    return Response(background=StarletteTasks([BackgroundTask(update_stock), BackgroundTask(write_log, "ordered")]))


@app.post("/other-response")
async def other_response():
    Response(background=BackgroundTask(write_log, "ordered"))
    return {}


@app.post("/adds-nothing")
async def adds_nothing():
    await write_log("ordered")


@app.post("/log-then-email")
async def log_then_email(tasks: BackgroundTasks):
    tasks.add_task(write_log, "ordered")
    tasks.add_task(send_email, "me")


@app.post("/blocks-after")
async def blocks_after(tasks: BackgroundTasks):
    tasks.add_task(slow_log)


# --- twins


@app.post("/handed-over")
async def handed_over(tasks: BackgroundTasks):
    tasks.add_task(write_log, "ordered")


@app.post("/refused-and-logged")
async def refused_and_logged():
    return JSONResponse({}, status_code=409, background=BackgroundTask(write_log, "refused"))


@app.post("/merged")
async def merged(tasks: BackgroundTasks):
    tasks.add_task(write_log, "ordered")
    tasks.add_task(send_email, "me")
    return Response(background=tasks)


@app.post("/first-handles")
async def first_handles(tasks: BackgroundTasks):
    tasks.add_task(update_stock_if_there)
    tasks.add_task(write_log, "ordered")


@app.post("/sleeps-in-thread")
async def sleeps_in_thread(tasks: BackgroundTasks):
    tasks.add_task(slow_log_in_thread)


@app.post("/twice")
async def twice(tasks: BackgroundTasks):
    tasks.add_task(write_log, "one")
    tasks.add_task(write_log, "two")


# --- where tasks can be added


@app.post("/def")
def in_def(tasks: BackgroundTasks):
    tasks.add_task(write_log, "ordered")


def counts(tasks: BackgroundTasks, logged: Annotated[None, Depends(logs)]) -> None:
    tasks.add_task(Ledger.book, 1)


@app.post("/dependencies", dependencies=[Depends(counts)])
async def dependencies(tasks: BackgroundTasks):
    tasks.add_task(send_email, "me")


@app.post("/response-task")
async def response_task():
    return JSONResponse({}, background=BackgroundTask(send_email, "me"))


@app.post("/response-tasks")
async def response_tasks():
    tasks = StarletteTasks([BackgroundTask(write_log, "a"), BackgroundTask(send_email, "b")])
    return JSONResponse({}, background=tasks)


class Counted(BackgroundTask):
    async def __call__(self) -> None:
        log.append("counted")
        await self.func(*self.args, **self.kwargs)


class CountedTwice(Counted):
    async def __call__(self) -> None:
        await super().__call__()


@app.post("/own-classes")
async def own_classes():
    tasks = [Counted(write_log, "a"), CountedTwice(write_log, "b"), CountedTwice(Ledger.book, 1)]
    return Response(background=StarletteTasks(tasks))


@app.post("/streamed")
async def streamed(tasks: BackgroundTasks):
    tasks.add_task(write_log, "streamed")

    def lines() -> Iterator[str]:
        yield "one\n"
        yield "two\n"

    return StreamingResponse(lines())


@app.post("/never-ends")
async def never_ends(tasks: BackgroundTasks):
    tasks.add_task(waits_for_ever)


async def waits_for_ever() -> None:
    await asyncio.sleep(60)


async def passes_on(request, call_next):
    return await call_next(request)


behind = FastAPI(middleware=[Middleware(BaseHTTPMiddleware, dispatch=passes_on)])


@behind.post("/behind-middleware")
async def behind_middleware(tasks: BackgroundTasks):
    tasks.add_task(write_log, "ordered")
    return {"ordered": True}


async def plain_task(request):
    return JSONResponse({}, background=BackgroundTask(write_log, "plain"))


async def plain_awaited(request):
    tasks = StarletteTasks()
    tasks.add_task(write_log, "plain")
    await tasks()
    return Response(background=tasks)


plain = Starlette(
    routes=[
        Route("/plain/task", plain_task, methods=["POST"]),
        Route("/plain/awaited", plain_awaited, methods=["POST"]),
    ]
)


async def bare(scope, receive, send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"{}"})
    await asyncio.sleep(0.02)


# --- what is asked of them


class Case(NamedTuple):
    """A path, the names that its marker is given and, where it is a trap, pairs of headline and reason."""

    path: str
    names: tuple[object, ...] = ()
    says: tuple[tuple[str, str], ...] = ()
    app: str = "app"

    @property
    def id(self) -> str:
        return " ".join([self.path, *(name if isinstance(name, str) else name.__name__ for name in self.names)])

    def fits(self, text: str) -> bool:
        """Whether a failure's text has these headlines and reasons, and no others."""
        headlines = [line for line in text.splitlines() if line.startswith("POST ")]
        reasons = [line.split(None, 1)[1] for line in text.splitlines() if line.startswith("  why ")]
        expected = [(f"POST {self.path}*{headline}", reason) for headline, reason in self.says]
        given = list(zip(headlines, reasons, strict=True))
        return len(given) == len(expected) and all(
            fnmatchcase(line, pattern)
            for lines, patterns in zip(given, expected, strict=True)
            for line, pattern in zip(lines, patterns, strict=True)
        )


_EARLY = "background task write_log began before the response was complete"
_RAISED = "raised ConnectionError('the stock is away') at trap_app.py:32 in update_stock"
_LOST = "background task write_log was added and never ran"
_MISSING = "background task write_log was never added"
_HELD = "blocked the event loop * ms in the background (limit 50 ms)"
_LATE = "tasks run only after the endpoint's response"

TRAPS = (
    Case("/awaited", ("write_log",), ((_EARLY, "the endpoint waited for it at *trap_app.py:*"),)),
    Case("/awaited", (), ((_EARLY, "the endpoint waited for it at *trap_app.py:*"),)),
    Case("/awaited-alone", ("write_log",), ((_EARLY, "the endpoint waited for it at *trap_app.py:*"),)),
    Case("/plain/awaited", ("write_log",), ((_EARLY, "the endpoint waited for it at *trap_app.py:*"),), app="plain"),
    Case(
        "/refused",
        ("write_log",),
        ((_LOST, f"the endpoint raised HTTPException(*409*)* after it was added; {_LATE}"),),
    ),
    Case("/refused-by-dependency", ("write_log",), ((_LOST, "the request was answered 401 before*"),)),
    Case("/invalid", ("write_log",), ((_LOST, "the request was answered 422 before*"),)),
    Case(
        "/own-background",
        ("write_log",),
        ((_LOST, "the returned Response has a background of its own; then FastAPI drops the injected tasks"),),
    ),
    Case(
        "/first-raises",
        (),
        (
            ("background task update_stock raised", f"it {_RAISED}"),
            (_LOST, f"update_stock {_RAISED} before it; the tasks after*never run"),
        ),
    ),
    Case(
        "/first-raises",
        ("write_log",),
        ((_LOST, f"update_stock {_RAISED} before it; the tasks after*never run"),),
    ),
    Case(
        "/first-given-raises",
        ("write_log",),
        ((_LOST, f"update_stock {_RAISED} before it; the tasks after*never run"),),
    ),
    Case("/other-response", ("write_log",), ((_LOST, "its Response was not the one that was sent"),)),
    Case("/adds-nothing", (), (("no background task was added", "no request of this test added a task"),)),
    Case("/adds-nothing", ("write_log",), ((_MISSING, "no request of this test added a task"),)),
    Case("/response-task", ("write_log",), ((_MISSING, "the tasks that were added: send_email"),)),
    Case("/handed-over", ("write_log", "write_log"), ((_MISSING, "the tasks that were added: write_log"),)),
    Case(
        "/log-then-email",
        ("send_email", "write_log"),
        (("background task write_log ran out of order", "it began before send_email"),),
    ),
    Case("/blocks-after", ("slow_log",), ((_HELD, "waiting in time.sleep: asleep * ms, CPU * ms"),)),
    Case(
        "/bare",
        ("write_log",),
        ((_MISSING, "the app is not Starlette's, so its background work has no names: it returned * ms after the*"),),
        app="bare",
    ),
)

TWINS = (
    Case("/handed-over"),
    Case("/handed-over", ("write_log",)),
    Case("/handed-over", (write_log,)),
    Case("/handed-over", (f"{__name__}.write_log",)),
    Case("/refused-and-logged", ("write_log",)),
    Case("/merged", ("write_log", "send_email")),
    Case("/first-handles", ("update_stock_if_there", "write_log")),
    Case("/log-then-email", ("write_log", "send_email")),
    Case("/log-then-email", ("send_email",)),
    Case("/sleeps-in-thread", ("slow_log_in_thread",)),
    Case("/twice", ("write_log", "write_log")),
    Case("/twice", ("write_log",)),
    Case("/def", ("write_log",)),
    Case("/dependencies", ("write_log", "Ledger.book", "send_email")),
    Case("/dependencies", (write_log, Ledger.book, send_email)),
    Case("/response-task", ("send_email",)),
    Case("/response-tasks", ("write_log", "send_email")),
    Case("/own-classes", ("write_log", "write_log", "book")),
    Case("/streamed", ("write_log",)),
    Case("/plain/task", ("write_log",), app="plain"),
)
BEHIND = Case("/behind-middleware", ("write_log",), app="behind")
