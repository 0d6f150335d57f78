"""The call that a line makes, in drivers that a unit test does without: their names, however they were reached."""

import dis
import pathlib
import types
from collections.abc import Callable

import pytest

from pytest_noblock.calls.names import called

requests = pytest.importorskip("requests")
psycopg = pytest.importorskip("psycopg")
extensions = pytest.importorskip("psycopg2.extensions")
redis = pytest.importorskip("redis")
asynchronous = pytest.importorskip("redis.asyncio")
concurrency = pytest.importorskip("starlette.concurrency")


class Cache(asynchronous.Redis): ...


def make_late() -> "redis.Redis":
    return redis.Redis()


@pytest.fixture
def namespace() -> dict[str, object]:
    session = requests.Session()
    return {
        "__name__": "app.main",
        "requests": requests,
        "r": requests,
        "get": requests.get,
        "session": session,
        "bound": session.get,
        "redis": redis,
        "cache": redis.Redis(),
        "acache": asynchronous.Redis(),
        "amine": Cache(),
        "make_late": make_late,
        "psycopg": psycopg,
        "pg": extensions.cursor.__new__(extensions.cursor),
        "run_in_threadpool": concurrency.run_in_threadpool,
    }


@pytest.fixture
def endpoint(tmp_path: pathlib.Path) -> Callable[[str], types.CodeType]:
    """The code of an endpoint that consists of one line, the second of its file."""

    def compiled(line: str) -> types.CodeType:
        file = tmp_path / "endpoint.py"
        file.write_text(f"async def endpoint():\n    {line}\n", encoding="utf-8")
        module = compile(file.read_text(encoding="utf-8"), str(file), "exec", dont_inherit=True)
        return next(each for each in module.co_consts if isinstance(each, types.CodeType))

    return compiled


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("requests.get(URL)", "requests.get"),
        ("rates = requests.get(URL).json()", "requests.get"),
        ("r.get(URL)", "requests.get"),
        ("get(URL)", "requests.get"),
        ("requests.api.get(URL)", "requests.get"),
        ("requests.Session().get(URL)", "requests.Session.get"),
        ("requests.sessions.Session().get(URL)", "requests.Session.get"),
        ("session.get(URL)", "requests.Session.get"),
        ("bound(URL)", "requests.Session.get"),
        ("await run_in_threadpool(requests.get, URL)", "requests.get"),
        ("redis.Redis().get('key')", "redis.Redis.get"),
        ("redis.Redis.from_url(URL)", "redis.Redis.from_url"),
        ("redis.StrictRedis()", "redis.StrictRedis"),
        ("cache.get('key')", "redis.Redis.get"),
        ("acache.get('key')", "redis.asyncio.Redis.get"),
        ("amine.get('key')", "amine.get"),
        ("make_late().get('key')", "redis.Redis.get"),
        ("psycopg.connect(URL)", "psycopg.connect"),
        ("psycopg.connect(URL).execute('select 1')", "psycopg.connect"),
        ("psycopg.Connection.connect(URL)", "psycopg.Connection.connect"),
        ("pg.execute('select 1')", "psycopg2.extensions.cursor.execute"),
        ("for row in pg: pass", "psycopg2.extensions.cursor.__next__"),
    ],
)
def test_the_call_of_a_line(
    namespace: dict[str, object], endpoint: Callable[[str], types.CodeType], line: str, name: str
) -> None:
    assert called(endpoint(line), 2, namespace) == name


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("requests.get(a).json()", "requests.Response.json"),
        ("psycopg.connect(a).execute(b)", "psycopg.Connection.execute"),
    ],
)
def test_the_last_call_of_a_line_is_named_by_what_the_one_before_returns(
    namespace: dict[str, object], endpoint: Callable[[str], types.CodeType], line: str, name: str
) -> None:
    code = endpoint(line)
    calls = [each.offset for each in dis.get_instructions(code) if each.opname == "CALL"]
    assert called(code, 2, namespace, calls[-1]) == name
