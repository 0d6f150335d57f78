"""The soak's side of the suite of kinds: how often each runs, and what was observed, kept for those that are missed.

NOBLOCK_KINDS names the kinds, NOBLOCK_KINDS_TURNS how often each is to run in this
process; with NOBLOCK_KINDS_POLLER a thread works a little all the time, as exporters, schedulers
and pollers do. The observations are written to observed.json, as text by the test's id.
"""

import json
import os
import threading
import time
from pathlib import Path

import pytest

from pytest_noblock.checks import watched
from pytest_noblock.model.segment import Segment

_OBSERVED: dict[str, list[str]] = {}


@pytest.fixture
def anyio_backend():
    return "asyncio"


def pytest_generate_tests(metafunc):
    metafunc.parametrize("turn", range(int(os.environ["NOBLOCK_KINDS_TURNS"])))
    metafunc.parametrize("kind", os.environ["NOBLOCK_KINDS"].split())
    metafunc.parametrize("how", ["blocks", "awaits"])


def pytest_sessionstart():
    if "NOBLOCK_KINDS_POLLER" in os.environ:
        threading.Thread(target=_poll, daemon=True).start()


def _poll():
    while True:
        ended = time.thread_time_ns() + 20_000
        while time.thread_time_ns() < ended:
            sum(range(50))
        time.sleep(0.0003)


@pytest.fixture
def noblock_app():
    from kinds_app import app

    return app


@pytest.fixture(autouse=True, scope="session")
def observed():
    judge = watched.judge_watched

    def judge_watched(id, observation, *rules):
        _OBSERVED[id] = [_text(segment) for segment in observation.segments]
        return judge(id, observation, *rules)

    watched.judge_watched = judge_watched
    yield
    watched.judge_watched = judge


def pytest_unconfigure():
    Path("observed.json").write_text(json.dumps(_OBSERVED))


def _text(segment: Segment) -> str:
    parts = ("wall", "cpu", "collected", "queued", "asleep", "others_cpu", "imported")
    split = [f"{part} {getattr(segment, part) / 1e6:.2f}" for part in parts if getattr(segment, part)]
    calls = [f"{call.name} {_span(segment, call.began, call.ended)}" for call in segment.calls]
    looks = [
        f"look due {_span(segment, look.due, look.ended)} {look.syscall} "
        + " < ".join(f"{frame.function}:{frame.line}" for frame in look.stack[:3])
        for look in segment.samples
    ]
    trips = f"switches {segment.switches}, trips {segment.round_trips} + {segment.doubtful_trips}"
    return "; ".join([*split, trips, *calls, *looks])


def _span(segment: Segment, began: int, ended: int) -> str:
    return f"{(began - segment.began) / 1e6:.2f}-{(ended - segment.began) / 1e6:.2f}"
