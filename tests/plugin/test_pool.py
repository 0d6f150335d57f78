"""A request that takes all threads of a pool: red with the line where they sit, which pool, and who has it."""

import pytest

from tests.burning import slowed

POOLS = """
import asyncio
import os
import time

from anyio.to_thread import current_default_thread_limiter
from fastapi import BackgroundTasks, Depends, FastAPI, UploadFile
from fastapi.concurrency import run_in_threadpool
from starlette.background import BackgroundTask
from starlette.formparsers import MultiPartParser
from starlette.responses import FileResponse, StreamingResponse

app = FastAPI()
TAKE_S = float(os.environ["TAKE_S"])
MultiPartParser.spool_max_size = 1000  # what is longer is on disk

def sleep():
    time.sleep(TAKE_S)

@app.get("/endpoint")
def endpoint():
    time.sleep(TAKE_S)  # endpoint

def slowly():
    time.sleep(TAKE_S)  # dependency

@app.get("/dependency", dependencies=[Depends(slowly)])
async def dependency():
    return {}

def write():
    time.sleep(TAKE_S)  # background

@app.get("/background")
async def background(tasks: BackgroundTasks):
    tasks.add_task(write)

def lines():
    time.sleep(TAKE_S)  # generator
    yield "line"

@app.get("/generator")
async def generator():
    return StreamingResponse(lines())

@app.get("/threadpool")
async def threadpool():
    await run_in_threadpool(time.sleep, TAKE_S)  # threadpool

there = {"pipes": []}

def slow_disk():
    # It has nothing for anybody until nobody has come for a while
    reading, writing = os.pipe()
    there["pipes"].append(writing)
    if "answer" in there:
        there["answer"].cancel()
    there["answer"] = asyncio.get_running_loop().call_later(TAKE_S, answer)
    return reading

def answer():
    while there["pipes"]:
        os.close(there["pipes"].pop())

async def close(reading):
    os.close(reading)

@app.get("/file")
async def file():  # file
    reading = slow_disk()
    closing = BackgroundTask(close, reading)
    return FileResponse(f"/proc/self/fd/{reading}", stat_result=os.stat(__file__), background=closing)

@app.post("/upload")
async def upload(file: UploadFile):
    assert file.file._rolled
    file.file.close()
    file.file = os.fdopen(slow_disk(), "rb")
    await file.read()  # upload

@app.post("/spooled")
async def spooled(file: UploadFile):
    assert file.file._rolled
    return len(await file.read())

@app.get("/this-file")
async def this_file():
    return FileResponse(__file__)

@app.get("/fill")
async def fill():
    app.state.filling = [asyncio.create_task(keep_taking()) for _ in range(80)]

async def keep_taking():
    while True:
        await run_in_threadpool(time.sleep, 0.05)

@app.get("/to-thread")
async def to_thread():
    await asyncio.to_thread(time.sleep, 0.05)  # to-thread

def work():
    time.sleep(0.05)  # executor

@app.get("/executor")
async def executor():
    await asyncio.get_running_loop().run_in_executor(None, work)

@app.get("/quick")
def quick():
    return {}

@app.get("/awaits")
async def awaits():
    await asyncio.sleep(0.3)

@app.get("/sync-health")
def sync_health():
    return {}

@app.post("/endpoint")
def post():
    time.sleep(TAKE_S)  # post

@app.get("/few")
def few():
    time.sleep(TAKE_S)  # few

@app.get("/tokens")
async def tokens(total: int):
    current_default_thread_limiter().total_tokens = total
"""


def line_of(name: str) -> int:
    (line,) = [n for n, text in enumerate(POOLS.strip().splitlines(), 1) if text.endswith(f"# {name}")]
    return line


@pytest.fixture
def run_pools(pytester, monkeypatch):
    pytester.makepyfile(pools=POOLS)
    monkeypatch.setenv("TAKE_S", str(slowed(0.3)))  # what the machine itself keeps waiting is not counted

    def run_pools(body: str, *options: str) -> pytest.RunResult:
        pytester.makepyfile(test_it=f"def test_it(noblock):\n    {body}\n")
        return pytester.runpytest("--noblock-app=pools:app", *options)

    return run_pools


def test_the_failure_names_the_line_the_pool_and_who_has_it(run_pools):
    result = run_pools("noblock.get('/endpoint', concurrency=40)")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "GET /endpoint used up the thread pool for * ms",
            f"  by      pools.py:{line_of('endpoint')} in endpoint",
            "              time.sleep(TAKE_S)  # endpoint",
            "  why     40 of 40 tokens of the thread pool taken (40 by pools.endpoint), * waiting, * at this line",
            "  harm    * of * turns of the thread pool waited, worst * ms (alone * ms)",
            "  harm    the event loop itself went on: * turns meanwhile, the latest * ms late",
            "  instead an async def with await asyncio.sleep(...), which takes no thread of the pool, or a limiter *",
            '  accept  @pytest.mark.noblock_allow("reason", call="time.sleep")',
        ]
    )
    assert "plain def" not in result.stdout.str()


@pytest.mark.one_python
@pytest.mark.parametrize("copies", [1, 39])
def test_one_token_left_is_enough(run_pools, copies):
    run_pools(f"noblock.get('/endpoint', concurrency={copies}, probe='/awaits')").assert_outcomes(passed=1)


@pytest.mark.parametrize(
    "name",
    ["threadpool"]
    + [
        pytest.param(name, marks=pytest.mark.one_python)
        for name in ("endpoint", "dependency", "background", "generator")
    ],
)
def test_every_way_to_take_the_tokens_is_told_with_its_line(run_pools, name):
    result = run_pools(
        f"check = noblock.check('GET', '/{name}', concurrency=40)\n"
        "    (found,) = check.findings\n"
        "    assert check.outcome == 'failed'\n"
        f"    assert (found.kind, found.file, found.line) == ('pool-starved', 'pools.py', {line_of(name)})\n"
        f"    assert '40 of 40 tokens of the thread pool taken (40 by pools.{name})' in found.reason\n"
        f"    assert found.phase == ('background' if '{name}' == 'background' else 'handler')\n"
    )
    result.assert_outcomes(passed=1)


@pytest.fixture
def passing(run_pools, pytester):
    """Behind a middleware of the user's, which waits for everything."""

    def passing(name: str, copies: int) -> pytest.RunResult:
        pools = pytester.path / "pools.py"
        middleware = """
class Passing:
    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        await self.app(scope, receive, send)

app.add_middleware(Passing)
"""
        pools.write_text(pools.read_text() + middleware)
        return run_pools(CHECKS[name].format(copies=copies, line=line_of(name)))

    return passing


CHECKS = {
    "file": """check = noblock.check('GET', '/file', concurrency={copies})
    starved = [each for each in check.findings if each.kind == 'pool-starved']
    assert [(each.file, each.line) for each in starved] == ([('pools.py', {line})] if {copies} == 40 else [])
    assert all('40 by pools.file), 1 waiting, 40 tasks in what it returned' in each.reason for each in starved)
    """,
    "upload": """big = {{'file': ('big', bytes(2_000))}}
    check = noblock.check('POST', '/upload', concurrency={copies}, files=big)
    starved = [each for each in check.findings if each.kind == 'pool-starved']
    assert [(each.file, each.line) for each in starved] == ([('pools.py', {line})] if {copies} == 40 else [])
    assert all('(40 by pools.upload)' in each.reason for each in starved)
    """,
}


@pytest.mark.one_python
@pytest.mark.parametrize("copies", [39, 40])
@pytest.mark.parametrize("name", CHECKS)
def test_files_from_a_slow_disk_take_tokens_too(passing, name, copies):
    """A response that reads a file waits in no line of the user's: the endpoint that made it is named."""
    passing(name, copies).assert_outcomes(passed=1)


@pytest.mark.one_python
def test_big_uploads_that_are_read_from_disk_are_no_starvation(run_pools):
    run_pools(
        "big = {'file': ('big', bytes(2_000))}\n"
        "    check = noblock.check('POST', '/spooled', concurrency=39, files=big)\n"
        "    assert check.response.json() == 2_000\n"
        "    assert not [each for each in check.findings if each.kind == 'pool-starved']"
    ).assert_outcomes(passed=1)


@pytest.mark.one_python
def test_a_file_that_waits_for_a_token_is_the_harm(run_pools):
    result = run_pools("noblock.get('/endpoint', concurrency=40, probe='/this-file')")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            f"  by      pools.py:{line_of('endpoint')} in endpoint",
            "  harm    * of * probes of GET /this-file waited, worst * ms (alone * ms)",
        ]
    )
    result.stdout.no_fnmatch_line("*contention*")


def test_who_waits_for_a_token_that_others_have_is_not_to_blame(run_pools):
    run_pools(
        "noblock.check('GET', '/fill', warmup=False)\n"
        "    check = noblock.check('GET', '/this-file', warmup=False)\n"
        "    assert (check.outcome, check.findings) == ('passed', ()), check.findings\n"
        "    assert max(each.waited for each in check.probe_runs if each.path == 'the thread pool') > 40_000_000\n"
        "    assert check.duration > 40_000_000"
    ).assert_outcomes(passed=1)


@pytest.mark.parametrize("name", ["to-thread", pytest.param("executor", marks=pytest.mark.one_python)])
def test_the_default_executor_is_another_pool(run_pools, name):
    """anyio's stays free meanwhile."""
    result = run_pools(
        f"check = noblock.check('GET', '/{name}', concurrency=100)\n"
        "    (found,) = check.findings\n"
        f"    assert (found.kind, found.file, found.line) == ('pool-starved', 'pools.py', {line_of(name)})\n"
        "    assert ' threads of the default executor taken' in found.reason\n"
        "    waited = {each.path: each.waited for each in check.probes}\n"
        "    assert waited['the default executor'] > 0\n"
        "    assert waited['the thread pool'] == waited['the event loop'] == 0\n"
    )
    result.assert_outcomes(passed=1)


@pytest.mark.one_python
@pytest.mark.parametrize("request_", ["'/quick', concurrency=80", "'/awaits', concurrency=80", "'/executor'"])
def test_many_that_take_a_moment_each_are_no_starvation(run_pools, request_):
    run_pools(f"noblock.get({request_})").assert_outcomes(passed=1)


@pytest.mark.one_python
def test_the_probes_own_tokens_do_not_count(run_pools):
    """39 and a probe that is a plain `def` as well make 40."""
    run_pools("noblock.get('/endpoint', concurrency=39, probe='/sync-health')").assert_outcomes(passed=1)


@pytest.mark.one_python
def test_a_probe_of_the_users_that_needs_a_token_shows_the_harm(run_pools):
    result = run_pools("noblock.get('/endpoint', concurrency=40, probe='/sync-health')")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["  harm    * of * probes of GET /sync-health waited, worst * ms (alone * ms)"])


@pytest.mark.one_python
def test_the_apps_own_number_of_tokens_counts(run_pools):
    result = run_pools(
        "noblock.get('/tokens', params={'total': 2})\n    noblock.get('/few')\n    noblock.get('/few', concurrency=2)"
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*why     2 of 2 tokens of the thread pool taken (2 by pools.few), *"])


@pytest.mark.one_python
def test_a_request_that_is_sent_once_is_judged_on_that(run_pools):
    result = run_pools("noblock.post('/endpoint', concurrency=40)")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [f"  by      pools.py:{line_of('post')} in post", "  seen    once, by the stacks of the worker threads; *"]
    )


@pytest.mark.one_python
@pytest.mark.parametrize(
    ("path", "pool", "least"),
    [("/endpoint", "40 tokens", 0.3), ("/to-thread", r"\d+ threads", 0.05)],
    ids=["thread pool", "default executor"],
)
def test_capacity_says_what_one_worker_can_serve(run_pools, path, pool, least):
    """On a busy machine a thread is taken for longer than its work lasts, and for less than that it is not seen."""
    run_pools(
        f"import re\n    capacity = noblock.check('GET', '{path}').capacity\n"
        f"    told = re.fullmatch(r'({pool}) / (\\S+) s = (\\d+) requests per second', capacity)\n"
        "    threads, taken, served = int(told[1].split()[0]), float(told[2]), int(told[3])\n"
        f"    assert taken >= {least} / 2\n"
        "    assert 0.9 < served * taken / threads < 1.1"
    ).assert_outcomes(passed=1)


@pytest.mark.one_python
@pytest.mark.parametrize("path", ["/awaits", "/quick"])
def test_what_hardly_takes_a_thread_has_no_limit_of_capacity(run_pools, path):
    """On a busy machine a thread is taken for longer than its work lasts: then at one of several times."""
    checks = f"(noblock.check('GET', '{path}').capacity for _ in range(9))"
    run_pools(f"assert any(capacity is None for capacity in {checks})").assert_outcomes(passed=1)


@pytest.mark.one_python
def test_a_finding_is_accepted_by_its_kind(run_pools, pytester):
    pytester.makepyfile(
        test_it="""
        import pytest

        @pytest.mark.noblock_allow("few users", kinds=["pool-starved"])
        def test_it(noblock):
            assert noblock.check("GET", "/endpoint", concurrency=40).outcome == "accepted"
        """
    )
    pytester.runpytest("--noblock-app=pools:app").assert_outcomes(passed=1)


def test_the_built_in_probe_starts_no_thread_and_leaves_no_token(run_pools):
    """An app that is async throughout has no worker thread afterwards either."""
    run_pools(
        "import threading\n    before = threading.active_count()\n"
        "    noblock.get('/awaits')\n    assert threading.active_count() <= before"
    ).assert_outcomes(passed=1)
