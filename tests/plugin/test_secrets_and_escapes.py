"""No secret of the user's is told, and nothing that a terminal obeys is sent to it."""

import json

import pytest

API = r"""
    import time
    from fastapi import BackgroundTasks, FastAPI, Request

    app = FastAPI()

    @app.get("/r/{name}")
    async def report(name: str):
        time.sleep(0.08)

    class Thing:
        def __repr__(self):
            return "\x1b]0;title\x07<Thing\nFAKE line>"

    async def send(dsn, token, thing, *, key):
        time.sleep(0.08)

    @app.post("/task")
    async def task(tasks: BackgroundTasks, request: Request):
        tasks.add_task(send, "postgres://u:S3CRET@h/d", request.headers["authorization"], Thing(), key="S3CRET")
"""
TESTS = r"""
    import pytest

    def test_query(noblock):
        noblock.get("/r/a?token=S3CRET")

    def test_password(noblock):
        noblock.get("http://user:S3CRET@testserver/r/a")

    def test_bad_port(noblock):
        noblock.get("http://user:S3CRET@testserver:S3CRET/r/a")

    def test_auth(noblock):
        noblock.get("/r/a", auth="Bearer S3CRET")

    @pytest.mark.noblock_background("other")
    def test_task(noblock):
        noblock.post("/task", headers={"Authorization": "Bearer S3CRET"})

    def test_escape(noblock):
        noblock.get("/x/%1b%5b31mred%0aFAKE%07")

    def test_escape_that_blocks(noblock):
        noblock.get("/r/%1b%5b31mred%0aFAKE%07")
"""


ERRORS = r"""
    import asyncio
    import contextlib
    import os
    import time
    from fastapi import BackgroundTasks, FastAPI
    from pydantic import BaseModel

    SECRET = "S3" + "CRET"  # pytest shows lines of the tests
    DSN = f"postgres://shop:{SECRET}@db.example/shop?password={SECRET}"

    class Out(BaseModel):
        id: int

    @contextlib.asynccontextmanager
    async def lifespan(app):
        if os.environ["SHOP_FAILS"] == "start":
            raise RuntimeError(f"cannot connect to {DSN}\x1b[31m")
        yield
        if os.environ["SHOP_FAILS"] == "stop":
            raise RuntimeError(f"cannot close {DSN}\x1b[31m")

    app = FastAPI(lifespan=lifespan)

    @app.get("/raises")
    async def raises():
        raise ValueError(f"https://api.example/x?token={SECRET} for {DSN}\x1b[31m and {os.environ['SHOP_API_KEY']}")

    @app.get("/exits")
    async def exits():
        raise SystemExit(f"password='{SECRET}' {DSN}")

    @app.get("/validated", response_model=Out)
    async def validated():
        return {"id": SECRET, "more": {"deep": SECRET}}

    async def task(x):
        time.sleep(0.08)
        raise OSError(f"Authorization: Bearer {SECRET}, dsn={DSN}\x07")

    @app.post("/task")
    async def add(tasks: BackgroundTasks):
        tasks.add_task(task, DSN)

    @app.get("/health")
    async def health(token: str = ""): ...

    @app.get("/slow")
    async def slow():
        time.sleep(0.08)
"""
ERROR_TESTS = r"""
    import pytest
    from fastapi.testclient import TestClient
    from errors import SECRET, app

    client = TestClient(app, raise_server_exceptions=False)

    @pytest.mark.parametrize("path", ["raises", "exits", "validated"])
    def test_get(noblock, path):
        noblock.get("/" + path)

    def test_task(noblock):
        noblock.post("/task")

    @pytest.mark.noblock_background("task")
    def test_watched():
        client.post(f"/task?token={SECRET}", headers={"Authorization": f"Bearer {SECRET}"})

    def test_raises_watched():
        client.get(f"/raises?token={SECRET}", cookies={"session": SECRET})

    def test_probe(noblock):
        noblock.get("/slow", probe=f"/health?token={SECRET}")

    def test_failed_probe(noblock):
        noblock.get("/slow", probe=f"/raises?token={SECRET}")

    @pytest.mark.filterwarnings("ignore::UserWarning")
    def test_asserted(noblock):
        check = noblock.check("GET", f"/slow?token={SECRET}", headers={"Authorization": f"Bearer {SECRET}"})
        assert not check.findings

    @pytest.fixture
    def fails_at(monkeypatch, request):
        monkeypatch.setenv("SHOP_FAILS", request.param)

    @pytest.mark.parametrize("fails_at", ["start", "stop"], indirect=True)
    def test_lifespan(fails_at, noblock):
        noblock.get("/health")
"""


@pytest.mark.one_python
def test_what_errors_quote_is_not_told(shop, monkeypatch):
    """In the terminal, at any verbosity, in reports, in a check's own repr, across xdist."""
    monkeypatch.setenv("SHOP_API_KEY", "S3CRET-of-the-environment")
    monkeypatch.setenv("SHOP_FAILS", "")
    shop.makepyfile(errors=ERRORS, test_errors=ERROR_TESTS)
    for more in (("-vvv", "--tb=short", "-rA"), ("-n", "1", "--noblock-action=warn")):
        result = shop.runpytest_subprocess(
            "--noblock", "--noblock-app=errors:app", "--noblock-report=out.json", "--junitxml=out.xml", *more
        )
        files = [(shop.path / name).read_text(encoding="utf-8") for name in ("out.json", "out.xml")]
        for shown in (result.stdout.str() + result.stderr.str(), *files):
            assert "***" in shown
            assert "S3CRET" not in shown
            assert "\x1b" not in shown
            assert "\x07" not in shown
            assert "postgres://***@db.example/shop?password=***" in shown
    result.stdout.fnmatch_lines(
        [
            "GET /raises raised ValueError('https://api.example/x[?]token=*** for postgres://***@*and ***')*",
        ]
    )


def test_neither_secrets_nor_escapes(run, shop):
    shop.makepyfile(api=API)
    result = run(TESTS, "--noblock-report=out.json", "--junitxml=out.xml", "--tb=line", app="api:app")
    result.assert_outcomes(failed=7)
    text = result.stdout.str() + result.stderr.str()
    document = (shop.path / "out.json").read_text(encoding="utf-8")
    for shown in (text.replace(TESTS, ""), document, (shop.path / "out.xml").read_text(encoding="utf-8")):
        assert "S3CRET" not in shown
        assert "\x1b" not in shown
        assert "\x07" not in shown
        assert "\nFAKE" not in shown
    assert len(json.loads(document)["checks"]) == 5
    for line in (
        r"*GET /x/\x1b[[]31mred\nFAKE\x07 matched no route of the app (status 404)*",
        r"*GET /r/\x1b[[]31mred\nFAKE\x07 blocked the event loop * ms (limit 50 ms)*",
    ):
        result.stdout.fnmatch_lines([line])


def test_a_task_is_told_with_the_types_of_its_arguments(run, shop):
    shop.makepyfile(api=API)
    result = run(
        'def test_it(noblock):\n    noblock.post("/task", headers={"Authorization": "Bearer S3CRET"})\n', app="api:app"
    )
    result.stdout.fnmatch_lines(["  task    send(str, str, Thing, key=str)"])


QUOTES = """
    import pytest
    from fastapi import BackgroundTasks, FastAPI, Request
    from fastapi.testclient import TestClient

    app = FastAPI()

    @app.post("/quotes")
    async def quotes(request: Request):
        body, query = await request.json(), request.query_params["key"]
        header, cookie = request.headers["x-pass"], request.cookies["sid"]
        raise ValueError(f"no {header} and {query} and {cookie} and {body['name']} fits")

    def task(what):
        raise RuntimeError(f"cannot do {what}")

    @app.post("/task")
    async def with_task(request: Request, tasks: BackgroundTasks):
        tasks.add_task(task, (await request.json())["name"] + "more")

    SENT = dict(headers={"x-pass": SECRET + "1", "cookie": "sid=" + SECRET + "2"}, json={"name": SECRET + "3"})

    @pytest.mark.noblock(app=app)
    @pytest.mark.parametrize("path", ["/quotes", "/task"])
    def test_fixture(noblock, path):
        noblock.post(path, params={"key": SECRET + "4"}, **SENT)

    @pytest.mark.noblock
    @pytest.mark.parametrize("path", ["/quotes", "/task"])
    def test_watched(path):
        TestClient(app, raise_server_exceptions=False).post(path, params={"key": SECRET + "4"}, **SENT)
"""


@pytest.mark.one_python
def test_what_a_request_sent_is_not_told_where_an_error_quotes_it(pytester):
    """No word before the values says what they are: that they were sent is all that shows it."""
    pytester.makepyfile(test_quotes=QUOTES.replace("SECRET", '("hunt" "er22")'))
    result = pytester.runpytest_inprocess("-p", "no:randomly", "-vvv", "--noblock-report=r.json")
    result.assert_outcomes(failed=2, passed=2)
    raised = "POST /quotes raised ValueError('no *** and *** and *** and *** fits') at test_quotes.py:11 in quotes"
    task = "RuntimeError('cannot do ***')"
    checks = json.loads(pytester.path.joinpath("r.json").read_text(encoding="utf-8"))["checks"]
    told = [check["reason"] or "" for check in checks] + [note for check in checks for note in check["notes"]]
    assert sum(raised in each for each in told) >= 2
    assert any(task in each for each in told)
    assert [each["error"] for check in checks for each in check["background"]] == [task, task]
    assert "hunter22" not in result.stdout.str()
    assert "hunter22" not in json.dumps(checks)
