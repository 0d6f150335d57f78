"""What the source says of a function and of a line: literals of sources."""

from pathlib import Path

import pytest

from pytest_noblock.calls.written import (
    annotated_return,
    awaits,
    block_awaits,
    called_at,
    imports,
    is_called_at,
    is_decorated,
    is_read_at,
)

SOURCE = """
async def plain():
    def inner():
        return 1
    return inner() + shop.load(1)

async def awaiting():
    async def inner():
        await other()
    return await fetch(load(1), load(2))

async def looping():
    async for each in stream():
        print(each)

async def entering():
    async with lock:
        pass

async def comprehending():
    return [each async for each in stream()]

class Shop:
    async def plain(self):
        return PlainText(PAGE.render(1))

@route(load("/"))
async def decorated():
    pass

async def chained():
    Shop().emit(1)
    Shop(1).open(2).emit(3)

async def reading():
    import shop
    print(shop.total, shop.load())
    with lock, held(1):
        print([await other()])
    with lock:
        pass
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "shop.py"
    path.write_text(SOURCE, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize(
    ("function", "line", "answer"),
    [
        ("plain", 5, False),
        ("awaiting", 10, True),
        ("looping", 14, True),
        ("entering", 18, True),
        ("comprehending", 21, True),
        ("plain", 25, False),
        ("nobody", 5, True),  # not found: nothing is said of it
    ],
)
def test_whether_a_function_awaits_anything(file: str, function: str, line: int, answer: bool) -> None:
    assert awaits(file, line, function) is answer


@pytest.mark.parametrize(
    ("line", "name", "written"),
    [
        (5, "load", "shop.load"),
        (5, "other", None),  # two calls, and neither has the name
        (10, "load", "load"),
        (10, "__init__", "load"),  # what is awaited blocks nobody by itself
        (25, "render", "PAGE.render"),
        (25, "__init__", None),
        (18, "x", None),
        (27, "load", "load"),  # the `def` comes after it
        (32, "emit", "Shop().emit"),
        (33, "emit", "Shop(...).open(...).emit"),
    ],
)
def test_what_a_line_calls_as_it_is_written(file: str, line: int, name: str, written: str | None) -> None:
    assert called_at(file, line, name) == written


def test_what_a_line_calls_reads_and_imports(file: str) -> None:
    assert [is_called_at(file, 37, name) for name in ("load", "print", "total", "shop")] == [True, True, False, False]
    assert [is_read_at(file, 37, name) for name in ("load", "total")] == [False, True]
    assert not is_read_at(file, 36, "total")
    assert [imports(file, line) for line in (36, 37)] == [True, False]
    assert [is_decorated(file, *each) for each in ((28, "decorated"), (32, "chained"), (5, "nobody"))] == [
        True,
        False,
        False,
    ]
    assert [block_awaits(file, line) for line in (38, 40)] == [True, False]


def test_what_a_function_is_written_to_return(write):
    """On Python 3.14 and later nothing else tells it without running it."""
    code = write(
        "class A:\n"
        "    @staticmethod\n"
        "    def plain() -> Reply: ...\n"
        '    def quoted(self) -> "app.Reply": ...\n'
        "    def open(self): ...\n"
        "    def outer(self) -> int:\n"
        "        def inner() -> str: ...\n"
        "        return inner\n"
    )
    space = {"Reply": None}
    exec(code, space)
    a = space["A"]
    functions = [a.plain, a.quoted, a.open, a.outer, a.outer(None)]
    written = [annotated_return(each.__code__) for each in functions]
    assert written == ["Reply", "app.Reply", None, "int", "str"]
