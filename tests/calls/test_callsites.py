"""Which calls stand on a line of a source file."""

import ast

import pytest

from pytest_noblock.calls.callsites import call_sites


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


def test_a_statement_that_begins_where_another_ends_has_its_calls(write):
    code = write("x = [\n1]; f(\na); y = g(\nb)\n")
    assert [targets(code, line) for line in (1, 2, 3, 4)] == [[], ["f"], ["f", "g"], ["g"]]
