"""A request to a server in another process: nobody saw it enter an app, and the test and the summary say so."""

import pytest

SERVER = """
    import subprocess
    import sys

    import pytest

    CODE = '''
    from http.server import HTTPServer, SimpleHTTPRequestHandler
    server = HTTPServer(("127.0.0.1", 0), SimpleHTTPRequestHandler)
    print(server.server_port, flush=True)
    server.serve_forever()
    '''

    @pytest.fixture(scope="session")
    def url():
        process = subprocess.Popen(
            [sys.executable, "-c", "\\n".join(map(str.strip, CODE.splitlines()))],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        with process:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}/"
            process.kill()
"""
TESTS = """
    import asyncio

    import httpx
    import pytest
    import requests

    def test_requests(url):
        assert requests.get(url).status_code == 200
        assert requests.get(url).status_code == 200

    def test_async(url):
        async def main():
            async with httpx.AsyncClient() as client:
                assert (await client.get(url)).status_code == 200

        asyncio.run(main())

    def test_none():
        pass

    def test_seen(url):
        async def app(scope, receive, send):
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body"})

        async def main():
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
                await client.get("/")

        asyncio.run(main())

    @pytest.mark.noblock
    def test_marked(url):
        assert requests.get(url).status_code == 200
"""
ELSEWHERE = "an app that noblock can watch (in another process it cannot)"


@pytest.mark.one_python
def test_a_request_to_another_process_is_said_by_the_test_and_by_the_summary(pytester):
    pytest.importorskip("requests")
    pytester.makeconftest(SERVER)
    pytester.makepyfile(test_it=TESTS)
    result = pytester.runpytest("--noblock", "-p", "no:randomly")
    result.assert_outcomes(passed=4, failed=1)
    result.stdout.fnmatch_lines(
        [
            "test_marked made no request that noblock could watch: nothing was measured",
            f"  requests.Session.send sent 1 request, and it did not enter {ELSEWHERE}",
            "nothing was seen in 3 of 4 passed tests; 2 of them have a client whose requests were not seen:",
            f"      test_it.py::test_requests: requests.Session.send sent 2 requests, and none entered {ELSEWHERE}",
            f"      test_it.py::test_async: httpx.AsyncClient.send sent 1 request, and it did not enter {ELSEWHERE}",
            "      test_it.py::test_none",
        ]
    )
