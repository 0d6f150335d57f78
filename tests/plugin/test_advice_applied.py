"""Each advice, typed in as it stands, makes the test green: the repaired twins are made from the text of the advice."""

import importlib.util
import json
import re
import shutil
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("graphql")

HERE = Path(__file__).parent
SOURCE = (HERE / "advised_app.py").read_text(encoding="utf-8")
COMPUTING = (HERE / "advised_computing_app.py").read_text(encoding="utf-8")
IN_WORDS = ("smaller pieces", "one PyJWKClient", "httpx.AsyncClient()")
"""How ways begin that say what to do and not what to write: nothing can be typed in as it stands.

To make an `httpx.AsyncClient` takes 20 ms: no endpoint does."""

TESTS = """
import importlib
import pytest
from fastapi.testclient import TestClient

def asked(pairs):
    return pytest.mark.parametrize(("module", "path"), pairs)

@pytest.fixture
def noblock_app(module):
    return importlib.import_module(module).app

@asked({by_fixture})
def test_fixture(noblock, module, path):
    noblock.get(path)

@asked({by_client})
def test_client(module, path):
    assert TestClient(importlib.import_module(module).app).get(path).status_code == 200
"""


class Told(NamedTuple):
    """What the report says of one route."""

    file: str
    line: int
    call: str
    advice: str


def ask(
    pytester: pytest.Pytester, by_fixture: list[tuple[str, str]], by_client: list[tuple[str, str]]
) -> list[dict[str, Any]]:
    """Request each path of each module; the checks of the report."""
    pytester.makepyfile(test_it=TESTS.format(by_fixture=by_fixture, by_client=by_client))
    pytester.runpytest_subprocess(
        "--noblock", "--noblock-max-block=20ms", "--noblock-report=report.json", "-p", "no:randomly", "-p", "no:asyncio"
    )
    return json.loads((pytester.path / "report.json").read_text(encoding="utf-8"))["checks"]


def marked(source: str) -> dict[str, int]:
    """The lines that must be red, by their names."""
    found = ((re.search(r"  # ([\w-]+)$", text), number) for number, text in enumerate(source.splitlines(), 1))
    return {match[1]: number for match, number in found if match is not None}


MARKS = marked(SOURCE)
OTHER_PATHS = {"validator": "/validator?name=tea", "raw": "/raw/", "plain-validator": "/validator-of-plain?name=tea"}
SAME_LINE = {"plain-validator": "validator", "render-of-plain": "render"}
NAMES = [*MARKS, *SAME_LINE]


def path_of(name: str) -> str:
    return OTHER_PATHS.get(name, f"/{name}")


def found(pattern: str, text: str) -> tuple[str, ...]:
    match = re.search(pattern, text)
    assert match is not None, (pattern, text)
    return match.groups()


class Repair:
    """The source of the app, changed as one way of one advice says."""

    def __init__(self, told: Told) -> None:
        self.told = told
        self.lines = SOURCE.splitlines()

    def way(self, text: str) -> str:
        """The source after one of the ways, `text` as it stands in the advice."""
        for shape, apply in SHAPES:
            match = re.fullmatch(shape, text)
            if match is not None:
                apply(self, *match.groups())
                return "\n".join(self.lines)
        raise AssertionError(f"nobody knows how to type this in: {text!r}")

    def at(self, number: int, old: str, new: str) -> None:
        before = self.lines[number - 1]
        self.lines[number - 1] = re.sub(old, new, before, count=1)
        assert self.lines[number - 1] != before, (old, before)

    def call_awaited(self, awaited: str) -> None:
        """`await asyncio.sleep(...)` in the place of the call that blocks."""
        self.at(self.told.line, rf"{re.escape(self.told.call)}\(", f"await {awaited}(")

    def connection(self) -> None:
        old = r"socket\.create_connection\((\w+)\)"
        self.at(self.told.line, old, r"(await asyncio.open_connection(*\1))[1].close()")

    def secure_connection(self) -> None:
        old = r"CONTEXT\.wrap_socket\(connected\)"
        self.at(self.told.line, old, "(await asyncio.open_connection(*SECURE, ssl=CONTEXT))[1].close()")

    def connection_and_reader(self) -> None:
        """The service sends a line to who connects."""
        old = r"FILE\.readline\(\)"
        self.at(self.told.line, old, "await (await asyncio.open_connection(*LINES))[0].readline()")

    def in_thread(self, called: str, number: str | None = None) -> None:
        self.handed_over("asyncio.to_thread", called, number)

    def in_process(self, called: str, number: str) -> None:
        self.handed_over("anyio.to_process.run_sync", called, number)

    def handed_over(self, to: str, called: str, number: str | None) -> None:
        at = int(number or self.told.line)
        bare = f"{called}()" in self.lines[at - 1]
        self.at(at, rf"{re.escape(called)}\(", f"await {to}({called}" + ("" if bare else ", "))

    def own_function(self, has: str) -> None:
        """A function of one's own, in the endpoint, has the statement, or with `returns ...` the call alone."""
        at = self.told.line - 1
        old = self.lines[at]
        indent = " " * (len(old) - len(old.lstrip()))
        if has.startswith(("makes", "returns")):
            (call,) = found(r"(urllib\.request\.urlopen\(SLOW\)(?:\.read\(\))?)", old)
            made = f"list({call})" if has.startswith("returns") else call
            self.lines[at] = f"{indent}f = lambda: {made}\n" + old.replace(call, "(await asyncio.to_thread(f))", 1)
            return
        end = next(each for each in range(at + 1, len(self.lines) + 1) if not self.lines[each].startswith(indent + " "))
        block = [f"    {each}" for each in self.lines[at:end]]
        self.lines[at:end] = [f"{indent}def f():", *block, f"{indent}return await asyncio.to_thread(f)"]
        if has.startswith("has the whole loop"):
            self.lines[at + len(block) + 1] = f"{indent}await asyncio.to_thread(f)"

    def method_in_thread(self, called: str, has: str) -> None:
        owner, _, method = called.rpartition(".")
        assert has == f"{owner} is what stands before .{method}"
        self.at(self.told.line, rf"\((\(await .*\))\.{method}\(\)\)", rf"(await asyncio.to_thread(\1.{method}))")

    def helper_async(self, name: str, way: str) -> None:
        """`def load` becomes an `async def`, the line in it awaits, and so do those who call it."""
        self.awaiting(way)
        self.calls_of(name, lambda text: re.sub(rf"(?<!def )\b{name}\(", f"await {name}(", text))
        self.define(name, "async def")

    def awaiting(self, way: str) -> None:
        if way == "asyncio.open_connection":
            self.connection()
        elif way == "asyncio.open_connection and its reader":
            self.connection_and_reader()
        else:
            self.call_awaited(way.removeprefix("await ").removesuffix("(...)"))

    def generator_async(self, name: str, way: str) -> None:
        self.awaiting(way)
        if name == "__aiter__":
            self.everywhere(r"def __iter__", "async def __aiter__")
            self.everywhere(r"for (\w+) in Rows\(\)", r"async for \1 in Rows()")
            return
        self.calls_of(name, lambda text: text.replace("for ", "async for ", 1))
        self.define(name, "async def")

    def everywhere(self, old: str, new: str) -> None:
        before = self.lines
        self.lines = [re.sub(old, new, text) for text in before]
        assert self.lines != before, old

    def closed(self, way: str, name: str, number: str) -> None:
        """`__del__` becomes an `aclose`, and what let go of the object awaits it."""
        self.call_awaited(self.awaited(way))
        self.everywhere(r"def __del__", "async def aclose")
        self.at(int(number), rf"({name.partition('.')[0]}\(\))", r"await \1.aclose()")

    def awaited(self, way: str) -> str:
        return way.removeprefix("await ").removesuffix("(...)")

    def entered(self, name: str, way: str, number: str) -> None:
        self.call_awaited(self.awaited(way))
        self.define(name, "async def")
        self.everywhere(r"@contextlib\.contextmanager", "@contextlib.asynccontextmanager")
        self.at(int(number), "with", "async with")

    def entered_class(self, way: str, number: str) -> None:
        self.call_awaited(self.awaited(way))
        self.everywhere(r"def __(enter|exit)__", r"async def __a\1__")
        self.at(int(number), "with", "async with")

    def pushed(self, awaited: str) -> None:
        self.everywhere(rf"\.callback\({re.escape(self.told.call)}, ", f".push_async_callback({awaited}, ")

    def pushed_async(self, name: str, way: str) -> None:
        self.call_awaited(self.awaited(way))
        self.define(name, "async def")
        self.everywhere(rf"\.callback\({name}\b", f".push_async_callback({name}")

    def pushed_to_thread(self, name: str) -> None:
        self.everywhere(rf"\.callback\({name}\b", f".push_async_callback(asyncio.to_thread, {name}")

    def entered_by_stack(self, way: str) -> None:
        self.call_awaited(self.awaited(way))
        self.everywhere(r"def __(enter|exit)__", r"async def __a\1__")
        self.everywhere(r"stack\.enter_context\(Held", "await stack.enter_async_context(Held")

    def begun_by_task(self, name: str, way: str) -> None:
        (seconds,) = found(rf"{re.escape(self.told.call)}\(([^)]*)\)", self.lines[self.told.line - 1])
        assert f"def {name}(" in self.lines[self.told.line - 2]
        self.lines[self.told.line - 1] = ""
        self.at(self.told.line + 1, r"Task\(coroutine", "Task(begun(coroutine)")
        self.lines += ["async def begun(coroutine):", f"    await {self.awaited(way)}({seconds})"]
        self.lines += ["    return await coroutine"]

    def block_in_thread(self, number: str) -> None:
        at = int(number)
        block = self.lines[at - 1 : at + 1]
        self.lines[at - 1 : at + 1] = ["    await asyncio.to_thread(whole)"]
        self.lines += ["def whole():", *block]

    def waits(self, way: str, name: str) -> None:
        begins = self.told.line - 2
        assert "def __await__" in self.lines[begins], name
        body = ["    def __await__(self):", "        return self.wait().__await__()", "    async def wait(self):"]
        self.call_awaited(self.awaited(way))
        self.lines[begins : begins + 3] = [*body, self.lines[begins + 1]]

    def around(self, name: str, number: str) -> None:
        read = name.rpartition(".")[2]
        self.at(int(number), rf"return (.*\.{read}\b.*)", r"return await asyncio.to_thread(lambda: \1)")

    def in_the_thread(self, what: str) -> None:
        self.everywhere(rf"anyio\.from_thread\.run_sync\({re.escape(what)}(?:, )?", f"{what}(")

    def by_the_thread(self, what: str) -> None:
        old = re.escape(self.told.call)
        self.everywhere(rf"anyio\.from_thread\.run_sync\({old}", f"anyio.from_thread.run({what}")

    def async_by_the_thread(self, what: str, name: str, way: str) -> None:
        self.call_awaited(self.awaited(way))
        self.define(name, "async def")
        self.everywhere(rf"anyio\.from_thread\.run_sync\({what}", f"anyio.from_thread.run({what}")

    def items_in_thread(self, number: str, called: str) -> None:
        at = int(number)
        if called == "iter":
            (called,) = found(r"in (.*)\(\):", self.lines[at - 1])
            called = f"iter({called}())"
        else:
            called += "()"
        indent, variable = found(r"( *)for (\w+) in", self.lines[at - 1])
        self.lines[at - 1] = (
            f"{indent}items = {called}\n"
            f"{indent}while ({variable} := await asyncio.to_thread(next, items, None)) is not None:"
        )

    def calls_of(self, name: str, change: Callable[[str], str]) -> None:
        self.lines = [change(text) if re.search(rf"(?<!def )\b{name}\(", text) else text for text in self.lines]

    def define(self, name: str, how: str) -> None:
        """The function of this dotted name is defined so."""
        for number in reversed(range(len(self.lines))):
            if re.match(rf" *(async )?def {name.rpartition('.')[2]}\(", self.lines[number]) and self.is_in(
                number, name
            ):
                self.lines[number] = re.sub(r"(async )?def", how, self.lines[number], count=1)
                return
        raise AssertionError(name)

    def is_in(self, number: int, name: str) -> bool:
        owner = name.rpartition(".")[0]
        classes = [text for text in self.lines[:number] if text.startswith(("class ", "def ", "async def "))]
        return not owner or re.match(rf"class {owner}\b", classes[-1]) is not None

    def plain(self, name: str | None = None) -> None:
        """The named function, or the one around the line, becomes a plain `def`."""
        if name is not None:
            self.define(name, "def")
            return
        above = reversed(range(self.told.line))
        number = next(each for each in above if re.match(r" *async def ", self.lines[each]))
        self.lines[number] = self.lines[number].replace("async def", "def")

    def thing_async(self, name: str, way: str) -> None:
        self.way_inside(way)
        self.define(name, "async def")

    def way_inside(self, way: str) -> None:
        self.lines = Repair.way(self, way).splitlines()

    def taken_out(self, model: str, endpoint: str, way: str) -> None:
        """The line leaves the validator, and the endpoint begins with it."""
        blocking = self.lines[self.told.line - 1].strip()
        self.lines[self.told.line - 1] = "        pass"
        assert model.rpartition(".")[2] in "\n".join(self.lines)
        begins = next(at for at, text in enumerate(self.lines) if re.match(rf"(async )?def {endpoint}\(", text))
        self.lines.insert(begins + 1, f"    {blocking}")
        if way:
            self.told = self.told._replace(line=begins + 2)
            self.way_inside(way)

    def returned(self, made: str, endpoint: str) -> None:
        begins = next(at for at, text in enumerate(self.lines) if re.match(rf"(async )?def {endpoint}\(", text))
        at = next(at for at in range(begins, len(self.lines)) if "return " in self.lines[at]) + 1
        self.at(at, r"return (.*)$", rf"return {made}\1)")

    def rendered_in_thread(self, made: str, endpoint: str) -> None:
        self.returned(f"await asyncio.to_thread({made}, ", endpoint)

    def rendered_here(self, made: str, endpoint: str) -> None:
        self.returned(f"{made}(", endpoint)

    def in_executor(self, called: str) -> None:
        to = "asyncio.get_running_loop().run_in_executor(None, "
        self.at(self.told.line, rf"{re.escape(called)}\(", f"{to}{called}, ")

    def after_seconds(self) -> None:
        old = rf"{re.escape(self.told.call)}\(([^)]*)\)"
        self.at(self.told.line, old, r"asyncio.get_running_loop().call_later(\1, print)")

    def as_task(self, awaited: str) -> None:
        """`lambda: f(x)` becomes the start of a task that awaits."""
        (seconds,) = found(rf"{re.escape(self.told.call)}\(([^)]*)\)", self.lines[self.told.line - 1])
        self.at(self.told.line, rf"{re.escape(self.told.call)}\([^)]*\)", "asyncio.create_task(later())")
        self.lines.append(f"async def later():\n    await {awaited}({seconds})")

    def queued(self, emitter: str) -> None:
        """The listener has the handler, and a thread."""
        owner = emitter.rpartition(".")[0]
        added = f"LOG.addHandler({owner}())"
        assert added in self.lines
        at = self.lines.index(added)
        self.lines[at : at + 1] = textwrap.dedent(f"""\
            import queue
            RECORDS = queue.Queue()
            LOG.addHandler(logging.handlers.QueueHandler(RECORDS))
            logging.handlers.QueueListener(RECORDS, {owner}()).start()
            """).splitlines()


AWAITED = r"await ([\w.()]+?)\(\.\.\.\)"
SHAPES = [
    (r"await asyncio\.to_thread\(f, \.\.\.\), where f (.*)", Repair.own_function),
    (r"await asyncio\.to_thread\(([\w.]+), \.\.\.\), where (.*)", Repair.method_in_thread),
    (r"await asyncio\.to_thread\(([\w.]+), \.\.\.\)(?:, which lets go of the GIL)?", Repair.in_thread),
    (r"await asyncio\.to_thread\(([\w.]+), \.\.\.\) at [\w.]+:(\d+)(?:, which lets go of the GIL)?", Repair.in_thread),
    (r"await asyncio\.to_thread\(next, items, None\) for each item at [\w.]+:(\d+), with items = (\w+)\(\.\.\.\)",
     Repair.items_in_thread),
    (AWAITED, Repair.call_awaited),
    (r"an async def aclose with (.*) in the place of `(.*)`, awaited before [\w.]+:(\d+) lets go of the object",
     Repair.closed),
    (r"an @asynccontextmanager async def `(\w+)` with (.*), entered by async with at [\w.]+:(\d+)", Repair.entered),
    (r"push_async_callback\(([\w.]+), \.\.\.\) in the place of callback", Repair.pushed),
    (r"an async def in the place of `(\w+)`, with (.*), given to push_async_callback in the place of callback, for .*",
     Repair.pushed_async),
    (r"push_async_callback\(asyncio\.to_thread, (\w+), \.\.\.\) in the place of callback, for .*",
     Repair.pushed_to_thread),
    (r"async defs `__aenter__` .* its twin, with (.*), entered by enter_async_context in the place of .*",
     Repair.entered_by_stack),
    (r"take it out of the task factory `(\w+)`: let it return a task of an async def with (.*), which then .*",
     Repair.begun_by_task),
    (r"async defs `__aenter__` and `__aexit__` in the place of .* its twin, with (.*), entered .* at .*:(\d+)",
     Repair.entered_class),
    (r"await asyncio\.to_thread\(\.\.\.\) of a function that has the whole with block of [\w.]+:(\d+)",
     Repair.block_in_thread),
    (r"an async def wait with (.*), and return self\.wait\(\)\.__await__\(\) in `(.*)`", Repair.waits),
    (r"await asyncio\.to_thread\(\.\.\.\) around what calls `([\w.]+)` at [\w.]+:(\d+)", Repair.around),
    (r"([\w.]+) in the thread itself, without anyio\.from_thread\.run_sync", Repair.in_the_thread),
    (r"anyio\.from_thread\.run\(([\w.]+), \.\.\.\) in the place of anyio\.from_thread\.run_sync",
     Repair.by_the_thread),
    (r"anyio\.from_thread\.run\((\w+), \.\.\.\) of an async def `(\w+)` with (.*)", Repair.async_by_the_thread),
    (r"asyncio\.open_connection", Repair.connection),
    (r"asyncio\.open_connection and its reader", Repair.connection_and_reader),
    (r"asyncio\.open_connection\(\.\.\., ssl=context\) \(STARTTLS: .*\)", Repair.secure_connection),
    (r"a process: await anyio\.to_process\.run_sync\((\w+), \.\.\.\) at [\w.]+:(\d+), if what .* can be pickled",
     Repair.in_process),
    (r"an async def `(\w+)` with (.*), awaited there", Repair.helper_async),
    (r"an async def `(\w+)` with (.*), read there by async for", Repair.generator_async),
    (r"make the (?:endpoint|task) a plain def", Repair.plain),
    (r"make the [\w ]+ `([\w.]+)` a plain def(?:: .*)?", Repair.plain),
    (r"make the [\w ]+ `([\w.]+)` an async def with (.*)", Repair.thing_async),
    (r"take it out of the \w+ `([\w.]+)`: in the endpoint `(\w+)` write (.*)", Repair.taken_out),
    (r"take it out of the \w+ `([\w.]+)`, and make the call in the endpoint `(\w+)`(): a plain def runs in a thread",
     Repair.taken_out),
    (r"return await asyncio\.to_thread\((\w+), \.\.\.\) from the endpoint `(\w+)`: it is rendered in a thread",
     Repair.rendered_in_thread),
    (r"return (\w+)\(\.\.\.\) from the endpoint `(\w+)`: a plain def renders it in its thread", Repair.rendered_here),
    (r"asyncio\.get_running_loop\(\)\.run_in_executor\(None, ([\w.]+), \.\.\.\), which nobody waits for",
     Repair.in_executor),
    (r"asyncio\.get_running_loop\(\)\.call_later\(seconds, f\), with what comes after the sleep in f",
     Repair.after_seconds),
    (r"asyncio\.create_task\(\.\.\.\) of an async def with await ([\w.]+)\(\.\.\.\)", Repair.as_task),
    (r"a logging\.handlers\.QueueHandler: its QueueListener calls `([\w.]+)` in a thread of its own", Repair.queued),
]  # fmt: skip
"""How each way is written, and what it asks for."""


IN_PIECES = """\
    pieces = []
    for at in range(0, len(ITEMS), 1000):
        pieces.append(json.dumps(ITEMS[at : at + 1000]))
        await asyncio.sleep(0)
    return PlainTextResponse("\\n".join(pieces))"""
STREAMED = """\
    pieces = (json.dumps(ITEMS[at : at + 1000]) for at in range(0, len(ITEMS), 1000))
    return StreamingResponse(pieces)"""
SMALLER = "smaller pieces with await asyncio.sleep(0) between them"
PAGE = "fewer items in one answer (a page)"
STREAM = "a StreamingResponse of a sync generator that yields them in pieces"
READY = (
    'Response(orjson.dumps(items), media_type="application/json"), 5 to 10 times as fast, though it keeps the GIL too'
    " (pydantic_core.to_json: 3 times)"
)
WRITTEN = "    return Response(pydantic_core.to_json({}), media_type='application/json')"
PLAIN = "make the endpoint a plain def"
IN_THREAD = "    return await asyncio.to_thread(asked)\n\n\ndef asked():\n{}"
NO_LOOK = ("in-thread", "in-process", "matched-in-thread")
"""Routes that a watched test may know by their `def` alone: on a busy machine no look comes while C keeps the GIL."""
BY_HAND: dict[str, dict[str, str]] = {
    "read": {
        "aiofiles.open (or anyio.open_file)": (
            "    async with aiofiles.open(BIG, 'rb') as file:\n        return len(await file.read())"
        ),
        "await asyncio.to_thread(...) around a function that opens, uses and closes the file": IN_THREAD,
        PLAIN: "def",
    },
    "sql": {
        "await asyncio.to_thread(...) around a function that opens, uses and closes its own connection": IN_THREAD,
        "sqlalchemy.ext.asyncio.AsyncEngine with aiosqlite, where it is SQLite that computes": (
            "    async with create_async_engine('sqlite+aiosqlite:///shop.db').connect() as connection:\n"
            "        return (await connection.execute(text(COUNTED.format(400_000)))).scalar()"
        ),
        "less in one go (a page)": (
            "    with ENGINE.connect() as connection:\n"
            "        return connection.execute(text(COUNTED.format(1_000))).scalar()"
        ),
        PLAIN: "def",
    },
    "dumps": {
        "orjson.dumps (5 to 10 times as fast, though it keeps the GIL too)": "    return Response(orjson.dumps(ITEMS))",
        "fewer items at once (a page)": "    return Response(json.dumps(ITEMS[:1000]))",
        "bytes that are made once and kept": "    return Response(KEPT)\n\n\nKEPT = json.dumps(ITEMS)",
        SMALLER: IN_PIECES,
    },
    "loads": {
        "one line or item at a time (JSON Lines, ijson)": (
            "    for line in LINES:\n        json.loads(line)\n        await asyncio.sleep(0)\n\n\n"
            "LINES = [json.dumps(ITEMS[at : at + 1000]) for at in range(0, len(ITEMS), 1000)]"
        ),
    },
    "copied": {
        "await asyncio.to_thread(copy.deepcopy, ...), which hands over the GIL": (
            "    await asyncio.to_thread(copy.deepcopy, ITEMS[:12_000])"
        ),
        PLAIN: "def",
    },
    "answer": {PAGE: "    return ITEMS[:500]", STREAM: STREAMED, READY: WRITTEN.format("ITEMS[:10_000]")},
    "modelled": {
        PAGE: "    return ITEMS[:500]",
        STREAM: STREAMED,
        f"response_model=None, so that nobody validates, and {READY}": WRITTEN.format("ITEMS[:30_000]"),
    },
    "rendered": {
        PAGE: "    return JSONResponse(ITEMS[:500])",
        STREAM: STREAMED,
        READY: WRITTEN.format("ITEMS[:30_000]"),
    },
    "drawn": {
        "await asyncio.to_thread(PAGE.render, ...), which hands over the GIL": (
            "    return PlainTextResponse(await asyncio.to_thread(PAGE.render, rows=NUMBERS))"
        ),
        "a smaller page": "    return PlainTextResponse(PAGE.render(rows=NUMBERS[:500]))",
        "a StreamingResponse of pages = template.stream(...) after pages.enable_buffering(1000)": (
            "    pages = PAGE.stream(rows=NUMBERS)\n    pages.enable_buffering(1000)\n"
            "    return StreamingResponse(pages)"
        ),
        PLAIN: "def",
    },
    "matched": {
        "a pattern without nested quantifiers": "    return match(21)\n\n\nPATTERN = re.compile(r'a+$')",
        "shorter input": "    return match(8)",
        "a process: await anyio.to_process.run_sync(match, ...)": (
            "    return await anyio.to_process.run_sync(match, 21)"
        ),
    },
    "in-thread": {
        "fewer items at once (a page)": "    await asyncio.to_thread(json.dumps, ITEMS[:1000])",
        "smaller pieces: the GIL is kept until each returns": (
            "    return await asyncio.to_thread(asked)\n\n\ndef asked():\n"
            "    return sum(len(json.dumps(ITEMS[at : at + 1000])) for at in range(0, len(ITEMS), 1000))"
        ),
    },
    "matched-in-thread": {
        "a pattern without nested quantifiers": "    await asyncio.to_thread(re.match, r'a+$', 'a' * 21 + 'b')",
        "a process: await anyio.to_process.run_sync(f, ...), where f, a def at the top of a module, returns"
        " bool(re.match(...)), which can be pickled": (
            "    return await anyio.to_process.run_sync(f, r'(a+)+$', 'a' * 21 + 'b')\n\n\n"
            "def f(pattern, text):\n    return bool(re.match(pattern, text))"
        ),
    },
    "in-process": {
        "a path or an id for the process, which loads by itself what is large and returns little": (
            "    return await anyio.to_process.run_sync(counted, 'items.json')\n\n\n"
            "def counted(path):\n    return len(json.loads(Path(path).read_text(encoding='utf-8')))"
        ),
    },
}
"""What a reader makes of the ways of COMPUTING's routes that are told in words: by the begin of the way, the new body.

`def`: the endpoint is made a plain def. `{}` stands for the old body, in which the call stays.
"""


def bodies(source: str) -> dict[str, str]:
    """The body of each route's function, by the route's name."""
    found = re.findall(
        r'@app\.get\("/([\w-]+)"\)\nasync def [^\n]*:[^\n]*\n((?:(?:    [^\n]*)?\n)*?)(?=\n\n|\Z)', source
    )
    return {name: body.rstrip("\n") for name, body in found}


def by_hand(name: str, made: str) -> str:
    """The source in which the route's body is the one that somebody wrote."""
    before, route, after = COMPUTING.partition(f'@app.get("/{name}")\n')
    if made == "def":
        return before + route + after.removeprefix("async ")
    old = bodies(COMPUTING)[name]
    assert old in after
    changed = before + route + after.replace(old, made.replace("{}", old), 1)
    return f"import orjson\n{changed}" if "orjson." in made else changed


def ways(advice: str) -> Iterator[str]:
    """The ways of an advice. What stands behind `an async def with` or `in the endpoint x` needs that first."""
    first, *others = advice.split(", or ")
    yield first
    shared = re.match(
        r"make the [\w ]+ `[\w.]+` an async def with |take it out of the [^:]*: in the endpoint `\w+` write ", first
    )
    for each in others:
        yield each if shared is None or each.startswith("make the ") else shared[0] + each


def told_by(checks: list[dict[str, Any]]) -> dict[str, Told]:
    """What each route's checks say: the fixture and a watched test must say the same."""
    result: dict[str, Told] = {}
    for check in checks:
        (finding,) = check["findings"]
        told = Told(finding["file"], finding["line"], finding["call"], finding["replacement"])
        assert result.setdefault(check["request"].removeprefix("GET "), told) == told
    return result


def twins(told: dict[str, Told]) -> Iterator[tuple[str, str, str]]:
    """Name of a module, its source and the path to ask for, for each way of each advice."""
    for name in NAMES:
        found = told[path_of(name).partition("?")[0]]
        assert (found.file, found.line) == ("advised.py", MARKS[SAME_LINE.get(name, name)]), (name, found)
        for number, way in enumerate(each for each in ways(found.advice) if not each.startswith(IN_WORDS)):
            yield f"twin_{name.replace('-', '_')}_{number}", Repair(found).way(way), path_of(name)


def twins_by_hand(told: dict[str, Told]) -> Iterator[tuple[str, str, str]]:
    """The same for what computes: every way that somebody tried stands in the advice, and none in it was not tried."""
    for name, line in marked(COMPUTING).items():
        found, tried = told[f"/{name}"], BY_HAND[name]
        assert (found.file, found.line) == ("computing.py", line), (name, found)
        rest = found.advice
        for number, (way, made) in enumerate(tried.items()):
            assert way in rest, (name, way, rest)
            rest = rest.replace(way, "", 1)
            if "orjson." not in made or importlib.util.find_spec("orjson"):
                yield f"made_{name.replace('-', '_')}_{number}", by_hand(name, made), f"/{name}"


@pytest.mark.one_python
def test_every_advice_can_be_typed_in_and_is_green(pytester: pytest.Pytester) -> None:
    (pytester.path / "advised.py").write_text(SOURCE, encoding="utf-8")
    (pytester.path / "computing.py").write_text(COMPUTING, encoding="utf-8")
    for beside in ("advised_items.py", "advised_services.py"):
        shutil.copy(HERE / beside, pytester.path)
    (pytester.path / "big.bin").write_bytes(bytes(100_000_000))
    (pytester.path / "items.json").write_text("[1]", encoding="utf-8")
    asked = [("advised", path_of(name)) for name in NAMES]
    computing = [("computing", f"/{name}") for name in BY_HAND if name not in NO_LOOK]
    alone = [("computing", f"/{name}") for name in NO_LOOK]
    told = told_by(ask(pytester, [*asked, *alone], [*asked, *computing]))
    repaired: list[tuple[str, str]] = []
    for module, source, path in (*twins(told), *twins_by_hand(told)):
        (pytester.path / f"{module}.py").write_text(source, encoding="utf-8")
        repaired.append((module, path))
    by_fixture = [each for each in repaired if re.fullmatch(r"twin_\w+_0", each[0])]  # the first of each: it is slow
    checks = ask(pytester, by_fixture, repaired)
    red = [(check["id"], check["findings"] or check) for check in checks if check["outcome"] != "passed"]
    assert red == []
    assert len(checks) == len(repaired) + len(by_fixture) > 120
