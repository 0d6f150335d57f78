"""Probes: due whether or not those before are answered, and a good answer or none."""

import asyncio
import itertools
import time
from types import SimpleNamespace

import pytest

from pytest_noblock.engine.asgi.transport import AppTransport
from pytest_noblock.engine.frameworks.http_client import httpx
from pytest_noblock.engine.now import now
from pytest_noblock.engine.probing import probes as probing
from pytest_noblock.engine.probing.probes import ProbeFailed, Probes

MS = 1_000_000
INTERVAL = 25 * MS


async def turns():
    """All that can go on has gone on."""
    for _ in range(5):
        await asyncio.sleep(0)


class Pool:
    """One token, which is taken or not."""

    name = "a pool"

    def __init__(self, total=1):
        self.total = total
        self.released = asyncio.Event()
        self.released.set()
        self.probes = 0

    def free(self):
        return self.released.is_set()

    async def probe(self):
        self.probes += 1
        await self.released.wait()


@pytest.fixture
def probing_app(run, respond):
    """Run a function with the probes of an app that answers `/ok` well, and no other path."""

    async def app(scope, receive, send):
        path = scope["path"]
        if path == "/raises":
            raise ValueError("no")
        if path == "/silent":
            return
        if path == "/never":
            await asyncio.Event().wait()
        if path == "/error":
            await send({"type": "http.response.start", "status": 503, "headers": []})
            await send({"type": "http.response.body"})
        await respond(send)

    def probing_app(function, *paths, pools=()):
        async def main():
            async with httpx.AsyncClient(transport=AppTransport(app), base_url="http://testserver") as client:
                return await function(Probes(client, paths, [make() for make in pools]))

        return run(main())

    return probing_app


def test_alone_has_the_time_of_the_loop_of_each_pool_and_of_each_path(probing_app):
    async def alone(probes):
        await probes.measure_alone()
        return probes

    probes = probing_app(alone, "/ok", pools=[Pool])
    assert list(probes.alone) == ["the event loop", "a pool", "/ok"]
    assert all(each > 0 for each in probes.alone.values())
    assert probes.answered == []
    assert probes.failed is None


BAD = pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("/error", "the probe GET /error answered 503: a probe must be a small request that the app answers well"),
        ("/raises", "the probe GET /raises raised ValueError('no')"),
        ("/silent", "the probe GET /silent ended without a response"),
        ("/never", "the probe GET /never did not answer within 1 s"),
    ],
)


@BAD
def test_a_probe_that_is_not_answered_well_alone_fails(probing_app, monkeypatch, path, sentence):
    monkeypatch.setattr(probing, "_ANSWER_LIMIT_S", 1)
    with pytest.raises(ProbeFailed) as failed:
        probing_app(lambda probes: probes.measure_alone(), path)
    assert str(failed.value).startswith(sentence)


@BAD
def test_a_probe_that_is_not_answered_well_beside_the_request_is_noted(probing_app, monkeypatch, path, sentence):
    monkeypatch.setattr(probing, "_ANSWER_LIMIT_S", 1)

    async def beside(probes):
        async with probes.running(lambda: True):
            await asyncio.sleep(0)  # the timetable begins
            time.sleep(0.03)  # one probe falls due
        return probes

    probes = probing_app(beside, path)
    assert str(probes.failed).startswith(sentence)
    assert probes.under_way == set()


def test_what_fell_due_while_the_loop_was_held_is_sent_and_waited_since_it_was_due(probing_app):
    async def beside(probes):
        began = now()
        async with probes.running(lambda: True):
            await asyncio.sleep(0)
            time.sleep(0.08)
            ended = now()
        return probes, began, ended

    probes, began, ended = probing_app(beside, "/ok")
    held = [each for each in probes.answered if each.path == "/ok" and began < each.due < ended]
    assert len(held) >= 2
    assert all(each.answered >= ended and each.status == 200 for each in held)
    assert {after.due - before.due for before, after in itertools.pairwise(held)} == {INTERVAL}
    (sent,) = [each for each in probes.sent if began < each.dues[0] < ended]
    assert list(sent.dues) == [each.due for each in held]  # one for all: they must not hold the loop, one after another


def test_the_loop_is_probed_by_its_ticks(probing_app):
    async def beside(probes):
        async with probes.running(lambda: True):
            await asyncio.sleep(0.03)
        return probes

    probes = probing_app(beside)
    loop = [each for each in probes.answered if each.path == "the event loop"]
    assert len(loop) >= 5
    assert all(each.answered >= each.due for each in loop)


def test_the_pools_are_probed_in_the_ticks(probing_app):
    async def beside(probes):
        async with probes.running(lambda: True):
            await asyncio.sleep(0.03)
        return probes

    probes = probing_app(beside, pools=[Pool])
    assert "a pool" in {each.path for each in probes.answered}


def test_what_the_sampler_raises_is_raised_at_the_end(probing_app):
    def sample():
        raise KeyError("it")

    async def beside(probes):
        async with probes.running(sample):
            await asyncio.sleep(0.02)

    with pytest.raises(KeyError, match="it"):
        probing_app(beside)


def test_the_calls_of_probes_under_way_are_known(probing_app, monkeypatch):
    monkeypatch.setattr(probing, "_ANSWER_LIMIT_S", 1)

    async def beside(probes):
        async with probes.running(lambda: True):
            while not probes.records:
                await asyncio.sleep(0.005)
            calls = [record.path for record in probes.records]
        return calls, probes.records

    under_way, after = probing_app(beside, "/never")
    assert set(under_way) == {"/never"}
    assert after == set()


@pytest.fixture
def pool_probes(run):
    """Run a function with the probes of one pool, and collect when those were due that are answered."""

    def pool_probes(function, total=1):
        async def main():
            answered = []
            pool = Pool(total)
            probes = probing._PoolProbes(pool, lambda name, due: answered.append(due))
            await function(pool, probes)
            await probes.stop()
            return answered, pool.probes

        return run(main())

    return pool_probes


def test_a_free_pool_answers_at_once_every_25_ms(pool_probes):
    async def ticks(_pool, probes):
        for due in range(INTERVAL, INTERVAL * 3 + 1, 5 * MS):
            probes.on_tick(due)

    assert pool_probes(ticks) == ([INTERVAL, INTERVAL * 2, INTERVAL * 3], 0)


def test_a_pool_without_threads_is_not_probed(pool_probes):
    async def ticks(_pool, probes):
        probes.on_tick(INTERVAL)

    assert pool_probes(ticks, total=0) == ([], 0)


def test_at_a_full_pool_one_waits_for_all_that_fall_due(pool_probes, monkeypatch):
    moment = SimpleNamespace(now=INTERVAL)
    monkeypatch.setattr(probing, "now", lambda: moment.now)

    async def ticks(pool, probes):
        pool.released.clear()
        for due in range(INTERVAL, INTERVAL * 4, 5 * MS):
            probes.on_tick(due)
            await asyncio.sleep(0)
        moment.now = INTERVAL * 3 + MS
        pool.released.set()
        await turns()
        probes.on_tick(INTERVAL * 3 + 5 * MS)
        probes.on_tick(INTERVAL * 4)

    assert pool_probes(ticks) == ([INTERVAL, INTERVAL * 2, INTERVAL * 3, INTERVAL * 4], 1)


def test_one_that_waits_to_the_end_has_waited_until_then(pool_probes, monkeypatch):
    monkeypatch.setattr(probing, "now", lambda: INTERVAL * 2 + MS)

    async def ticks(pool, probes):
        pool.released.clear()
        probes.on_tick(INTERVAL)
        await asyncio.sleep(0)

    assert pool_probes(ticks) == ([INTERVAL, INTERVAL * 2], 1)


def test_a_paths_probes_are_a_tenth_as_many_after_a_hundred():
    timetable = probing._Timetable()
    began = timetable.due  # of the first
    for _ in range(99):
        timetable._advance()
    assert timetable.due - began == 99 * INTERVAL
    timetable._advance()
    assert timetable.due - began == 109 * INTERVAL
