"""A small project to test in: an app of its own in `shop.py`, and whatever test file the test writes."""

import sys
import textwrap
from collections.abc import Callable, Iterable

import pytest

SHOP = """
import asyncio
import time

from fastapi import Cookie, Depends, FastAPI, Header, HTTPException, Response

calls = []
app = FastAPI()

@app.get("/health")
async def health():
    calls.append("health")
    return {}

@app.get("/blocks")
async def blocks():
    calls.append("blocks")
    time.sleep(0.08)
    return {"slept": True}

@app.get("/awaits")
async def awaits():
    calls.append("awaits")
    await asyncio.sleep(0.02)
    return {"awaited": True}

@app.post("/orders")
async def order(item: str = "tea"):
    calls.append("order")
    return {"item": item}

@app.post("/blocking-orders")
async def blocking_order():
    calls.append("order")
    time.sleep(0.08)
    return {}

def someone(authorization: str | None = Header(None)):
    if authorization is None:
        raise HTTPException(401)

@app.get("/mine", dependencies=[Depends(someone)])
async def mine():
    return {}

@app.get("/visits")
async def visits(response: Response, seen: int = Cookie(0)):
    response.set_cookie("seen", str(seen + 1))
    return {"seen": seen}
"""


def pytest_itemcollected(item: pytest.Item) -> None:
    """Between the oldest Python and the newest, .ci/run asks only what reads the interpreter or wraps its loops."""
    if item.get_closest_marker("every_python") is None:
        item.add_marker("two_pythons")


@pytest.fixture
def shop(pytester: pytest.Pytester) -> pytest.Pytester:
    """A project with `shop.py` in it, which no setting names yet."""
    pytester.makepyfile(shop=SHOP)
    return pytester


@pytest.fixture
def run(shop: pytest.Pytester) -> Callable[..., pytest.RunResult]:
    """Run these tests against `shop:app`, with these options."""

    def run(tests: str, *options: str, app: str = "shop:app") -> pytest.RunResult:
        shop.makepyfile(test_shop=textwrap.dedent(tests))
        return shop.runpytest(f"--noblock-app={app}", *options)

    return run


@pytest.fixture
def refused(shop: pytest.Pytester) -> Callable[..., None]:
    """One clear sentence, and neither a traceback of ours nor an internal error."""

    def refused(result: pytest.RunResult, *sentences: str) -> None:
        text = result.stdout.str() + result.stderr.str()
        assert "INTERNALERROR" not in text
        assert "Traceback (most recent call last)" not in text
        assert "fixturedef" not in text
        assert "During handling of the above" not in text
        assert "was the direct cause of the following" not in text
        assert "pytest_noblock/" not in text.replace(str(shop.path), "")
        for sentence in sentences:
            assert sentence in " ".join(text.split()), text

    return refused


IN_TURN = """
import pytest

for file in {files}:
    print("=== file", file, flush=True)
    pytest.main([file, *{options}])
print("=== file", "end", flush=True)
"""


@pytest.fixture
def run_in_turn(pytester: pytest.Pytester) -> Callable[..., dict[str, str]]:
    """What pytest prints for each file: sessions of their own, one after the other in one fresh process.

    To start a process and load FastAPI takes ten times as long as such a session.
    """

    def run_in_turn(files: Iterable[str], *options: str) -> dict[str, str]:
        pytester.makepyfile(in_turn=IN_TURN.format(files=list(files), options=options))
        text = pytester.run(sys.executable, "in_turn.py").stdout.str()
        return dict(part.split("\n", 1) for part in f"\n{text}\n".split("\n=== file ")[1:])

    return run_in_turn
