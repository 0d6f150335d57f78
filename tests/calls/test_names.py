"""The call that a line or an instruction makes, by the name people know."""

import ast
import asyncio
import concurrent.futures
import contextlib
import dis
import functools
import hashlib
import io
import json.encoder
import os
import pathlib
import queue
import socket
import sqlite3
import subprocess
import sys
import textwrap
import threading
import time
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from unittest import mock

import httpx
import pytest

from pytest_noblock.calls.names import called, own_name, source_line

Write = Callable[[str], types.CodeType]


def line_of(code: types.CodeType, text: str) -> int:
    lines = pathlib.Path(code.co_filename).read_text(encoding="utf-8").splitlines()
    return next(number for number, line in enumerate(lines, 1) if text in line)


def call_at(code: types.CodeType, text: str) -> int:
    """The offset of the instruction that makes the call written as `text`, wherever it is nested."""
    source = pathlib.Path(code.co_filename).read_text(encoding="utf-8")
    spans = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call) and _is(node, source, text)]
    end = (spans[0].end_lineno, spans[0].end_col_offset)
    places = list(code.co_positions())
    offsets = [each.offset for each in dis.get_instructions(code) if each.opname.startswith("CALL")]
    return next(offset for offset in offsets if (places[offset // 2][1], places[offset // 2][3]) == end)


def _is(node: ast.Call, source: str, text: str) -> bool:
    return ast.get_source_segment(source, node) == text


def function_in(code: types.CodeType, name: str) -> types.CodeType:
    return next(each for each in code.co_consts if isinstance(each, types.CodeType) and each.co_name == name)


class Repository:
    """A class of the user's."""

    def __init__(self) -> None:
        self.client = httpx.Client()
        self.fetch = httpx.get

    def load(self) -> None: ...

    @property
    def trap(self) -> None:
        pytest.fail("a property of the user's was read")


class Slotted:
    __slots__ = ("client", "unset")

    def __init__(self) -> None:
        self.client = httpx.Client()

    def close(self) -> None:
        self.client.close()

    def get(self) -> None: ...


class Client(httpx.Client):
    """A subclass of the user's, with a method of its own."""

    def rates(self) -> None: ...


class AsyncClient(httpx.AsyncClient): ...


def make_client() -> httpx.Client:
    return httpx.Client()


def make_late() -> "httpx.Client":
    return httpx.Client()


def helper() -> None: ...


@pytest.fixture(scope="module")
def namespace() -> Iterator[dict[str, object]]:
    """The locals and globals of an endpoint that has a bit of everything."""
    with contextlib.ExitStack() as stack:
        connection = stack.enter_context(contextlib.closing(sqlite3.connect(":memory:")))
        sock = stack.enter_context(socket.socket())
        kinds = (httpx.Client, Client, Slotted)
        clients = [stack.enter_context(contextlib.closing(make())) for make in kinds]
        yield {
            "__name__": "app.main",
            "httpx": httpx,
            "h": httpx,
            "get": httpx.get,
            "time": time,
            "nap": time.sleep,
            "hashlib": hashlib,
            "sha256": hashlib.sha256,
            "pbkdf2_hmac": hashlib.pbkdf2_hmac,
            "os": os,
            "exists": os.path.exists,
            "threading": threading,
            "Lock": threading.Lock,
            "lock": threading.Lock(),
            "rlock": threading.RLock(),
            "condition": threading.Condition(),
            "event": threading.Event(),
            "jobs": queue.Queue(),
            "simple": queue.SimpleQueue(),
            "sqlite3": sqlite3,
            "connection": connection,
            "cursor": connection.cursor(),
            "execute": connection.execute,
            "client": clients[0],
            "mine": clients[1],
            "slotted": clients[2],
            "bound": clients[0].get,
            "aclient": httpx.AsyncClient(),
            "amine": AsyncClient(),
            "future": concurrent.futures.Future(),
            "sock": sock,
            "socket": socket,
            "child": subprocess.Popen.__new__(subprocess.Popen),
            "path": pathlib.Path("rates.txt"),
            "Path": pathlib.Path,
            "buffer": io.BytesIO(),
            "repository": Repository(),
            "make_client": make_client,
            "make_late": make_late,
            "helper": helper,
            "functools": functools,
            "partial": functools.partial(httpx.get, "http://example.org"),
            "mocked": mock.MagicMock(),
            "rows": [1],
        }


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("httpx.get(URL)", "httpx.get"),
        ("rates = httpx.get(URL).json()", "httpx.get"),
        ("h.get(URL)", "httpx.get"),
        ("get(URL)", "httpx.get"),
        ("httpx.Client().get(URL)", "httpx.Client.get"),
        ("time.sleep(0.3)", "time.sleep"),
        ("nap(1)", "time.sleep"),
        ("hashlib.pbkdf2_hmac('sha256', b'', b'', 1)", "hashlib.pbkdf2_hmac"),
        ("pbkdf2_hmac('sha256', b'', b'', 1)", "hashlib.pbkdf2_hmac"),
        ("sha256(b'').hexdigest()", "hashlib.sha256"),
        ("os.fsync(1)", "os.fsync"),
        ("os.path.exists(p)", "os.path.exists"),
        ("exists(p)", "os.path.exists"),
        ("lock.acquire()", "threading.Lock.acquire"),
        ("rlock.acquire()", "threading.RLock.acquire"),
        ("threading.Lock()", "threading.Lock"),
        ("Lock()", "threading.Lock"),
        ("event.wait()", "threading.Event.wait"),
        ("jobs.get()", "queue.Queue.get"),
        ("simple.get()", "queue.SimpleQueue.get"),
        ("connection.execute('select 1')", "sqlite3.Connection.execute"),
        ("cursor.fetchall()", "sqlite3.Cursor.fetchall"),
        ("sqlite3.connect(p).execute('select 1')", "sqlite3.connect"),
        ("client.get(URL)", "httpx.Client.get"),
        ("aclient.get(URL)", "httpx.AsyncClient.get"),
        ("client.made.up.get(URL)", "httpx.Client.made.up.get"),
        ("client['made'].up.get(URL)", "httpx.Client.up.get"),
        ("aclient.made.up.get(URL)", "httpx.AsyncClient.made.up.get"),
        ("repository.made.up.get(URL)", "repository.made.up.get"),
        ("time.made.up.get(URL)", "time.made.up.get"),
        ("future.result()", "concurrent.futures.Future.result"),
        ("sock.recv(1)", "socket.socket.recv"),
        ("socket.gethostbyname('a')", "socket.gethostbyname"),
        ("path.read_text()", "pathlib.Path.read_text"),
        ("Path('a').read_text()", "pathlib.Path.read_text"),
        ("(path / 'a' / name).read_bytes()", "pathlib.Path.read_bytes"),
        ("buffer.read()", "io.BytesIO.read"),
        ("child.stdout.read()", "subprocess.Popen.stdout.read"),
        ("for row in child.stdout: pass", "subprocess.Popen.stdout.__next__"),
        ("for row in sys.stdout: pass", None),
        ("open(p)", "open"),
        ("with open(p) as f: f.read()", "open"),
        ("x = [httpx.get(u) for u in urls]", "httpx.get"),
        ("x = sorted(client.get(u) for u in urls)", "httpx.Client.get"),
        ("sorted(rows)", "sorted"),
        ("total = sum(i * i for i in range(n))", "sum"),
        ("total = sum([i * i for i in range(n)])", "sum"),
        ("text = ', '.join(str(i) for i in rows)", "str.join"),
        ("f'{x}'.encode()", "str.encode"),
        ("rows.sort()", "list.sort"),
        ("int(x)", "int"),
        ("build(int(x))", "build"),
        ("build(load(x))", "load"),
        ("build(httpx.get(x))", "httpx.get"),
        ("f(sqlite3.connect(p), httpx.get(u))", "httpx.get"),
        ("repository.load()", "repository.load"),
        ("repository.client.get(URL)", "httpx.Client.get"),
        ("repository.fetch(URL)", "httpx.get"),
        ("repository.trap.get(URL)", "repository.trap.get"),
        ("slotted.client.get(URL)", "httpx.Client.get"),
        ("slotted.unset.get(URL)", "slotted.unset.get"),
        ("mine.get(URL)", "httpx.Client.get"),
        ("mine.rates()", "mine.rates"),
        ("amine.get(URL)", "amine.get"),
        ("helper()", "helper"),
        ("unknown.fetch(URL)", "unknown.fetch"),
        ("unknown.pool.fetch(URL).rows()", "unknown.pool.fetch"),
        ("clients[0].get(URL)", "clients[...].get"),
        ("(a or b).get(URL)", "get"),
        ("make_client().get(URL)", "httpx.Client.get"),
        ("make_late().get(URL)", "httpx.Client.get"),
        ("partial()", "httpx.get"),
        ("bound(URL)", "httpx.Client.get"),
        ("execute('select 1')", "sqlite3.Connection.execute"),
        ("mocked.get(URL)", "unittest.mock.MagicMock.get"),
        ("x = await asyncio_to_thread(1)", "asyncio_to_thread"),
        ("with lock: pass", "threading.Lock.acquire"),
        ("with condition: pass", "threading.Condition.acquire"),
        ("with unknown: pass", None),
        ("for row in cursor: pass", "sqlite3.Cursor.__next__"),
        ("for row in rows: pass", None),
        ("for i in range(n): total += i", None),  # the loop computes, and not what it counts by
        ("x = a * b", None),
        ("pass", None),
        ("handlers[0](1)", "handlers[...]"),
        ("(lambda: 1)()", None),
        ("@httpx.get(URL)\nclass A: pass", "httpx.get"),
        ("if httpx.get(URL): pass", "httpx.get"),
        ("del rows", None),
    ],
)
def test_the_call_of_a_line(namespace: dict[str, object], write: Write, line: str, name: str | None) -> None:
    code = write("async def endpoint():\n" + textwrap.indent(line, "    "))

    assert called(function_in(code, "endpoint"), 2, namespace) == name


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("asyncio.to_thread(json.dumps, rows)", "json.dumps"),
        ("asyncio.to_thread(helper)", "helper"),
        ("asyncio.to_thread(functools.partial(httpx.get, URL))", "httpx.get"),
        ("asyncio.to_thread(lambda: 1)", "asyncio.to_thread"),
        ("asyncio.to_thread(lambda: httpx.get(URL))", "httpx.get"),
        ("anyio.to_thread.run_sync(client.get, URL)", "httpx.Client.get"),
        ("loop.run_in_executor(None, time.sleep, 1)", "time.sleep"),
        ("asyncio.get_running_loop().run_in_executor(None, time.sleep, 1)", "time.sleep"),
        ("asyncio.sleep(1)", "asyncio.sleep"),
    ],
)
def test_what_is_handed_to_a_thread_is_named_for_what_it_is(
    namespace: dict[str, object], write: Write, line: str, name: str
) -> None:
    code = write(f"async def endpoint():\n    x = await {line}")
    imports: dict[str, object] = {}
    exec("import asyncio, json, anyio.to_thread", imports)

    assert called(function_in(code, "endpoint"), 2, namespace, variables=imports) == name


@pytest.mark.parametrize(
    ("marker", "name"),
    [
        ("# rates", "httpx.get"),
        ("# url", "httpx.get"),
        ("# timeout", "httpx.get"),
        ("# first", "httpx.get"),
        ("# second", "time.sleep"),
        ("# query", "sqlite3.Connection.execute"),
        ("# fetch", "fetchall"),
        ("# header", "open"),
        ("# plain", None),
        ("# caught", "helper"),
        ("# case", "len"),
        ("# one line", "time.sleep"),
    ],
)
def test_a_statement_over_several_lines(
    namespace: dict[str, object], write: Write, marker: str, name: str | None
) -> None:
    code = write(
        """
        def endpoint():
            rates = httpx.get(  # rates
                URL,  # url
                timeout=1,  # timeout
            )
            both = build(
                httpx.get(URL),  # first
                time.sleep(1),  # second
            )
            rows = (
                connection
                .execute("select 1")  # query
                .fetchall()  # fetch
            )
            with open(  # header
                p,
            ) as f:
                x = 1  # plain
            try:
                pass
            except helper():  # caught
                pass
            match x:
                case 1 if len(x):  # case
                    pass
            if x: time.sleep(1)  # one line
        """
    )

    found = called(function_in(code, "endpoint"), line_of(code, marker), namespace)

    assert found == name or (name == "fetchall" and found == "sqlite3.Connection.execute().fetchall")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("httpx.get(a)", "httpx.get"),
        ("httpx.get(a).json()", "httpx.Response.json"),
        ("build(httpx.get(a).json())", "build"),
        ("client.get(b)", "httpx.Client.get"),
        ("build(client.get(b), *c, **d)", "build"),
        ('connection\n    .execute("é")', "sqlite3.Connection.execute"),
        ('connection\n    .execute("é")\n    .fetchall()', "sqlite3.Connection.execute().fetchall"),
        ("open(p)", "open"),
        ("f.read()", "io.TextIOWrapper.read"),
    ],
)
def test_the_instruction_tells_calls_of_one_line_apart(
    namespace: dict[str, object], write: Write, text: str, name: str
) -> None:
    code = write(
        """
        build(httpx.get(a).json()); build(client.get(b), *c, **d)
        rows = (
            connection
            .execute("é")
            .fetchall())
        with open(p) as f: f.read()
        """
    )
    with pathlib.Path(__file__).open(encoding="utf-8") as file:
        names = {**namespace, "f": file}

        assert called(code, 1, names, call_at(code, text)) == name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("for i in range(3): pass", None),
        ("for line in open(p): pass", "open"),
        ("for row in cursor: pass", "sqlite3.Cursor.__next__"),
        ("for row in rows: pass", None),
    ],
)
def test_a_loop_that_fetches_its_next_item(
    namespace: dict[str, object], write: Write, text: str, name: str | None
) -> None:
    code = write(text)
    offset = next(each.offset for each in dis.get_instructions(code) if each.opname == "FOR_ITER")

    assert called(code, 1, namespace, offset) == name


def test_a_generator_expression_that_fetches_its_next_item(namespace: dict[str, object], write: Write) -> None:
    code = function_in(write("sum(i * i for i in range(3))"), "<genexpr>")
    offset = next(each.offset for each in dis.get_instructions(code) if each.opname == "FOR_ITER")

    assert called(code, 1, namespace, offset) == "sum"
    assert called(code, 1, namespace) == "sum"


def test_code_without_columns_is_named_by_its_line(namespace: dict[str, object], write: Write) -> None:
    code = write("httpx.get(1)")
    offset = call_at(code, "httpx.get(1)")

    assert called(code.replace(co_linetable=b""), 1, namespace, offset) == "httpx.get"


class Spy:
    """Called by the code under test; asks for the name of its own call."""

    def __init__(self) -> None:
        self.names: list[str | None] = []

    def __call__(self, *_: object, **__: object) -> int:
        return self.note(sys._getframe(1))

    def note(self, frame: types.FrameType) -> int:
        name = called(frame.f_code, frame.f_lineno, frame.f_globals, frame.f_lasti, variables=frame.f_locals)
        self.names.append(name)
        return 1

    __enter__ = __next__ = __call__

    def __exit__(self, *_: object) -> None: ...

    def __iter__(self) -> "Spy":
        return self

    def __add__(self, _: object) -> int:
        return self.note(sys._getframe(1))


def run(code: types.CodeType, **names: Any) -> list[str | None]:
    spy = Spy()
    exec(code, {"spy": spy, "__name__": "app.main", **names})
    return spy.names


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("spy()", ["spy"]),
        ("len([spy()])", ["spy"]),
        ("[spy() for _ in (1, 2)]", ["spy", "spy"]),
        ("sum(spy() for _ in (1,))", ["spy"]),
        ("sorted((1,), key=lambda x: spy(x))", ["spy"]),
        ("spy(*(1,), **{})", ["spy"]),
        ("spy(\n    1,\n    k=2,\n)", ["spy"]),
        ("with spy: pass", [None]),
        ("x = spy + 1", [None]),
        ("sorted((1,), key=lambda x: spy + x)", ["sorted"]),
        ("sum(spy + x for x in (1,))", ["sum"]),
        ("def f(x=spy()):\n    return spy(x)\nf()", ["spy", "spy"]),
        ("@spy\ndef f(): pass", [None]),
        ("class A(metaclass=lambda *a: spy()):\n    pass", ["spy"]),
        ("import sys; spy(); x = spy()", ["spy", "spy"]),
        ("async def f():\n    return spy()\ntry:\n    f().send(None)\nexcept StopIteration: pass", ["spy"]),
    ],
)
def test_the_running_instruction(write: Write, text: str, names: list[str | None]) -> None:
    assert run(write(text)) == names


def test_a_rewritten_assert_is_named_by_its_calls(write: Write, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sys
        from pytest_noblock.calls.names import called

        class Spy:
            def __call__(self, *args):
                frame = sys._getframe(1)
                return called(frame.f_code, frame.f_lineno, {**frame.f_globals, **frame.f_locals}, frame.f_lasti)

        def test_it():
            spy = Spy()
            assert spy(1) == "spy", "told apart from its assert"
        """
    )

    pytester.runpytest_inprocess("-p", "no:cacheprovider").assert_outcomes(passed=1)


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="comprehensions run in the frame around them since 3.12")
def test_a_comprehension_that_computes_is_named_by_what_consumes_it(write: Write) -> None:
    assert run(write("sorted([spy + x for x in (1,)])")) == ["sorted"]


def test_the_callers_line_of_a_def_is_not_the_functions_own(namespace: dict[str, object], write: Write) -> None:
    code = write("@httpx.get(URL)\ndef endpoint(db=time.sleep(1)):\n    pass")
    function = function_in(code, "endpoint")

    assert called(function, 1, namespace) is None
    assert called(function, 2, namespace) is None
    assert called(function, 2, namespace, 0) is None
    assert called(code, 1, namespace) == "httpx.get"


def test_a_super_call_is_named_by_the_base(namespace: dict[str, object], write: Write) -> None:
    code = write("def get(self):\n    return super().get(1)")

    assert called(function_in(code, "get"), 2, {**namespace, "__class__": Client}) == "httpx.Client.get"


def test_names_are_taken_from_the_frames_own_package_as_written(namespace: dict[str, object], write: Write) -> None:
    code = write("def endpoint():\n    return httpx.get(1)")
    own: Mapping[str, object] = {**namespace, "__name__": "httpx._client"}
    module = types.ModuleType("app.helpers")
    vars(module)["build"] = helper

    assert called(function_in(code, "endpoint"), 2, own) == "httpx.get"
    code = write("helpers.build()")
    assert called(code, 1, {"helpers": module}) == "helpers.build"


def test_what_a_mock_replaces_keeps_its_name(namespace: dict[str, object], write: Write) -> None:
    code = write("httpx.get(1)")

    with mock.patch("httpx.get"):
        assert called(code, 1, namespace) == "httpx.get"


HOSTILE = """
import types

class Hostile:
    def __getattribute__(self, name): raise ZeroDivisionError(name)
    __eq__ = __call__ = __enter__ = __iter__ = __bool__ = lambda *_: 1 / 0
    __hash__ = None

class Type(type):
    def __getattribute__(cls, name): raise ZeroDivisionError(name)
    __eq__ = __call__ = __instancecheck__ = __subclasscheck__ = lambda *_: 1 / 0
    __hash__ = None

class Module(types.ModuleType):
    def __getattribute__(self, name): raise ZeroDivisionError(name)

class Property:
    __slots__ = ()
    __class__ = __dict__ = client = property(lambda _: 1 / 0)

class Named:
    __module__ = __qualname__ = property(lambda _: 1 / 0) if False else "x"
    __getattr__ = lambda *_: 1 / 0

Class = Type("Class", (), {"__module__": 7})
of_class = object.__new__(Class)
nameless = eval('type("Nameless", (), {})', {})
things = [Hostile(), Class, of_class, Module("hostile"), Property(), Named(), nameless, nameless()]
"""


@pytest.mark.parametrize(
    "line",
    [
        "thing()",
        "thing.get()",
        "thing.client.get()",
        "thing().get()",
        "(thing / 1).get()",
        "thing[0].get()",
        "to_thread(thing)",
        "with thing: pass",
        "for x in thing: pass",
    ],
)
def test_nothing_of_the_users_runs(write: Write, line: str) -> None:
    hostile: dict[str, Any] = {"__name__": "app.hostile"}
    exec(HOSTILE, hostile)

    for thing in hostile["things"]:
        called(write(line), 1, {"thing": thing, "module": types.ModuleType("m")})


class HostileMapping(dict[str, object]):
    def __getitem__(self, key: str) -> object:
        raise OSError(key)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("f()", 0),
        ("f()", 7),
        ("f()", -1),
        ("f(", 1),
        ("f()\0", 1),
        ("", 1),
        ("x" + ".y()" * 3000, 1),
        ("(" * 150 + "f()" + ")" * 150, 1),
        ("match = 1; f(match)", 1),
    ],
)
def test_sources_that_do_not_fit_the_code_do_not_raise(tmp_path: pathlib.Path, text: str, line: int) -> None:
    file = tmp_path / "other.py"
    file.write_text(text)
    code = compile("g()", str(file), "exec")

    for lasti in (None, 0, 2, 3, 10_000, -1):
        called(code, line, {}, lasti)


@pytest.mark.parametrize("file", ["<string>", "", "missing.py", "a\0b", "\ud800.py", ".", "x" * 5000])
def test_code_without_a_source_calls_nothing_known(file: str) -> None:
    code = compile("f()", "name", "exec").replace(co_filename=file)

    assert called(code, 1, {}) is None
    assert called(code, 1, {}, 2) is None
    assert source_line(file, 1) is None


def test_a_namespace_that_raises_is_no_namespace(namespace: dict[str, object], write: Write) -> None:
    assert called(write("f()"), 1, HostileMapping()) == "f"


def test_a_source_that_is_not_text_is_no_source(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "binary.py"
    file.write_bytes(b"\xff\xfe\x00f()")

    assert called(compile("f()", str(file), "exec"), 1, {}) is None
    assert source_line(str(file), 1) is None


def test_a_changed_file_is_read_again(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "app.py"
    file.write_text("first()\n")
    code = compile("pass", str(file), "exec")
    assert called(code, 1, {}) == "first"

    file.write_text("another()\n")

    assert called(code, 1, {}) == "another"
    assert source_line(str(file), 1) == "another()"


def test_a_stray_escape_warns_nobody(
    namespace: dict[str, object], write: Write, recwarn: pytest.WarningsRecorder
) -> None:
    file = pathlib.Path(write("pass").co_filename)
    file.write_text(
        r"""f("\d", r"\d\\", "\\", '\'', "\N{EM DASH}é\é", "\
"); time.sleep(1)
""",
        encoding="utf-8",
    )
    code = compile("pass", str(file), "exec")

    assert called(code, 2, namespace) == "time.sleep"
    assert not recwarn.list


def test_a_source_line_comes_without_its_indentation(write: Write) -> None:
    code = write("if 1:\n\n    x = 1  # kept\n")

    assert source_line(code.co_filename, 3) == "x = 1  # kept"
    assert source_line(code.co_filename, 2) is None
    assert source_line(code.co_filename, 4) is None
    assert source_line(code.co_filename, 0) is None


def test_nothing_is_imported(write: Write) -> None:
    before = set(sys.modules)

    called(write("import colorsys; colorsys.rgb_to_hls(1)"), 1, {})

    assert set(sys.modules) == before


def test_a_call_of_python_code_is_named_while_it_runs() -> None:
    """CPython 3.11 and 3.12 stand in the instruction's cache slots then."""
    seen: list[str | None] = []

    def look() -> None:
        frame = sys._getframe(1)
        seen.append(called(frame.f_code, frame.f_lineno, {**frame.f_globals, **frame.f_locals}, frame.f_lasti))

    def outer() -> None:
        look()

    for _ in range(20):
        outer()
    assert set(seen) == {"look"}


def test_a_coroutine_that_waits_is_named_by_what_it_awaits():
    """CPython up to 3.12 stands at YIELD_VALUE then, 3.13 at the RESUME behind it."""

    async def other():
        await asyncio.sleep(0)

    async def waits():
        await asyncio.sleep(0) if waits else await other()

    waiting = waits()
    waiting.send(None)
    frame = waiting.cr_frame
    assert called(frame.f_code, frame.f_lineno, {**globals(), **frame.f_locals}, frame.f_lasti) == "asyncio.sleep"
    waiting.close()


def test_a_function_is_named_by_its_own_public_name():
    scope = vars(json.encoder)
    assert own_name(json.JSONEncoder.encode.__code__, scope) == "json.JSONEncoder.encode"
    assert own_name(json.JSONEncoder.__init__.__code__, scope) == "json.JSONEncoder"
    assert own_name(json.encoder._make_iterencode.__code__, scope) is None
    assert own_name((lambda: None).__code__, {}) is None


@pytest.mark.parametrize(
    ("line", "below", "name"),
    [
        ("tokens.get()", "multiprocessing.Queue.get", "multiprocessing.Queue.get"),  # a local: nobody knows what it is
        ("author.books", "sqlalchemy.orm.Query.one", "sqlalchemy.orm.Query.one"),  # no call in the source
        ("next(tokens)", "multiprocessing.Queue.get", "multiprocessing.Queue.get"),
        ("httpx.get(URL)", "httpx.request", "httpx.get"),  # the object is known, and its name says more
        ("tokens.get()", "contextlib.ExitStack.pop_all", "tokens.get"),  # on the way to anything
        ("tokens.get()", "starlette.routing.Router.app", "tokens.get"),
        ("wait.join()", "threading.Thread.join", "threading.Thread.join"),  # on the way, and known to wait
        ("next(tokens)", "shop.tokens", "next"),
    ],
)
def test_the_frame_below_names_what_the_source_does_not(
    namespace: dict[str, object], write: Write, line: str, below: str, name: str
) -> None:
    code = write(f"def endpoint():\n    x = {line}")

    assert called(function_in(code, "endpoint"), 2, namespace, below=below) == name
    assert called(function_in(code, "endpoint"), 2, namespace) != below


LOCALS = """
    def factory():
        lock = threading.Lock()
        opened = sqlite3.connect("x") if lock else None

        def endpoint(given):
            with httpx.Client() as client:
                client.get(URL)  # with
            lock.acquire()  # closure
            given.acquire()  # parameter
            twice = httpx.Client()
            twice = other
            twice.get(URL)  # twice
            row = row.next()
            row.next()  # itself
            mine = compute()
            mine.save()  # users
            other = pathlib.Path("x")
            other.read_text()  # class
"""


@pytest.mark.parametrize(
    ("marker", "name"),
    [
        ("# with", "httpx.Client.get"),
        ("# closure", "threading.Lock().acquire"),
        ("# parameter", "given.acquire"),
        ("# twice", "twice.get"),
        ("# itself", "row.next"),
        ("# users", "mine.save"),
        ("# class", "pathlib.Path.read_text"),
    ],
)
def test_a_local_of_another_thread_is_what_the_source_binds_to_it(write: Write, marker: str, name: str) -> None:
    """The watchdog sees a running frame, and may not read its variables."""
    code = write(LOCALS)
    imports: dict[str, object] = {"threading": threading, "sqlite3": sqlite3, "httpx": httpx, "pathlib": pathlib}

    found = called(function_in(function_in(code, "factory"), "endpoint"), line_of(code, marker), imports)

    assert found in (name, name.replace("()", ""))  # threading.Lock is a class from 3.13 on


def in_function(write: Write, body: str, *, parameters: str = "", name: str | None = None) -> types.CodeType:
    """The code of a function of this body, which begins in line 2; with `name`: of the code of that name in it."""
    code = function_in(write(f"def endpoint({parameters}):\n" + textwrap.indent(body, "    ")), "endpoint")
    return code if name is None else function_in(code, name)


def last_line_of(code: types.CodeType) -> int:
    return max(line for *_, line in code.co_lines() if line is not None)


GLOBALS: dict[str, object] = {"__name__": "app.main", "f": sys.stdout, "time": time, "lock": threading.Lock()}
"""Of the module, where `f` is a text file."""


@pytest.mark.every_python
@pytest.mark.parametrize(
    ("body", "parameters", "name"),
    [
        ("f.read()", "", "io.TextIOWrapper.read"),  # the global one
        ("with open(p, 'rb') as f:\n    f.read()", "", "io.BufferedReader.read"),
        ("with open(p, mode='wb') as f:\n    f.write(b'')", "", "io.BufferedWriter.write"),
        ("with open(p) as f:\n    f.read()", "", "io.TextIOWrapper.read"),
        ("with open(p, mode) as f:\n    f.read()", "", "open().read"),  # the mode is not known
        ("f = pick()\nf.read()", "", "f.read"),
        ("f.read()", "f", "f.read"),
        ("f.read()", "*f", "f.read"),
        ("f = open(p, 'rb')\nf = pick(f)\nf.read()", "", "f.read"),  # bound twice
        ("f = threading.Lock()\nfor f in files:\n    pass\nf.read()", "", "f.read"),
        ("f = threading.Event()\nx = [f for f in files]\nf.wait()", "", "threading.Event.wait"),
        ("global f\nf.read()", "", "io.TextIOWrapper.read"),
        ("global f\nf = f.read()", "", "f.read"),  # who reads it later sees another object
        ("from time import sleep as lock\nlock(1)", "", "time.sleep"),
        ("import queue as lock\nlock.Queue()", "", "queue.Queue"),
        ("import os.path\nos.listdir()", "", "os.listdir"),
        ("from . import missing as lock\nlock(1)", "", "lock"),
        ("try:\n    pass\nexcept OSError as lock:\n    lock.acquire()", "", "lock.acquire"),
        ("def lock():\n    pass\nlock.acquire()", "", "lock.acquire"),
    ],
)
def test_a_look_of_another_thread_reads_no_global_for_a_local(
    write: Write, body: str, parameters: str, name: str
) -> None:
    code = in_function(write, body, parameters=parameters)
    names = {**GLOBALS, "threading": threading}
    last = last_line_of(code)
    calls = [at for at, (line, *_) in enumerate(code.co_positions()) if line == last]
    offset = next(2 * at for at in calls if dis.opname[code.co_code[2 * at]] == "CALL")

    assert called(code, last, names, offset) == name


@pytest.mark.parametrize(
    ("body", "inner", "name"),
    [
        ("f = pick()\nreturn lambda: f.read()", "<lambda>", "f.read"),  # a closure's
        ("return lambda f: f.read()", "<lambda>", "f.read"),
        ("return lambda f, g=f.read(): f", None, "io.TextIOWrapper.read"),  # a default is read outside
        ("return max(f.read() for f in files)", "<genexpr>", "f.read"),
        ("return max(f.read() for f in files)", None, "max"),
        ("return max(x for x in f.read())", None, "io.TextIOWrapper.read"),
        ("return [f.read() for f in files]", None, "f.read"),
        ("f = pick()\nreturn f.read(x for x in rows)", "<genexpr>", "f.read"),  # the function's, which it does not have
    ],
)
def test_a_part_of_a_line_has_names_of_its_own(write: Write, body: str, inner: str | None, name: str) -> None:
    code = in_function(write, body, name=inner)

    assert called(code, last_line_of(code), GLOBALS) == name


def test_a_class_body_has_names_of_its_own(write: Write) -> None:
    code = in_function(write, "class Files:\n    f.read()\n    f = pick()\n    f.read()\n", name="Files")

    assert called(code, 3, GLOBALS) == called(code, 5, GLOBALS) == "f.read"
    with pathlib.Path(os.devnull).open("rb") as file:
        assert called(code, 3, GLOBALS, variables={}) == "io.TextIOWrapper.read"
        assert called(code, 5, GLOBALS, variables={"f": file}) == "io.BufferedReader.read"


@pytest.mark.parametrize(
    ("body", "known", "unknown"),
    [
        ("f.readline()", "socket.socket.makefile().readline", "socket.socket.makefile().readline"),
        ("for row in f: pass", "socket.socket.makefile().__next__", "socket.SocketIO.readinto"),
        ("json.load(f)", "json.load", "json.load"),
    ],
)
def test_a_file_that_a_socket_fills_is_no_file_of_the_disk(write: Write, body: str, known: str, unknown: str) -> None:
    code = in_function(write, body, parameters="f")
    for file in (io.BufferedRWPair(io.BytesIO(), io.BytesIO()), io.TextIOWrapper(io.BytesIO())):
        assert called(code, 2, GLOBALS, below="socket.SocketIO.readinto", variables={"f": file}) == known
        assert "socket" not in str(called(code, 2, GLOBALS, below="gzip.GzipFile.read", variables={"f": file}))
    assert called(code, 2, GLOBALS, below="socket.SocketIO.readinto") == unknown


def test_a_name_that_its_line_binds_anew_is_another_object_after_the_line(write: Write) -> None:
    code = in_function(write, "f = f.read()", parameters="f")

    assert called(code, 2, GLOBALS, variables={"f": GLOBALS["lock"]}) == "f.read"
    offset = next(each.offset for each in dis.get_instructions(code) if each.opname == "CALL")
    assert called(code, 2, GLOBALS, offset, variables={"f": sys.stdout}) == "io.TextIOWrapper.read"


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("Repository().load(1)", "Repository().load"),
        ("Repository(1).load(2)", "Repository().load"),
        ("find(1)(2)", "find()"),
        ("find(1).load(2)", "find"),  # who knows what it makes, and how long that takes
        ("time.sleep(1).load()", "time.sleep"),
        ("a = [n * n for n in range(9)]", None),
        ("a = max(n * n for n in range(9))", "max"),
        ("a = len([n for n in range(9)])", None),
        ("helper(1); Repository().load(1)", "helper"),
        ("numpy.ones(9) @ numpy.ones(9)", None),  # the operator computes
        ("return float((numpy.ones(9) @ numpy.ones(9))[0, 0])", None),
        ("return float(numpy.ones(9) * 2)", None),
        ("numpy.ones(9 * 9)", "numpy.ones"),
        ("helper(a @ b)", None),
        ("json.dumps(a) + json.dumps(b)", "json.dumps"),
        ("time.sleep(a + b)", "time.sleep"),
        ("helper(1); import slow", None),  # the import may take as long
        ("time.sleep(1); import slow", "time.sleep"),
    ],
)
def test_the_likeliest_call_of_a_line(write: Write, line: str, name: str | None) -> None:
    names = {**GLOBALS, "Repository": Repository, "helper": helper}

    assert called(in_function(write, line), 2, names) == name


@pytest.mark.every_python
@pytest.mark.parametrize(
    "line",
    [
        "sum(spy + x for x in (1,))",
        "sum(x for x in spy)",
        "sum(spy + x for x in (1,)); sum(x for x in ())",
        "max(0, *(spy + x for x in [1])) and min(1, *(x for x in [1]))",
    ],
)
def test_all_of_a_generator_expression_is_named_by_what_consumes_it(write: Write, line: str) -> None:
    """Whichever instruction a look meets."""
    code = write(line)
    inner = function_in(code, "<genexpr>")
    names = {called(inner, 1, {}, each.offset) for each in dis.get_instructions(inner)}

    assert names - {None} == {line.partition("(")[0]}
    assert {called(inner, 1, {}), called(code, 1, {})} == {line.partition("(")[0]}


@pytest.mark.every_python
def test_a_comprehension_is_named_by_what_consumes_it(write: Write) -> None:
    code = in_function(write, "return max([n * n for n in rows])")
    inner = function_in(code, "<listcomp>") if sys.version_info < (3, 12) else code
    offset = next(each.offset for each in dis.get_instructions(inner) if each.opname == "BINARY_OP")

    assert called(inner, 2, {}, offset) == called(code, 2, {}) == "max"


def test_of_two_lambdas_on_a_line_the_one_that_runs_counts(write: Write) -> None:
    code = in_function(write, "a(lambda x: x + 1), b(lambda x: x + 2)")
    inner = [each for each in code.co_consts if isinstance(each, types.CodeType)]
    offsets = [next(at.offset for at in dis.get_instructions(each) if at.opname == "BINARY_OP") for each in inner]

    assert [called(each, 2, {}, at) for each, at in zip(inner, offsets, strict=True)] == ["a", "b"]


@pytest.mark.every_python
@pytest.mark.parametrize(
    ("line", "seen", "name"),
    [
        ("len(json.loads(text))", "len(json.loads(text))", "json.loads"),
        ("isinstance(json.loads(text), dict)", "isinstance(json.loads(text), dict)", "json.loads"),
        ("len(enumerate(json.loads(text)))", "enumerate(json.loads(text))", "json.loads"),
        ("str(json.loads(text))", "str(json.loads(text))", "str"),
        ("len(text)", "len(text)", "len"),
        ("len([n * n for n in range(9)])", "len([n * n for n in range(9)])", "len"),
    ],
)
def test_what_takes_no_time_stands_for_the_argument_that_was_computed_before(
    write: Write, line: str, seen: str, name: str
) -> None:
    code = write(line)

    assert called(code, 1, {"json": json}, call_at(code, seen)) == name
