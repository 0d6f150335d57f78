"""The text of a file, parsed once for each version of it, and what of it is around a line."""

import ast
import pathlib

import pytest

from pytest_noblock.calls import sources


def statements(code, line):
    return [ast.unparse(each) for each in sources.source_of(code.co_filename).statements_at(line)]


def test_names_that_are_no_files():
    assert sources.source_lines("<string>") == []
    assert sources.source_lines("no\0file") == []
    assert sources.source_lines("/no/such/file.py") == []


def test_a_file_is_parsed_once_and_again_when_it_changes(write, monkeypatch):
    """And of a file each statement of the module that was asked for: no whole tree is kept."""
    code = write("f()\ng()\nx = [\n1]; h()\n")
    parsed = []
    parse = sources._parse
    monkeypatch.setattr(sources, "_parse", lambda lines, file: parsed.append("".join(lines)) or parse(lines, file))
    assert statements(code, 1) == statements(code, 1) == ["f()"]
    assert parsed == ["f()\ng()\nx = [\n1]; h()\n", "f()\n"]
    assert statements(code, 2) == ["g()"]
    assert parsed[2:] == ["\ng()\n"]
    pathlib.Path(code.co_filename).write_text("longer()\n", encoding="utf-8")
    assert statements(code, 1) == ["longer()"]
    assert parsed[3:] == ["longer()\n"] * 2


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
    assert sources.def_line(write(text).co_filename, first, name) == line


def test_so_many_files_are_kept(write, monkeypatch):
    monkeypatch.setattr(sources, "_SOURCES", {})
    monkeypatch.setattr(sources, "_MOST_SOURCES", 2)
    for _ in range(5):
        assert statements(write("f()"), 1) == ["f()"]
        assert 1 <= len(sources._SOURCES) <= 2


def test_a_tree_that_another_thread_spoiled_is_made_once_more(monkeypatch):
    """CPython 3.11 counts the depth of all threads' trees in one place."""
    true, raised = sources.ast.parse, [SystemError("AST constructor recursion depth mismatch")] * 2

    def parse(*args):
        if raised:
            raise raised.pop()
        return true(*args)

    monkeypatch.setattr(sources.ast, "parse", parse)
    assert sources.parsed("a.b", mode="eval").body.attr == "b"
    assert sources.parsed("a b") is None


def test_what_is_read_out_of_a_source_is_read_once_until_it_changes(write):
    code = write("f()")
    reads = []
    read = lambda: sources.source_of(code.co_filename).once("key", lambda: reads.append(1) or len(reads))  # noqa: E731
    assert [read(), read()] == [1, 1]
    pathlib.Path(code.co_filename).write_text("longer()\n", encoding="utf-8")
    assert [read(), read()] == [2, 2]
