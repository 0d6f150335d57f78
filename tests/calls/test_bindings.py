"""What a source binds to a name, by the text alone."""

import ast
from collections import Counter

import pytest

from pytest_noblock.calls import bindings
from pytest_noblock.calls.bindings import Imported

AROUND = """
    def outer(shop, *rest, deep=None):
        import os.path, json as j
        async def inner(self):
            with Session() as db, lock:
                row = db.get(1)
                [x for x in row]
            for each in shop: pass
            again = 1
            again = 2
            from ..pool import make as made
            read(db, row)
            try: pass
            except OSError as error: pass
            match shop:
                case [first, *others]: pass
        return inner
"""
LINE = 12


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("db", "Session()"),
        ("row", "db.get(1)"),
        ("made", Imported("..pool", "make")),
        ("j", Imported("json", None)),
        ("os", Imported("os", None)),
        ("again", None),  # bound twice: which one counts is not known
        ("each", None),  # what a loop binds is no object of the source
        ("shop", None),  # a parameter
        ("nobody", None),
    ],
)
def test_what_the_functions_around_a_line_bind_to_a_name(write, name, value):
    found = bindings.bound(write(AROUND).co_filename, LINE, name)
    assert (ast.unparse(found) if isinstance(found, ast.expr) else found) == value


def test_the_names_of_the_functions_around_a_line(write):
    names = bindings.names_around(write(AROUND).co_filename, LINE)
    inner = {"self", "db", "row", "x", "each", "again", "made", "error", "first", "others"}
    assert names == inner | {"shop", "rest", "deep", "os", "j", "inner"}


@pytest.mark.parametrize(
    ("text", "binders", "rebound"),
    [
        ("row = row.next()", {}, {"row"}),
        ("total += one", {}, set()),
        ("row = other.next()", {}, set()),
        ("x = lambda a, b=c: (a, b, c)", {("a", "Lambda"): 1, ("b", "Lambda"): 1}, set()),
        ("x = [f(y) for y in y]", {("y", "ListComp"): 2}, set()),
        ("if row: row = row.next()", {}, {"row"}),
    ],
)
def test_what_a_line_does_with_names(write, text, binders, rebound):
    """The first iterable of a comprehension is read outside of it: its `y` is another one."""
    found = bindings.names_on(write(text), 1)
    assert Counter((name.id, type(binder).__name__) for name, binder in found.binders.items()) == binders
    assert found.rebound == rebound
