"""A check for each kind of finding, from literal values: what the golden files are made of."""

from pytest_noblock.model.check import Check, ProbeWaits, TaskRun
from pytest_noblock.model.finding import MOCKED, Finding, Part, Waiter
from pytest_noblock.model.frames import Frame
from pytest_noblock.model.observation import EXECUTOR, LOOP, THREADS, Exchange, Phase, Probe, Task

MS = 1_000_000
SENT = 1000 * MS
"""When the request was sent; all other moments are told from it."""


def check(*findings, request="GET /report", outcome="failed", ms=312, **more):
    """`GET /report`, answered after 312 ms, unless told otherwise."""
    return Check(
        id="tests/test_api.py::test_report",
        request=request,
        route=more.pop("route", "/report"),
        endpoint=more.pop("endpoint", "app.main.report"),
        outcome=outcome,
        duration=ms * MS,
        limit=50 * MS,
        meter="full",
        findings=findings,
        **more,
    )


def finding(kind, *, ms, cpu, asleep, at, stalls=(), **more):
    """`at` is file, line, function and code, None where no line was caught; `stalls` are in ms since the request."""
    file, line, function, code = at or (None, None, None, None)
    return Finding(
        kind=kind,
        phase=more.pop("phase", Phase.HANDLER),
        blocked_ns=round(ms * MS),
        cpu=round(cpu * MS),
        asleep=round(asleep * MS),
        count=more.pop("count", 1),
        file=file,
        line=line,
        function=function,
        code=code,
        call=more.pop("call", None),
        replacement=more.pop("replacement"),
        confirmed=more.pop("confirmed", True),
        evidence=more.pop("evidence"),
        stalls=tuple((SENT + began * MS, SENT + ended * MS) for began, ended in stalls),
        **more,
    )


def exchange(method="GET", path="/report", *, started=311, completed=312, returned=320, **more):
    """Moments in ms since the request was sent."""
    return Exchange(
        number=1,
        method=method,
        path=path,
        sent=SENT,
        started=SENT + started * MS,
        completed=SENT + completed * MS,
        returned=SENT + returned * MS,
        status=200,
        **more,
    )


def waits(path, *, sent, waited, worst, alone):
    return ProbeWaits(path, sent=sent, waited=waited, worst=round(worst * MS), alone=round(alone * MS))


def probes(path, *moments):
    """(due, answered) in ms since the request was sent."""
    return tuple(Probe(path, SENT + due * MS, SENT + answered * MS, 200) for due, answered in moments)


def task(name, *, began, ended):
    """A task of the exchange, in ms since the request was sent."""
    return Task(
        name=name,
        module="app.tasks",
        qualname=name,
        arguments="str",
        added_at=Frame("app/main.py", 7, "order", user=True),
        began=SENT + began * MS,
        ended=SENT + ended * MS,
        error=None,
        called_at=None,
        batch=1,
    )


REPORT = ("app/main.py", 44, "report", "rates = requests.get(URL).json()")
SLEEPS = ("app/main.py", 50, "report", "time.sleep(0.08)")
STACK = (Frame("requests/api.py", 73, "get"), Frame("app/main.py", 44, "report", user=True))
REQUESTS = {
    "at": REPORT,
    "call": "requests.get",
    "replacement": "httpx.AsyncClient().get, or await asyncio.to_thread(requests.get, ...), "
    "or make the endpoint a plain def",
}
NETWORK = finding(
    "sync-network",
    ms=301.2,
    cpu=2.1,
    asleep=299,
    evidence="line counters",
    stalls=[(10, 311)],
    stack=STACK,
    **REQUESTS,
)
PROBED = {
    "probes": (
        waits(LOOP, sent=60, waited=58, worst=300, alone=0.01),
        waits("/health", sent=7, waited=7, worst=296, alone=1.1),
    ),
    "probe_runs": probes("/health", (25, 313), (50, 314)),
    "exchange": exchange(),
}
SLEEP = finding(
    "sync-io",
    ms=80.4,
    cpu=0.3,
    asleep=80.1,
    at=SLEEPS,
    call="time.sleep",
    replacement="await asyncio.sleep(...), or make the endpoint a plain def",
    evidence="call",
    confirmed=False,
    stalls=[(2, 82)],
)


def background(kind, reason, run, *, call="write_log", ms=0.0, added=True, replacement):
    """A fault of one background task of `POST /orders`, complete at 10 ms."""
    fault = finding(
        kind,
        ms=ms,
        cpu=0,
        asleep=0,
        at=("app/main.py", 7, "order", "tasks.add_task(write_log, 'seen')") if added else None,
        call=call,
        replacement=replacement,
        evidence="timeline",
        phase=Phase.BACKGROUND,
        reason=reason,
    )
    return check(
        fault,
        request="POST /orders",
        route="/orders",
        endpoint="app.main.order",
        ms=10,
        background=run,
        exchange=exchange("POST", "/orders", started=9, completed=10, returned=20),
    )


def run(name="write_log", began=None, ended=None, error=None):
    return TaskRun(name, 10.0, began, ended, error, "str", "app/main.py:7")


CHECKS = {
    "sync-network": check(NETWORK, **PROBED),
    "sync-network-once": check(
        finding(
            "sync-network",
            ms=3.2,
            cpu=1.1,
            asleep=2.1,
            count=3,
            evidence="call",
            confirmed=False,
            stalls=[(1, 4), (5, 8), (9, 12)],
            **REQUESTS,
        ),
        ms=13,
        probes=(waits("/health", sent=3, waited=0, worst=2, alone=1),),
        exchange=exchange(started=12, completed=13, returned=14),
    ),
    "sync-network-mocked": check(
        finding("sync-network", ms=0, cpu=0, asleep=0, evidence=MOCKED, stalls=[(3, 3)], stack=STACK, **REQUESTS),
        ms=5,
        exchange=exchange(started=4, completed=5, returned=6),
    ),
    "sync-io": check(
        finding(
            "sync-io",
            ms=120,
            cpu=2.4,
            asleep=117.6,
            at=("app/files.py", 12, "save", "os.fsync(file.fileno())"),
            replacement="await asyncio.to_thread(...), or make the endpoint a plain def",
            evidence="sample",
            stalls=[(5, 125)],
            syscall="fsync",
        ),
        ms=130,
        probes=PROBED["probes"][:1],
        exchange=exchange(started=126, completed=130, returned=131),
    ),
    "sync-io-no-line": check(
        finding(
            "sync-io",
            ms=70,
            cpu=1,
            asleep=69,
            at=None,
            replacement="await asyncio.to_thread(...), or make the endpoint a plain def",
            evidence="none",
            confirmed=False,
        ),
        ms=71,
    ),
    "sync-io-in-the-background": check(
        finding(
            "sync-io",
            ms=80.4,
            cpu=0.3,
            asleep=80.1,
            at=("app/tasks.py", 5, "write_log", "time.sleep(0.08)"),
            call="time.sleep",
            replacement="await asyncio.sleep(...), or make the task a plain def",
            evidence="call",
            phase=Phase.BACKGROUND,
            stalls=[(12, 92)],
        ),
        request="POST /orders",
        route="/orders",
        endpoint="app.main.order",
        ms=10,
        background=(run(began=11.0, ended=93.0),),
        exchange=exchange(
            "POST",
            "/orders",
            started=9,
            completed=10,
            returned=94,
            tasks=(task("write_log", began=11, ended=93), task("send_email", began=93, ended=94)),
        ),
    ),
    "cpu": check(
        finding(
            "cpu",
            ms=88,
            cpu=88,
            asleep=0,
            at=("app/sums.py", 9, "total", "for number in numbers:"),
            replacement="await loop.run_in_executor(processes, ...) with a ProcessPoolExecutor, or smaller pieces with "
            "await asyncio.sleep(0) between them",
            evidence="hot loop",
            stalls=[(4, 92)],
        ),
        ms=95,
        probes=PROBED["probes"],
        exchange=exchange(started=94, completed=95, returned=96),
    ),
    "gil": check(
        finding(
            "gil",
            ms=210,
            cpu=208,
            asleep=0,
            at=("app/sums.py", 21, "scan", "PATTERN.match(text)"),
            call="re.Pattern.match",
            replacement="await loop.run_in_executor(processes, ...) with a ProcessPoolExecutor",
            evidence="worker",
            stalls=[(3, 213)],
            reason="a thread computed 208 ms without letting go of the GIL: the loop was 205 ms late",
        ),
        ms=215,
        probes=(waits("/health", sent=5, waited=5, worst=204, alone=0.9),),
        exchange=exchange(started=214, completed=215, returned=216),
    ),
    "pool-starved": check(
        finding(
            "pool-starved",
            ms=271,
            cpu=0,
            asleep=0,
            at=("app/main.py", 10, "prices", "time.sleep(0.3)"),
            replacement="a limiter of its own, made once (LIMITER = anyio.CapacityLimiter(n)): in an async def"
            " await anyio.to_thread.run_sync(..., limiter=LIMITER)",
            evidence="worker",
            stalls=[(12, 283)],
            pool=THREADS,
            reason="40 of 40 tokens of the thread pool taken (40 by app.main.prices), 1 waiting, "
            "40 workers at this line",
        ),
        request="GET /prices",
        route="/prices",
        endpoint="app.main.prices",
        ms=320,
        capacity="40 tokens / 0.3 s = 133 requests per second",
        probes=(
            waits(LOOP, sent=54, waited=0, worst=2.1, alone=0.01),
            waits(THREADS, sent=12, waited=11, worst=285, alone=0.01),
            waits(EXECUTOR, sent=12, waited=0, worst=1, alone=0.01),
        ),
        probe_runs=(*probes(LOOP, (20, 22), (30, 31)), *probes(THREADS, (25, 290))),
        exchange=exchange(path="/prices", started=318, completed=320, returned=321),
    ),
    "contention": check(
        finding(
            "contention",
            ms=201,
            cpu=0,
            asleep=0,
            at=("app/main.py", 31, "transfer", "await asyncio.sleep(0.2)"),
            replacement="move this await out of the block that holds the Lock, before or behind it, or one for each"
            " thing that it guards (a user, a row) in the place of one for all",
            evidence="await",
            stalls=[(5, 206)],
            waiter=Waiter("app/main.py", 36, "health", "async with lock:"),
            reason="GET /health waited 201 ms for asyncio.Lock, while this request held it; loop and threads were free",
        ),
        request="POST /transfer",
        route="/transfer",
        endpoint="app.main.transfer",
        ms=207,
        probes=(
            waits(LOOP, sent=40, waited=0, worst=1.5, alone=0.01),
            waits("/health", sent=4, waited=4, worst=201, alone=1),
            waits("/other", sent=4, waited=0, worst=1, alone=1),
        ),
        probe_runs=(*probes(LOOP, (20, 21)), *probes("/health", (6, 207))),
        exchange=exchange("POST", "/transfer", started=206, completed=207, returned=208),
    ),
    "loop-total": check(
        finding(
            "loop-total",
            ms=312,
            cpu=72,
            asleep=240,
            at=("app/main.py", 42, "report", "async def report():"),
            count=41,
            replacement="fewer or smaller pieces on the loop: await what waits, "
            "and let a thread or a process do the rest",
            evidence="endpoint",
            reason="41 stretches, none of them over the limit of 50 ms: asleep 240 ms, CPU 72 ms",
            parts=(
                Part(Frame("app/main.py", 44, "report", "time.sleep"), 240 * MS),
                Part(Frame("app/tables.py", 9, "rows"), 61 * MS),
            ),
        ),
        ms=420,
        loop_ns=312 * MS,
        max_total=200 * MS,
        capacity="1 event loop / 0.31 s = 3.2 requests per second",
        exchange=exchange(),
    ),
    "background-early": background(
        "background-early",
        "the endpoint waited for it at app/main.py:8",
        (run(began=2.0, ended=4.5),),
        ms=2.5,
        replacement="hand the task to the response and return; do not await it",
    ),
    "background-lost": background(
        "background-lost",
        "the returned Response has a background of its own; then FastAPI drops the injected tasks",
        (run(), run("send_email", 11.0)),
        replacement="add all tasks to one object: the injected BackgroundTasks, or the background= of the Response",
    ),
    "background-missing": background(
        "background-missing",
        "the tasks that were added: send_email",
        (run("send_email", 11.0, 12.0),),
        added=False,
        replacement="tasks.add_task(write_log, ...), or in the marker the name of one that is added",
    ),
    "background-missing-all": background(
        "background-missing",
        "no request of this test added a task",
        (),
        call="",
        added=False,
        replacement="tasks.add_task(...) in the path operation or in a dependency",
    ),
    "background-failed": background(
        "background-failed",
        "it raised ConnectionError('the stock is away')",
        (run(began=11.0, ended=12.25, error="ConnectionError('the stock is away')"),),
        ms=1.25,
        replacement="handle ConnectionError in write_log: the client has its response already",
    ),
    "background-order": background(
        "background-order",
        "it began before send_email",
        (run(began=11.0, ended=12.0), run("send_email", 12.0, 13.0)),
        ms=1,
        replacement="add send_email before write_log, or name them in the order in which they are added",
    ),
    "several": check(NETWORK, SLEEP, notes=("cold: sync-io, 20 ms at app/main.py:3, the first time only",), **PROBED),
    "accepted": check(
        finding(
            "sync-io",
            ms=80.4,
            cpu=0.3,
            asleep=80.1,
            at=SLEEPS,
            call="time.sleep",
            replacement="await asyncio.sleep(...), or make the endpoint a plain def",
            evidence="line counters",
            accepted="legacy driver, TICKET-12",
        ),
        outcome="accepted",
        ms=84,
    ),
    "inconclusive": check(
        request="GET /reprot",
        outcome="inconclusive",
        route=None,
        endpoint=None,
        ms=2,
        reason="GET /reprot matched no route of the app (status 404), did you mean /report",
        notes=("sync-io, 20 ms at app/main.py:3: under the limit of 50 ms",),
        probes=(waits(LOOP, sent=1, waited=0, worst=0.02, alone=0.01),),
        exchange=exchange(path="/reprot", started=1, completed=2, returned=2),
    ),
}
PASSED = check(outcome="passed", ms=3, notes=("sync-io, 20 ms at app/main.py:3: under the limit of 50 ms",), **PROBED)
"""Only programs read of it."""
