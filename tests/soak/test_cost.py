"""What a check costs: the fixture, the meter's every step, a thousand checks, and pytest that does not use it.

NOBLOCK_SOAK_CHECKS (default 1000) checks in one process; NOBLOCK_SOAK_ROUNDS (default 20)
interleaved runs of each comparison.
"""

import gc
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from statistics import median

import pytest

from pytest_noblock.checks.plan import Plan
from pytest_noblock.engine.meters import metering
from pytest_noblock.engine.observe import Request, Run, observe
from pytest_noblock.model.limits import Limits
from tests.soak import blocking_app, hops_app
from tests.soak.servers import hogs
from tests.soak.test_detection import BLOCKING, REPAIRED, fresh, marked, told, verdict

pytestmark = pytest.mark.slow

ROUNDS = int(os.environ.get("NOBLOCK_SOAK_ROUNDS", "20"))
CHECKS = int(os.environ.get("NOBLOCK_SOAK_CHECKS", "1000"))
PLAN = Plan(limits=Limits(10_000_000))
HOPS = 3000


@pytest.fixture(scope="module")
def checker(apps):
    return apps.checker(blocking_app.app)


@pytest.fixture(scope="module")
def hopper(apps):
    return apps.checker(hops_app.app)


@pytest.fixture
def pieces(tmp_path):
    file = tmp_path / "pieces"
    file.write_bytes(b"x" * 64 * HOPS)
    return f"/pieces?file={file}"


# --- the fixture


def alone(checker, path: str) -> float:
    """Seconds of the request over the same transport with nothing around it."""

    async def get() -> float:
        began = time.perf_counter()
        response = await checker.client.get(path)
        assert response.status_code == 200
        return time.perf_counter() - began

    return checker._app.call(get, timeout_s=60)


def checked(checker, path: str) -> float:
    began = time.perf_counter()
    check = checker.check("soak", Request("GET", path), PLAN)
    assert check.outcome == "passed", told(check)
    return time.perf_counter() - began


def test_a_passing_check_of_300_ms_takes_less_than_twice_and_a_bit(apps, figure):
    rounds = max(5, ROUNDS // 2)
    times = [checked(fresh(apps, blocking_app.app), "/slow") for _ in range(rounds)]
    ratio = median(times) / 0.3
    figure(
        "check of a 300 ms endpoint, warm-up included",
        f"{ratio:.3f} x 300 ms, worst {max(times) / 0.3:.3f} (bar 2.3), N={rounds}",
    )
    assert ratio < 2.3


@pytest.mark.parametrize("path", ["/", "/slow", "/ok/httpx"])
def test_a_check_adds_little_to_the_requests_own_time(apps, checker, figure, path):
    alone(checker, path)
    own = [alone(checker, path) for _ in range(ROUNDS)]
    first = [checked(fresh(apps, blocking_app.app), path) for _ in range(ROUNDS)]  # the warm-up is a second request
    warm = [checked(checker, path) for _ in range(ROUNDS + 1)][1:]
    added = 1000 * (median(first) - 2 * median(own))
    added_warm = 1000 * (median(warm) - median(own))
    text = f"+{added:.1f} ms beyond request and warm-up, +{added_warm:.1f} ms when warm (bar 30), own {1000 * median(own):.2f} ms, N={ROUNDS}"
    figure(f"check of {path}", text)
    assert added < 30
    assert added_warm < 30


def test_the_fixture_itself_starts_quickly(services, meter, figure, pytestconfig):
    from pytest_noblock.checks.running_apps import RunningApps

    async def app(scope, receive, send):
        if scope["type"] == "lifespan":
            for stage in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{stage}.complete"})

    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        apps = RunningApps(str(pytestconfig.rootpath), meter)
        apps.checker(app)
        apps.stop()
        times.append(time.perf_counter() - began)
    figure(
        "start and stop of an empty app", f"{1000 * median(times):.1f} ms, worst {1000 * max(times):.1f}, N={ROUNDS}"
    )
    assert median(times) < 0.03


# --- the meter


def cost_of(checker, function, *args) -> tuple[float, float]:
    """User and system CPU seconds of the whole process, and seconds."""
    gc.collect()
    began, cpu = time.perf_counter(), time.process_time()
    checker._app.call(function, *args, timeout_s=60)
    return time.process_time() - cpu, time.perf_counter() - began


async def plain(checker, path: str) -> None:
    response = await checker.client.get(path)
    assert response.status_code == 200


async def metered(checker, path: str) -> int:
    subject = checker._context
    with metering(subject.meter, subject.user, sample_after=5_000_000):
        await plain(checker, path)


async def observed(checker, path: str) -> None:
    _observation, response = await observe(
        checker._context, Run((Request("GET", path),), probes=(), sample_after=5_000_000)
    )
    assert response.status_code == 200


def compared(checker, path: str, with_meter) -> tuple[float, float, str]:
    """Median CPU without and with, of interleaved runs, and the ratios in words."""
    runs = {plain: [], with_meter: []}
    for number in range(ROUNDS + 1):
        for function in (plain, with_meter) if number % 2 else (with_meter, plain):
            runs[function].append(cost_of(checker, function, checker, path))
    (cpu, wall), (cpu_metered, wall_metered) = (list(zip(*each[1:], strict=True)) for each in runs.values())
    ratios = sorted(b / a for a, b in zip(cpu, cpu_metered, strict=True))
    tenth = len(ratios) // 10
    words = f"80 % of pairs {ratios[tenth]:.2f}-{ratios[-1 - tenth]:.2f}, least / least {min(cpu_metered) / min(cpu):.2f}, wall {median(wall_metered) / median(wall):.2f}"
    return median(cpu), median(cpu_metered), words


def steps_of(checker, path: str) -> int:
    observation, _ = checker._app.call(observe, checker._context, Run((Request("GET", path),)), timeout_s=60)
    return observation.exchanges[0].steps


@pytest.mark.parametrize("idle", ["no other sockets", "3 idle sockets"])
@pytest.mark.parametrize("load", [0, 4], ids=["quiet", "hogs"])
@pytest.mark.parametrize("with_meter", [metered, observed], ids=["meter alone", "whole observation"])
def test_the_meter_is_cheap_on_thousands_of_hops(services, hopper, figure, pieces, idle, with_meter, load):
    sockets = [socket.create_connection(("127.0.0.1", services.echo)) for _ in range(3 if idle.startswith("3") else 0)]
    for each in sockets:
        each.sendall(b"ping\n")
        each.recv(5)
    try:
        with hogs(load):
            without, with_it, ratios = compared(hopper, pieces, with_meter)
        steps = steps_of(hopper, pieces)
    finally:
        for each in sockets:
            each.close()
    ratio = with_it / without
    each_us = 1e6 * (with_it - without) / steps
    text = f"{ratio:.3f} x CPU (bar 1.15; {ratios}), {each_us:.1f} us a step of {steps}, base {1000 * without:.0f} ms, N={ROUNDS}"
    figure(f"aiofiles, {HOPS} pieces, {with_meter.__name__}, {idle}, {load} hogs", text)
    assert ratio < 1.15


@pytest.mark.parametrize("load", [0, 4], ids=["quiet", "hogs"])
def test_a_step_is_metered_in_15_us(hopper, figure, load):
    with hogs(load):
        without, with_it, _ = compared(hopper, "/turns", metered)
    steps = steps_of(hopper, "/turns")
    each_us = 1e6 * (with_it - without) / steps
    figure(
        f"a bare step, {load} hogs",
        f"{each_us:.2f} us of CPU (bar 15), base {1e6 * without / steps:.2f} us, {steps} steps, N={ROUNDS}",
    )
    assert each_us < 15


# --- a thousand checks


def fds() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def resident_kb() -> int:
    return int(re.search(r"VmRSS:\s+(\d+)", Path("/proc/self/status").read_text())[1])


def test_a_thousand_checks_stay_right_and_fast(apps, checker, figure):
    blocking = [
        case for case in BLOCKING if case.path in ("/sleep", "/redis-get", "/requests-get", "/pbkdf2", "/psycopg-kept")
    ]
    innocent = [
        path
        for path in REPAIRED
        if path in ("/ok/httpx", "/ok/redis-async", "/ok/psycopg-async", "/ok/sleep", "/ok/requests-def")
    ]
    jobs = [job for pair in zip(blocking, innocent, strict=True) for job in pair]
    times, results, wrong, marks = [], Counter(), [], []
    for number in range(CHECKS):
        job = jobs[number % len(jobs)]
        if number in (CHECKS // 10, CHECKS - 1):
            gc.collect()
            marks.append((fds(), threading.active_count(), resident_kb()))
        began = time.perf_counter()
        path = job if isinstance(job, str) else job.path
        check = fresh(apps, blocking_app.app).check("soak", Request("GET", path), PLAN)
        times.append(time.perf_counter() - began)
        expected = "passed" if isinstance(job, str) else "found"
        result = (
            check.outcome
            if isinstance(job, str)
            else verdict(check, "tests/soak/blocking_app.py", marked(job.where), job.kind)
        )
        results["right" if result == expected else f"{path}: {result}"] += 1
        if result != expected:
            wrong.append({"number": number, "path": path, "result": result, **told(check)})
    tenth = CHECKS // 10
    first, last = sum(times[:tenth]), sum(times[-tenth:])
    (fds_a, threads_a, kb_a), (fds_b, threads_b, kb_b) = marks
    figure(f"{CHECKS} checks", f"{dict(results)}", wrong=wrong)
    figure(
        f"{CHECKS} checks: time",
        f"last tenth / first tenth = {last / first:.2f} ({1000 * first / tenth:.1f} -> {1000 * last / tenth:.1f} ms a check)",
    )
    figure(
        f"{CHECKS} checks: held", f"fds {fds_a} -> {fds_b}, threads {threads_a} -> {threads_b}, RSS {kb_a} -> {kb_b} kB"
    )
    assert results == {"right": CHECKS}, wrong
    assert last < 1.5 * first
    assert abs(fds_b - fds_a) <= 3
    assert threads_b <= threads_a + 1
    assert kb_b - kb_a < 20_000


# --- pytest that does not use it


INNER = "import sys\ndef test_it():\n    print('LOADED', *sorted({'asyncio', 'httpx', 'fastapi', 'anyio'} & set(sys.modules)))\n"


def run_pytest(folder: Path, *arguments: str, importtime: bool = False) -> tuple[float, float, str]:
    """Wall and CPU seconds, and what it printed; no other plugin is loaded."""
    command = [
        sys.executable,
        *(["-X", "importtime"] if importtime else []),
        "-m",
        "pytest",
        "-q",
        "-s",
        "-p",
        "no:cacheprovider",
        *arguments,
    ]
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # or each run compiles every module anew
    before = os.times()
    began = time.perf_counter()
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    wall = time.perf_counter() - began
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return wall, cpu, done.stdout + done.stderr


@pytest.fixture
def bare(tmp_path):
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_it.py").write_text(INNER)
    return tmp_path


def test_loading_the_plugin_imports_nothing_heavy(bare, figure):
    loaded = {
        name: run_pytest(bare, *arguments)[2]
        for name, arguments in {"without": (), "with": ("-p", "pytest_noblock.plugin")}.items()
    }
    modules = {name: re.search("LOADED(.*)", text)[1].split() for name, text in loaded.items()}
    figure("heavy modules loaded", f"{modules}")
    assert modules["with"] == modules["without"] == []


def test_loading_the_plugin_takes_less_than_5_ms(bare, figure):
    run_pytest(bare), run_pytest(bare, "-p", "pytest_noblock.plugin")
    pairs = [(run_pytest(bare)[:2], run_pytest(bare, "-p", "pytest_noblock.plugin")[:2]) for _ in range(ROUNDS)]
    wall = 1000 * median(b[0] - a[0] for a, b in pairs)
    cpu = 1000 * median(b[1] - a[1] for a, b in pairs)
    costs = []
    for _ in range(max(3, ROUNDS // 4)):
        text = run_pytest(bare, "-p", "pytest_noblock.plugin", importtime=True)[2]
        costs.append(sum(int(own) for own in re.findall(r"time:\s+(\d+) \|\s+\d+ \|\s+pytest_noblock", text)) / 1000)
    base = 1000 * median(a[0] for a, _ in pairs)
    figure(
        "loading the plugin",
        f"+{wall:.1f} ms wall, +{cpu:.1f} ms CPU over {base:.0f} ms (bar 5), N={ROUNDS}; importtime of its modules {median(costs):.1f} ms, least {min(costs):.1f}",
    )
    assert min(costs) < 5
    assert cpu < 5
