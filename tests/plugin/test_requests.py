"""What the client sends, how often, and what the test gets back."""

import pytest


def test_every_method_of_httpx_is_there(run):
    result = run(
        """
        import pytest

        @pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete"])
        def test_it(noblock, method):
            answer = getattr(noblock, method)("/x?a=1", headers={"X-One": "1"})
            assert type(answer).__name__ == "Response"
            assert answer.json() == [method.upper(), "/x", "a=1", "1"]

        def test_request(noblock):
            assert noblock.request("get", "/x").json()[0] == "GET"
            assert noblock.request("OPTIONS", "/x").json()[0] == "OPTIONS"

        def test_a_head_has_no_body(noblock):
            assert noblock.request("HEAD", "/x").status_code == 200

        def test_bodies(noblock):
            assert noblock.post("/body", json={"a": 1}).content == b'{"a":1}'
            assert noblock.post("/body", content=b"raw").content == b"raw"
            assert noblock.post("/body", data={"a": "1"}).content == b"a=1"
            assert b"filename" in noblock.post("/body", files={"f": ("n.txt", b"text")}).content

        def test_params(noblock):
            assert noblock.get("/x", params={"q": "ä b"}).json()[2] == "q=%C3%A4+b"
        """,
        app="echo:app",
    )
    result.assert_outcomes(passed=9)


@pytest.fixture(autouse=True)
def _echo(shop):
    shop.makepyfile(
        echo="""
        from fastapi import FastAPI, Request, Response

        app = FastAPI()

        @app.post("/body")
        async def body(request: Request):
            return Response(await request.body())

        @app.api_route("/x", methods=["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"])
        async def echo(request: Request):
            return [request.method, request.url.path, request.url.query, request.headers.get("x-one")]
        """
    )


def test_headers_cookies_and_auth_are_set_on_the_client(run):
    result = run("""
        def test_headers(noblock):
            noblock.client.headers["Authorization"] = "Bearer t"
            noblock.get("/mine")

        def test_auth(noblock):
            noblock.client.auth = ("name", "password")
            noblock.get("/mine")

        def test_cookies(noblock):
            noblock.client.cookies.set("seen", "7")
            assert noblock.get("/visits").json() == {"seen": 7}

        def test_nothing_is_left_of_them(noblock):
            assert noblock.get("/visits").json() == {"seen": 0}
            assert noblock.check("GET", "/mine").outcome == "inconclusive"
    """)
    result.assert_outcomes(passed=4)


@pytest.mark.one_python
@pytest.mark.parametrize("scope", ["function", "module", "session"])
def test_no_test_inherits_the_headers_and_cookies_of_another(run, scope):
    """The app may be shared; what a test sets on its client is its own."""
    result = run(
        """
        def test_one(noblock):
            noblock.client.headers["Authorization"] = "Bearer t"
            noblock.client.cookies.set("seen", "7")
            noblock.get("/mine")

        def test_two(noblock):
            assert noblock.check("GET", "/mine").outcome == "inconclusive"
            assert noblock.get("/visits").json() == {"seen": 0}
        """,
        "-o",
        f"noblock_scope={scope}",
    )
    result.assert_outcomes(passed=2)


@pytest.mark.one_python
def test_cookies_are_those_of_one_request_however_often_it_was_sent(run):
    """Warm-up and confirmation leave none behind, the request itself does."""
    result = run("""
        def test_it(noblock):
            assert noblock.get("/visits").json() == {"seen": 0}
            assert noblock.client.cookies["seen"] == "1"
            assert noblock.get("/visits").json() == {"seen": 1}
            assert noblock.client.cookies["seen"] == "2"
    """)
    result.assert_outcomes(passed=1)


@pytest.mark.one_python
@pytest.mark.parametrize(
    ("call", "times"),
    [
        ('check("GET", "/awaits")', 2),  # a warm-up, and the request
        ('check("GET", "/awaits", warmup=False)', 1),
        ('check("GET", "/awaits", warmup=False, concurrency=5)', 5),
        ('check("GET", "/blocks")', 3),  # and one more to confirm
        ('check("GET", "/blocks", confirm=False)', 2),
        ('check("GET", "/blocks", warmup=False, confirm=False)', 1),
        ('check("POST", "/orders")', 1),
        ('check("POST", "/orders", warmup=True)', 2),
        ('check("POST", "/blocking-orders")', 1),
        ('check("POST", "/blocking-orders", confirm=True)', 2),
        ('check("POST", "/blocking-orders", concurrency=2)', 2),
    ],
)
def test_how_often_a_request_is_sent(run, call, times):
    """What may change something is sent once, unless the test says otherwise."""
    result = run(f"""
        import shop

        def test_it(noblock):
            noblock.{call}
            assert len(shop.calls) == {times}
    """)
    result.assert_outcomes(passed=1)


@pytest.mark.one_python
def test_a_route_is_warmed_up_once_for_each_running_app(run):
    result = run("""
        import shop

        def test_it(noblock):
            for _ in range(3):
                noblock.get("/awaits")
            assert len(shop.calls) == 4
    """)
    result.assert_outcomes(passed=1)


@pytest.mark.one_python
def test_what_is_repeated_is_sent_again_with_the_same_body(run):
    result = run(
        """
        def test_it(noblock):
            answer = noblock.post("/body", content=b"raw", warmup=True, confirm=True)
            assert answer.content == b"raw"

        def test_a_file(noblock, tmp_path):
            file = tmp_path / "f"
            file.write_bytes(b"text")
            with file.open("rb") as body:
                answer = noblock.post("/body", files={"f": body}, warmup=True)
            assert b"text" in answer.content
        """,
        app="echo:app",
    )
    result.assert_outcomes(passed=2)


@pytest.mark.one_python
def test_check_never_fails_the_test(run):
    result = run("""
        def test_it(noblock):
            check = noblock.check("GET", "/blocks", probe="/health")
            assert check.outcome == "failed"
            assert check.response.json() == {"slept": True}
            (finding,) = check.findings
            assert (finding.kind, finding.phase) == ("sync-io", "handler")
            assert (finding.file, finding.line, finding.function) == ("shop.py", 17, "blocks")
            assert (finding.code, finding.call) == ("time.sleep(0.08)", "time.sleep")
            assert 55 < finding.ms < 200 and finding.asleep_ms > 50 and finding.cpu_ms < 25
            assert finding.confirmed
            assert "asyncio.sleep" in finding.replacement
            assert {probe.path for probe in check.probes} == {"the event loop", "the thread pool", "/health"}
            (health,) = [probe for probe in check.probes if probe.path == "/health"]
            assert health.sent >= 2 and health.worst_ms > 40 and health.worst_ms > health.alone_ms > 0
            assert check.background == ()
            assert check.route == "/blocks" and check.endpoint == "shop.blocks"

        def test_passed(noblock):
            check = noblock.check("GET", "/awaits")
            assert (check.outcome, check.findings) == ("passed", ())

        def test_inconclusive(noblock):
            check = noblock.check("GET", "/nowhere")
            assert (check.outcome, check.findings) == ("inconclusive", ())
    """)
    result.assert_outcomes(passed=3)


def test_many_at_once_run_at_once(run, pytester):
    """Nobody passes the barrier before five are there; each is an exchange of its own."""
    pytester.makepyfile(
        together="""
        import asyncio
        from fastapi import FastAPI

        app = FastAPI()
        barrier = asyncio.Barrier(5)
        calls = []

        @app.get("/")
        async def together():
            calls.append(1)
            await barrier.wait()
        """
    )
    result = run(
        """
        import together

        def test_it(noblock):
            check = noblock.check("GET", "/", concurrency=5, warmup=False)
            assert check.outcome == "passed", check
            assert len(together.calls) == len(check.exchanges) == 5

        def test_fewer_do_not_pass(noblock):
            assert noblock.check("GET", "/", concurrency=4, warmup=False, timeout=0.2).outcome == "inconclusive"
        """,
        app="together:app",
    )
    result.assert_outcomes(passed=2)


@pytest.mark.one_python
def test_many_that_block_are_one_finding(run, pytester):
    """It tells the longest of them, not the sum."""
    pytester.makepyfile(
        blocking="""
        import time
        from fastapi import FastAPI

        app = FastAPI()
        took = []

        @app.get("/")
        async def blocks():
            began = time.perf_counter()
            time.sleep(0.08)
            took.append(1000 * (time.perf_counter() - began))
        """
    )
    result = run(
        """
        import blocking

        def test_it(noblock):
            (finding,) = noblock.check("GET", "/", concurrency=2).findings
            assert finding.count == 2
            assert 75 < finding.ms < sum(blocking.took[-2:])
        """,
        app="blocking:app",
    )
    result.assert_outcomes(passed=1)
