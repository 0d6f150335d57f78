"""What users give wrongly, as they see it: a sentence at their own line, no frame of ours, no internal error."""

import pytest

API = """
    from fastapi import FastAPI
    from starlette.responses import RedirectResponse, Response

    app = FastAPI()

    @app.get("/")
    async def home():
        return {}

    @app.post("/")
    async def add():
        return {}

    @app.get("/loop")
    async def loop():
        return RedirectResponse("/loop")

    @app.get("/gzip")
    async def gzip():
        return Response(b"nope", headers={"content-encoding": "gzip"})
"""
TESTS = """
    import pytest

    def fails(request):
        raise ZeroDivisionError("the user's")

    async def pieces():
        yield b"a"

    WRONG = [
        lambda noblock: noblock.get(None),
        lambda noblock: noblock.request("get x", "/"),
        lambda noblock: noblock.post("/", content=5),
        lambda noblock: noblock.get("/", timeout=float("inf")),
        lambda noblock: noblock.get("/", max_block="9" * 400 + " s"),
        lambda noblock: noblock.get("/", concurrency=10**9),
        lambda noblock: noblock.get("/", probe=b"/health"),
        lambda noblock: noblock.get("/", auth=fails),
        lambda noblock: noblock.get("/loop", follow_redirects=True),
        lambda noblock: noblock.get("/gzip"),
        lambda noblock: noblock.request("GET", "/", content=pieces()),
    ]

    @pytest.mark.parametrize("number", range(len(WRONG)))
    def test_wrong(noblock, number):
        WRONG[number](noblock)

    def test_right(noblock):
        assert noblock.post("/", content=iter([b"{", b"}"])).status_code == 200
        assert noblock.get("/", timeout=20, concurrency=2).status_code == 200
"""
SENTENCES = """
the URL is of type NoneType: write a path as text, "/report"
method='get x' is not the name of a method: write "GET"
httpx cannot build a POST request of these arguments: TypeError: Unexpected type for 'content', <class 'int'>
timeout=inf is not a positive number of seconds, 86400 at most
is longer than a day: write a duration of at most 86400 s
concurrency=1000000000 is more than 10000, which one event loop can send
b'/health' is not a path or a list of paths: write "/health"
GET / cannot be sent: ZeroDivisionError: the user's: nothing was measured
GET /loop was redirected again and again, without an end: follow_redirects=False gives the first answer
GET /gzip was answered with a body that cannot be decoded: Error -3
the content is an async iterator, which can be read only once, and the request is sent again: give bytes
""".strip().splitlines()


def test_each_request_that_is_wrong_fails_its_test_with_one_sentence(run, shop, refused):
    shop.makepyfile(api=API)
    result = run(TESTS, app="api:app")
    result.assert_outcomes(failed=11, passed=1)
    refused(result, *SENTENCES)


@pytest.mark.one_python
@pytest.mark.parametrize(
    ("ini", "sentence"),
    [
        ("noblock = maybe", "noblock: invalid truth value 'maybe'"),
        ('noblock_probe = "/health', "noblock_probe: No closing quotation"),
        ("verbosity_noblock = loud", "verbosity_noblock: 'loud' is neither a whole number, as 2 for -vv, nor \"auto\""),
        ("noblock_linger = -1 s", "linger: '-1 s' is not a duration"),
    ],
)
def test_an_ini_file_that_is_wrong_ends_the_run_with_one_sentence(shop, refused, ini, sentence):
    shop.makeini(f"[pytest]\n{ini}\n")
    shop.makepyfile(test_it="def test_it(): pass")
    result = shop.runpytest()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    refused(result, sentence)
