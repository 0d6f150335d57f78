"""Which calls stand on a line of a source file."""

import ast
import linecache
import pathlib
import textwrap

import pytest

from pytest_noblock.calls import callsites
from pytest_noblock.calls.callsites import call_sites, source_lines


@pytest.fixture
def write(tmp_path):
    """Write source text to a file of its own and compile it."""
    files = []

    def write(text):
        file = tmp_path / f"source{len(files)}.py"
        files.append(file)
        file.write_text(textwrap.dedent(text), encoding="utf-8")
        return compile(file.read_text(encoding="utf-8"), str(file), "exec", dont_inherit=True)

    yield write
    linecache.checkcache()


def targets(code, line):
    return [ast.unparse(site.target) + (f".{site.implied}" if site.implied else "") for site in call_sites(code, line)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("f(g(), h())", ["g", "h", "f"]),
        ("a.b().c()", ["a.b", "a.b().c"]),
        ("with lock: pass", ["lock.__enter__"]),
        ("with lock(): pass", ["lock"]),
        ("for x in rows: pass", ["rows.__next__"]),
        ("for x in rows(): pass", ["rows"]),
        ("x = 1", []),
        ("x = [f(y) for y in g()]", ["f", "g"]),
    ],
)
def test_the_calls_of_a_line_in_the_order_in_which_they_end(write, text, found):
    assert targets(write(text), 1) == found


def test_a_statement_over_several_lines_is_one(write):
    code = write("f(\n    g(),\n    h(),\n)\n")
    assert targets(code, 1) == targets(code, 3) == ["g", "h", "f"]


def test_the_body_of_a_compound_statement_is_not_its_line(write):
    code = write("if f():\n    g()\n")
    assert targets(code, 1) == ["f"]
    assert targets(code, 2) == ["g"]


def test_the_def_line_of_the_code_itself_calls_nothing(write):
    module = write("@decorated(f())\ndef function(default=g()):\n    h()\n")
    function = next(each for each in module.co_consts if hasattr(each, "co_name"))
    assert targets(module, 1) == ["f", "decorated"]
    assert targets(module, 2) == ["g"]
    assert targets(function, function.co_firstlineno) == []
    assert targets(function, 3) == ["h"]


@pytest.mark.parametrize(
    ("text", "nested"),
    [("x = lambda: f()", True), ("any(f(y) for y in rows)", True), ("f(rows)", False), ("any(y for y in f())", False)],
)
def test_what_runs_in_a_frame_of_its_own(write, text, nested):
    [site] = [each for each in call_sites(write(text), 1) if ast.unparse(each.target) == "f"]
    assert site.nested is nested


def test_positions_are_those_of_the_bytecode(write):
    [site] = call_sites(write("é = (client\n    .get('ü'))\n"), 1)
    assert (site.begin, site.end, site.name_end) == ((1, 6), (2, 14), (2, 8))
    assert site.line == 2  # the attribute's
    assert site.covers(1)
    assert not site.covers(3)


@pytest.mark.parametrize("text", ["def broken(:", "\0", "x = '\\d'", ""])
def test_any_text_is_read(tmp_path, text):
    file = tmp_path / "any.py"
    file.write_text(text)
    code = compile("pass", str(file), "exec")
    assert call_sites(code, 1) == []


def test_names_that_are_no_files():
    assert source_lines("<string>") == []
    assert source_lines("no\0file") == []
    assert source_lines("/no/such/file.py") == []


def test_a_file_is_parsed_once_and_again_when_it_changes(write, monkeypatch):
    """And of a file each statement of the module that was asked for: no whole tree is kept."""
    code = write("f()\ng()\nx = [\n1]; h()\n")
    parsed = []
    parse = callsites._parse
    monkeypatch.setattr(callsites, "_parse", lambda lines, file: parsed.append("".join(lines)) or parse(lines, file))
    assert targets(code, 1) == targets(code, 1) == ["f"]
    assert parsed == ["f()\ng()\nx = [\n1]; h()\n", "f()\n"]
    assert targets(code, 2) == ["g"]
    assert parsed[2:] == ["\ng()\n"]
    pathlib.Path(code.co_filename).write_text("longer()\n", encoding="utf-8")
    assert targets(code, 1) == ["longer"]
    assert parsed[3:] == ["longer()\n"] * 2


def test_a_statement_that_begins_where_another_ends_has_its_calls(write):
    code = write("x = [\n1]; f(\na); y = g(\nb)\n")
    assert [targets(code, line) for line in (1, 2, 3, 4)] == [[], ["f"], ["f", "g"], ["g"]]


@pytest.mark.parametrize(
    ("text", "first", "name", "line"),
    [
        ("def f(): g()\n", 1, "f", 1),
        ("@route(\n    '/')\nasync  def f():\n    g()\n", 1, "f", 3),
        ("x = lambda: g()\n\ndef f():\n    g()\n", 1, "<lambda>", 1),
        ("@route(lambda: g())\ndef f(): g()\n", 1, "<lambda>", 1),
        ("@route\nclass A:\n    def f(self): g()\n", 1, "A", 2),
        ("@route\nclass A:\n    def f(self): g()\n", 3, "f", 3),
        ("f()\ndef g(): ...\n", 1, "f", 1),  # made by `exec`, or by another file's text
    ],
)
def test_the_line_of_a_def_is_that_of_its_own_name(write, text, first, name, line):
    assert callsites.def_line(write(text).co_filename, first, name) == line


def test_so_many_files_are_kept(write, monkeypatch):
    monkeypatch.setattr(callsites, "_SOURCES", {})
    monkeypatch.setattr(callsites, "_MOST_SOURCES", 2)
    for _ in range(5):
        assert targets(write("f()"), 1) == ["f"]
        assert 1 <= len(callsites._SOURCES) <= 2


def test_a_tree_that_another_thread_spoiled_is_made_once_more(monkeypatch):
    """CPython 3.11 counts the depth of all threads' trees in one place."""
    true, raised = callsites.ast.parse, [SystemError("AST constructor recursion depth mismatch")] * 2

    def parse(*args):
        if raised:
            raise raised.pop()
        return true(*args)

    monkeypatch.setattr(callsites.ast, "parse", parse)
    assert callsites.parsed("a.b", mode="eval").body.attr == "b"
    assert callsites.parsed("a b") is None


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
    written = [callsites.annotated_return(each.__code__) for each in functions]
    assert written == ["Reply", "app.Reply", None, "int", "str"]
