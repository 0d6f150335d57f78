"""Start and stop of an app; whatever goes wrong in them is one sentence, and the loop goes on."""

import asyncio

import pytest

from pytest_noblock.engine.asgi import lifespan
from pytest_noblock.engine.asgi.lifespan import Lifespan, LifespanFailed
from pytest_noblock.engine.exchange import CURRENT


@pytest.fixture
def live(run, user):
    """Start the app, run a function with what requests are given to, stop it."""

    def live(app, meanwhile=None):
        async def main():
            lifespan = Lifespan(app, user)
            started = await lifespan.start()
            result = await meanwhile(started) if meanwhile else started
            await lifespan.stop()
            return result

        return run(main())

    return live


def answering(startup=None, shutdown=None):
    """An app that does something at its start and its stop, by default what is expected; and its log."""

    async def app(scope, receive, send):
        assert scope["type"] == "lifespan"
        for stage, act in (("startup", startup), ("shutdown", shutdown)):
            assert (await receive())["type"] == f"lifespan.{stage}"
            log.append(stage)
            if act is None:
                await send({"type": f"lifespan.{stage}.complete"})
            elif await act(send) == "failed":
                return

    log = []
    return app, log


def reporting(stage, **message):
    async def report(send):
        await send({"type": f"lifespan.{stage}.failed", **message})
        return "failed"

    return report


def raising(error):
    async def fail(_send):
        raise error

    return fail


async def never(_send):
    await asyncio.Event().wait()


def test_an_app_is_started_and_stopped(live):
    app, log = answering()

    async def meanwhile(_started):
        log.append("meanwhile")

    live(app, meanwhile)
    assert log == ["startup", "meanwhile", "shutdown"]


def test_requests_see_the_state_of_the_lifespan(live):
    async def app(scope, receive, send):
        if scope["type"] != "lifespan":
            seen.append(scope["state"]["pool"])
            return
        for stage in ("startup", "shutdown"):
            await receive()
            scope["state"]["pool"] = stage
            await send({"type": f"lifespan.{stage}.complete"})

    async def meanwhile(started):
        await started({"type": "http"}, None, None)

    seen = []
    live(app, meanwhile)
    assert seen == ["startup"]


def test_what_a_request_writes_into_the_state_the_next_one_does_not_see(live):
    """As under uvicorn: else what the warm-up notes there lets the judged request skip its work."""

    async def app(scope, receive, send):
        if scope["type"] != "lifespan":
            seen.append(scope["state"].pop("fresh", False))
            scope["state"]["pool"].append("used")
            return
        await receive()
        scope["state"].update(pool=[], fresh=True)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        pools.append(scope["state"]["pool"])
        await send({"type": "lifespan.shutdown.complete"})

    async def meanwhile(started):
        for _ in range(3):
            await started({"type": "http"}, None, None)

    seen, pools = [], []
    live(app, meanwhile)
    assert seen == [True, True, True]
    assert pools == [["used", "used", "used"]]  # the copy is shallow, as uvicorn's


def test_an_app_without_a_lifespan_is_given_back(live):
    async def app(scope, receive, send):
        raise NotImplementedError

    assert live(app) is app


def test_what_the_start_leaves_running_is_the_lifespans_and_the_caller_is_not(live):
    async def start(send):
        workers.append(asyncio.create_task(work()))
        await send({"type": "lifespan.startup.complete"})

    async def work():
        owners.append(CURRENT.get().method)

    async def meanwhile(_started):
        await asyncio.wait(workers)
        owners.append(CURRENT.get())

    workers, owners = [], []
    live(answering(startup=start)[0], meanwhile)
    assert owners == ["LIFESPAN", None]


@pytest.mark.parametrize("stage", ["startup", "shutdown"])
@pytest.mark.parametrize(
    ("act", "reason"),
    [
        (raising(ValueError("no database")), "ValueError('no database') at "),
        (raising(SystemExit(3)), "SystemExit(3)"),
        (raising(asyncio.CancelledError()), "CancelledError()"),
        ("report", "RuntimeError('KeyError: it')"),
        ("bare report", "RuntimeError('no message')"),
    ],
    ids="raises exits cancels reports reports-no-message".split(),
)
def test_a_failure_is_a_sentence_that_says_what_the_app_raised(live, stage, act, reason):
    message = {"message": "Traceback (most recent call last):\n ...\nKeyError: it\n"} if act == "report" else {}
    act = reporting(stage, **message) if isinstance(act, str) else act
    app, log = answering(**{stage: act})
    with pytest.raises(LifespanFailed) as failed:
        live(app)
    assert str(failed.value).startswith(f"the app's lifespan {stage} failed: ")
    assert reason in str(failed.value)
    assert log[-1] == stage


def test_a_failure_names_the_line(live, user):
    with pytest.raises(LifespanFailed, match=r" at asgi/test_lifespan\.py:\d+ in fail$"):
        live(answering(startup=raising(ValueError("no")))[0])


@pytest.mark.parametrize("stage", ["startup", "shutdown"])
def test_a_stage_that_does_not_end_is_given_up(live, monkeypatch, stage):
    monkeypatch.setattr(lifespan, "LIMIT_S", 0.2)
    with pytest.raises(
        LifespanFailed, match=rf"^the app's lifespan {stage} did not finish within 0\.2 s, it sits at .*never$"
    ):
        live(answering(**{stage: never})[0])


def test_a_cancellation_from_outside_goes_on(run):
    async def main():
        async def wait(_send):
            waiting.set()
            await asyncio.Event().wait()

        waiting = asyncio.Event()
        task = asyncio.create_task(lifespan._without_exiting(wait(None)))
        await waiting.wait()
        task.cancel()
        await asyncio.wait([task])
        return task.cancelled()

    assert run(main())


def test_an_app_whose_call_returns_at_once_has_no_lifespan(live):
    async def app(scope, receive, send):
        pass

    assert live(app) is app


@pytest.mark.parametrize("answers", [("startup",), ("startup", "shutdown")])
def test_an_app_that_returns_without_an_answer_has_started_and_stopped_as_under_uvicorn(live, answers):
    async def app(scope, receive, send):
        for stage in answers:
            await receive()
            if stage != answers[-1]:
                await send({"type": f"lifespan.{stage}.complete"})

    assert live(app) is not app


def test_an_app_that_never_asks_for_a_message_is_no_app_without_a_lifespan(live, monkeypatch):
    monkeypatch.setattr(lifespan, "LIMIT_S", 0.2)

    async def app(scope, receive, send):
        await asyncio.Event().wait()

    with pytest.raises(LifespanFailed, match=r"startup did not finish within 0\.2 s, it sits at .* in app$"):
        live(app)


def test_a_message_of_another_protocol_is_refused(live):
    async def app(scope, receive, send):
        await receive()
        await send({"type": "http.response.start", "status": 200})

    with pytest.raises(LifespanFailed, match=r"Unexpected ASGI message 'http\.response\.start'"):
        live(app)
