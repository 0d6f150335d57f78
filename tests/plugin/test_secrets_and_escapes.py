"""No secret of the user's is told, and nothing that a terminal obeys is sent to it."""

import json

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
        r"GET /r/\x1b[[]31mred\nFAKE\x07 blocked the event loop * ms (limit 50 ms)*",
    ):
        result.stdout.fnmatch_lines([line])


def test_a_task_is_told_with_the_types_of_its_arguments(run, shop):
    shop.makepyfile(api=API)
    result = run(
        'def test_it(noblock):\n    noblock.post("/task", headers={"Authorization": "Bearer S3CRET"})\n', app="api:app"
    )
    result.stdout.fnmatch_lines(["  task    send(str, str, Thing, key=str)"])
