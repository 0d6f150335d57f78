"""What a probe waits for, and whether the request that kept it is named: on a real loop, with a clock by hand."""

import asyncio
import contextvars
from types import SimpleNamespace

import pytest

from pytest_noblock.engine.exchange import CURRENT, LiveExchange
from pytest_noblock.engine.probing import probe_waits
from pytest_noblock.engine.probing.probe_waits import WaitSampler
from pytest_noblock.engine.probing.probes import ProbeInFlight

MS = 1_000_000


def start(coroutine, path="/"):
    """A task that belongs to a new record."""
    record = LiveExchange("GET", path)
    context = contextvars.copy_context()
    context.run(CURRENT.set, record)
    record.task = asyncio.get_running_loop().create_task(coroutine, context=context)
    return record


async def turns():
    """All that can go on has gone on."""
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.fixture
def clock(monkeypatch):
    clock = SimpleNamespace(now=0)
    monkeypatch.setattr(probe_waits, "now", lambda: clock.now)
    return clock


@pytest.fixture
def scene(run, user, clock):
    """Run a function with a lock that an observed request holds, at a gate, and that a probe waits for."""

    def scene(function, *, observed=True):
        async def main():
            async def holds():
                async with lock:
                    await gate.wait()

            async def waits():
                async with lock:
                    pass

            lock, gate = asyncio.Lock(), asyncio.Event()
            request = start(holds())
            await turns()
            probe = ProbeInFlight("/probe", [0], [start(waits(), "/probe")])
            await turns()
            sampler = WaitSampler(user, [request] if observed else [], splits_waiting=False)
            parts = SimpleNamespace(sampler=sampler, probe=probe, request=request, gate=gate)
            try:
                await function(parts)
                gate.set()
                await asyncio.wait([request.task, probe.records[0].task])
                return parts, sampler.waits()
            finally:
                sampler.close()

        return run(main())

    return scene


async def one_sample(parts):
    parts.sampler.sample({parts.probe})


def test_a_wait_is_put_down_to_the_request_that_ended_it(scene):
    parts, (wait,) = scene(one_sample)
    assert (wait.path, wait.what) == ("/probe", "asyncio.Lock")
    assert wait.by == parts.request.number
    assert wait.let_go
    assert "waits" in {frame.function for frame in wait.stack if frame.user}


def test_where_the_request_sat_is_told_with_how_often(scene):
    async def samples(parts):
        for _ in range(3):
            parts.sampler.sample({parts.probe})

    parts, (wait,) = scene(samples)
    (sighting,) = wait.sightings
    assert (sighting.exchange, sighting.times) == (parts.request.number, 3)
    assert "holds" in {frame.function for frame in sighting.stack if frame.user}


def test_a_wait_that_nobodys_step_ends_is_put_down_to_nobody(run, user, clock):
    async def main():
        async def waits(event):
            await event.wait()

        gate, other = asyncio.Event(), asyncio.Event()
        request, probe = start(waits(gate)), ProbeInFlight("/probe", [0], [start(waits(other))])
        await turns()
        sampler = WaitSampler(user, [request], splits_waiting=False)
        sampler.sample({probe})
        other.set()
        sampler.close()
        gate.set()
        await turns()
        return sampler.waits()

    (wait,) = run(main())
    assert wait.sightings
    assert wait.by is None
    assert not wait.let_go  # the request sat where it sat


def test_a_wait_that_does_not_end_is_left_out(scene):
    async def looked_at_before_the_end(parts):
        parts.sampler.sample({parts.probe})
        parts.waits = parts.sampler.waits()

    parts, _waits = scene(looked_at_before_the_end)
    assert parts.waits == ()


def test_two_that_wait_in_methods_of_one_object_share_it(run, user, clock):
    async def main():
        async def waits(lock):
            async with lock:
                pass

        async def seen(probes_lock):
            probe = ProbeInFlight("/probe", [0], [start(waits(probes_lock))])
            await turns()
            sampler.sample({probe})
            probes_lock.release()
            await turns()
            return sampler.waits()[-1].shared

        lock, other = asyncio.Lock(), asyncio.Lock()
        await lock.acquire()
        await other.acquire()
        request = start(waits(lock))
        await turns()
        sampler = WaitSampler(user, [request], splits_waiting=False)
        return await seen(other), await seen(lock)

    assert run(main()) == (False, True)


@pytest.mark.parametrize(("observed", "waited"), [(True, 140), (False, 20)], ids=["a request sits", "none does"])
def test_the_time_between_samples_counts_whole_while_a_request_sits(scene, clock, observed, waited):
    """Else as much as two ticks take: the loop may have been late."""

    async def samples(parts):
        for moment in (0, 40, 140):
            clock.now = moment * MS
            parts.sampler.sample({parts.probe})

    _parts, (wait,) = scene(samples, observed=observed)
    assert wait.waited_ns == waited * MS
    assert (wait.began, wait.ended) == (0, 140 * MS)


def test_a_request_that_went_on_keeps_nobody(scene, clock):
    async def samples(parts):
        parts.sampler.sample({parts.probe})
        parts.gate.set()  # its future is done
        clock.now = 100 * MS
        parts.sampler.sample({parts.probe})

    _parts, (wait,) = scene(samples)
    assert wait.waited_ns == 10 * MS


def test_what_workers_and_the_loop_queued_comes_off(run, user, clock):
    """The machine keeps them: the workers' delay always, the loop's where no request sits."""

    async def main(futures):
        sampler = WaitSampler(user, [], splits_waiting=False)
        wait = SimpleNamespace(began=0, waited_ns=0)
        sampler._open = {None: wait}
        sampler._futures = futures
        last, moment = probe_waits._Moment(0, 0, 0), probe_waits._Moment(9 * MS, 2 * MS, 4 * MS)
        sampler._count(last, moment)
        return wait.waited_ns

    async def sitting():
        return await main({"request": asyncio.get_running_loop().create_future()})

    assert run(sitting()) == 5 * MS
    assert run(main({})) == 3 * MS


def test_samples_go_on_while_something_waits(scene):
    async def samples(parts):
        parts.answers = [parts.sampler.sample(set()), parts.sampler.sample({parts.probe}), parts.sampler.sample(set())]

    parts, _waits = scene(samples)
    assert parts.answers == [False, True, False]


def test_the_loops_call_soon_is_replaced_while_something_waits_and_given_back(scene):
    async def samples(parts):
        loop = asyncio.get_running_loop()
        replaced = [dict(vars(loop)).get("call_soon")]
        for probes in (set(), {parts.probe}):
            parts.sampler.sample(probes)
            replaced.append(vars(loop).get("call_soon"))
        parts.sampler.close()
        parts.replaced = [each is not None for each in (*replaced, vars(loop).get("call_soon"))]

    parts, _waits = scene(samples)
    assert parts.replaced == [False, False, True, False]


def test_only_so_many_waits_are_kept(scene, monkeypatch):
    monkeypatch.setattr(probe_waits, "_MOST_WAITS", 0)
    _parts, waits = scene(one_sample)
    assert waits == ()
