"""What a statement goes on to do with the answer of a call: literals of statements."""

from pathlib import Path

import pytest

from pytest_noblock.calls.used import used


def use_of(tmp_path: Path, statement: str, call: str) -> str | None:
    source = tmp_path / "shop.py"
    source.write_text(f"async def f():\n    {statement}\n", encoding="utf-8")
    return used(str(source), 2, call)


URLOPEN = "urllib.request.urlopen"


@pytest.mark.parametrize(
    ("statement", "call", "use"),
    [
        ("return urlopen(URL).read()", URLOPEN, "line"),
        ("return s3.get_object(**ORDERS)['Body'].read().decode()", "botocore.client.S3.get_object", "line"),
        ("return json.load(urlopen(URL))", URLOPEN, "line"),
        ("return list(root.rglob('*'))", "pathlib.Path.rglob", "line"),
        ("return [each for each in orders.find()]", "pymongo.collection.Collection.find", "line"),
        ("return cursor.execute(SQL).fetchall()", "psycopg.Cursor.execute", "line"),
        ("return task.delay(1).get(timeout=5)", "celery.Task.delay", "line"),
        ("return print(*orders.find())", "pymongo.collection.Collection.find", "line"),
        ("yield from orders.find()", "pymongo.collection.Collection.find", "awaiting line"),
        ("return urlopen(URL).read() + await size()", URLOPEN, "awaiting line"),
        ("return os.popen('ls').read()", "os.popen().read", "line"),
        ("return subprocess.Popen(LS).wait()", "subprocess.Popen.wait", "line"),
        ("return requests.get(URL, stream=True).json()", "requests.get", "line"),
        ("return requests.get(URL, stream=True).content", "requests.get", None),
        ("for each in os.walk('.'): print(each)", "os.walk", "loop"),
        ("for each in os.walk('.'): await tell(each)", "os.walk", "awaiting loop"),
        ("for each in os.walk('.'): yield each", "os.walk", "awaiting loop"),
        ("for row in cursor: print(row)", "psycopg.Cursor.__next__", "loop"),
        ("for key in cache.scan_iter(): print(key)", "redis.Redis.scan_iter", "loop"),
        ("with urlopen(URL) as answer: print(answer.read())", URLOPEN, "with"),
        ("with closing(urlopen(URL)) as answer: print(answer.read())", URLOPEN, "with"),
        ("with urlopen(URL) as answer: await tell(answer)", URLOPEN, None),
        ("with connection: print(1)", "psycopg.Connection.__enter__", "with"),
        ("return (await to_thread(s3.get_object))['Body'].read()", "botocore.response.StreamingBody.read", "part"),
        ("return clients[0].get('key')", "redis.Redis.get", "part"),
        # what has all of its answer, or is only handed on
        ("answer = urlopen(URL)", URLOPEN, None),
        ("return requests.get(URL).json()", "requests.get", None),
        ("return requests.get(URL, stream=False).json()", "requests.get", None),
        ("for key in cache.keys(): print(key)", "redis.Redis.keys", None),
        ("return hashlib.pbkdf2_hmac('sha256', a, b, 1).hex()", "hashlib.pbkdf2_hmac", None),
        ("return client.fetch(1).get('name')", "shop.Client.fetch", None),
        ("return show(urlopen(URL))", URLOPEN, None),
        ("return await asyncio.to_thread(urlopen, URL)", URLOPEN, None),
        ("with open(NAME, encoding='utf-8'): urlopen(URL)", URLOPEN, None),
        ("if urlopen(URL).read(): await tell()", URLOPEN, "line"),
    ],
)
def test_what_is_done_with_the_answer(tmp_path: Path, statement: str, call: str, use: str | None) -> None:
    assert use_of(tmp_path, statement, call) == use


def test_a_line_without_a_source_says_nothing() -> None:
    assert used("<string>", 1, "os.walk") is None
