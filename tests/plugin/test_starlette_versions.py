"""Behind `BaseHTTPMiddleware` Starlette <= 1.6 begins the tasks before the body is sent, 1.7 and later afterwards.

One test for both: what is right follows from the version that is installed, or is what
NOBLOCK_EXPECTED says, with which .ci/run runs it once for each of them.
"""

import os
from pathlib import Path

import starlette

from tests.plugin import trap_app

VERSION = starlette.__version__
BEFORE_1_7 = tuple(map(int, VERSION.split(".")[:2])) < (1, 7)
EXPECTED = os.environ.get("NOBLOCK_EXPECTED") or ("background-early" if BEFORE_1_7 else "passed")
TESTS = """
    import asyncio

    import httpx
    import httpx2
    import pytest
    from fastapi.testclient import TestClient
    from trap_app import behind

    @pytest.fixture
    def noblock_app():
        return behind

    @pytest.mark.noblock_background("write_log")
    def test_client():
        TestClient(behind).post("/behind-middleware")

    @pytest.mark.noblock_background("write_log")
    @pytest.mark.parametrize("library", [httpx, httpx2])
    def test_async_client(library):
        async def main():
            transport = library.ASGITransport(behind)
            async with library.AsyncClient(transport=transport, base_url="http://testserver") as client:
                await client.post("/behind-middleware")

        asyncio.run(main())

    @pytest.mark.noblock_background("write_log")
    def test_fixture(noblock):
        noblock.post("/behind-middleware")
"""


def test_behind_base_http_middleware(pytester):
    pytester.makepyfile(trap_app=Path(trap_app.__file__).read_text(encoding="utf-8"), test_it=TESTS)
    result = pytester.runpytest("test_it.py")
    print(f"Starlette {VERSION}: {EXPECTED} expected")
    if EXPECTED == "passed":
        result.assert_outcomes(passed=4)
        return
    result.assert_outcomes(failed=4)
    result.stdout.fnmatch_lines(
        [
            "POST /behind-middleware: background task write_log began before the response was complete",
            f"  why     Starlette {VERSION} runs it before the body behind BaseHTTPMiddleware; 1.7 does not",
        ]
        * 4
    )
