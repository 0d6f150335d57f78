"""How long the probes waited, and for what: tables of literals."""

import pytest

from pytest_noblock.judge.probe_waits import probe_waits
from pytest_noblock.model.finding import Waiter
from pytest_noblock.model.observation import EXECUTOR, LOOP, THREADS, Exchange, Observation, Probe
from tests.judge.findings import MS, finding

EXCHANGE = Exchange(1, "GET", "/", sent=0, completed=1000 * MS)


def observed(*probes, alone=()):
    answered = tuple(Probe(path, due * MS, end * MS, 200) for path, due, end in probes)
    return Observation("full", (EXCHANGE,), probes=answered, alone={path: ms * MS for path, ms in alone})


def test_probes_that_fell_due_within_a_stall_had_to_wait():
    seen = observed(
        ("/health", 5, 8),  # before
        ("/health", 10, 92),  # due when it began
        ("/health", 50, 91),
        ("/health", 89, 95),
        ("/health", 90, 93),  # due when the loop turned again
        ("/health", 95, 100),
        ("the event loop", 50, 90),
        alone=[("/health", 2)],
    )
    health, loop = probe_waits(seen, [finding(stalls=((10 * MS, 90 * MS),))])
    assert (health.path, health.sent, health.waited, health.worst_ms, health.alone_ms) == ("/health", 6, 3, 82.0, 2.0)
    assert (loop.path, loop.sent, loop.waited, loop.worst_ms, loop.alone_ms) == ("the event loop", 1, 1, 40.0, 0.0)


IN_STALL = {"stalls": ((10 * MS, 90 * MS),)}
HEALTH, TURN, TOKEN, EXECUTED = "/health", LOOP, THREADS, EXECUTOR


@pytest.mark.parametrize(
    ("found", "waited"),
    [
        (finding(**IN_STALL), {HEALTH, TURN, TOKEN, EXECUTED}),
        (finding("pool-starved", pool=THREADS, **IN_STALL), {HEALTH, TOKEN}),
        (finding("contention", waiter=Waiter("app.py", 9, "health", "async with lock:"), **IN_STALL), {HEALTH}),
    ],
    ids=["loop", "pool", "lock"],
)
def test_a_built_in_probe_waits_for_the_loop_and_for_its_own_pool_alone(found, waited):
    paths = (HEALTH, TURN, TOKEN, EXECUTED)
    seen = observed(*((path, 20, 95) for path in paths))
    assert {each.path for each in probe_waits(seen, [found]) if each.waited} == waited


def test_no_finding_made_no_probe_wait():
    (health,) = probe_waits(observed(("/health", 0, 500)), [])
    assert (health.waited, health.worst_ms) == (0, 500.0)
