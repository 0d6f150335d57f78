"""A probe that does not answer well measures something else: it is refused by name."""

import pytest

from pytest_noblock.engine.probing import probes

API = """
import asyncio
from fastapi import FastAPI, HTTPException

app = FastAPI()

@app.get("/awaits")
async def awaits():
    await asyncio.sleep(0.03)
    return {}

@app.get("/health")
async def health():
    return {}

@app.get("/down")
async def down():
    raise HTTPException(503)

@app.get("/raises")
async def raises():
    raise ValueError("not ready")

@app.get("/hangs")
async def hangs():
    await asyncio.sleep(60)

answers = []

@app.get("/tires")
async def tires():
    answers.append(1)
    if len(answers) > 4:  # good alone, not beside the request
        raise HTTPException(500)
    return {}

@app.get("/stops")
async def stops():
    answers.append(1)
    if len(answers) > 4:
        await asyncio.sleep(60)
    return {}
"""


@pytest.fixture
def probed_by(pytester, refused, monkeypatch):
    monkeypatch.setattr(probes, "_ANSWER_LIMIT_S", 2)

    def probed_by(probe: str, *sentences: str) -> dict[str, int]:
        test = f"def test_it(noblock):\n    noblock.get('/awaits', probe={probe}, timeout=1)"
        pytester.makepyfile(api=API, test_it=test)
        result = pytester.runpytest("--noblock-app=api:app")
        refused(result, *sentences)
        return result.parseoutcomes()

    return probed_by


@pytest.mark.one_python
@pytest.mark.parametrize("probe", ["'/health'", "['/health', '/docs']"])
def test_a_probe_that_answers_is_fine(probed_by, probe):
    assert probed_by(probe) == {"passed": 1}


@pytest.mark.one_python
@pytest.mark.parametrize(
    ("probe", "sentence"),
    [
        ("/absent", "the probe GET /absent answered 404: a probe must be a small request that the app answers well"),
        ("/down", "the probe GET /down answered 503: a probe must be"),
        ("/tires", "the probe GET /tires answered 500: a probe must be"),
        ("/raises", "the probe GET /raises answered 500: a probe must be"),
        ("/hangs", "the probe GET /hangs did not answer"),
        ("/stops", "the probe GET /stops did not answer"),
    ],
)
def test_a_probe_that_does_not_answer_well_is_red(probed_by, probe, sentence):
    assert probed_by(repr(probe), sentence) == {"failed": 1}


BARE = """
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        raise NotImplementedError
    if scope["path"] == "/raises":
        raise ValueError("not ready")
    if scope["path"] != "/silent":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body"})
"""


@pytest.mark.parametrize("probe", ["/raises", "/silent"])
def test_a_probe_without_any_response_is_red(pytester, refused, probe):
    pytester.makepyfile(api=BARE, test_it=f"def test_it(noblock):\n    noblock.get('/', probe={probe!r})")
    result = pytester.runpytest("--noblock-app=api:app")
    result.assert_outcomes(failed=1)
    refused(result, f"the probe GET {probe} ")


@pytest.mark.one_python
def test_a_probe_is_refused_even_where_the_request_blocks(shop, refused):
    """Both are wrong: the setting must be mended first."""
    shop.makepyfile("def test_it(noblock):\n    noblock.get('/blocks', probe='/absent')")
    result = shop.runpytest("--noblock-app=shop:app")
    result.assert_outcomes(failed=1)
    refused(result, "the probe GET /absent answered 404")


@pytest.mark.one_python
@pytest.mark.parametrize("probe", ["'health'", "''", "[]", "5", "['/health', 5]", "'http://elsewhere/health'"])
def test_what_is_no_path_is_refused_before_anything_is_sent(shop, refused, probe):
    shop.makepyfile(
        f"""
        import shop

        def test_it(noblock):
            noblock.get("/awaits", probe={probe})

        def test_nothing_was_sent():
            assert shop.calls == []
        """
    )
    result = shop.runpytest("--noblock-app=shop:app")
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines([f'*{probe.replace("[", "[[]")} is not a path or a list of paths: write "/health"*'])
