"""What a name of a frame stands for, by the scope that it is of."""

import ast
import pathlib
import types

import pytest

from pytest_noblock.calls.bindings import Imported
from pytest_noblock.calls.frame_names import FrameScope

SPACE = {"row": 1, "shop": "global", "__name__": "app.main", "__package__": "app"}


def name(text):
    return ast.parse(text, mode="eval").body


def value(text, place, variables):
    found = FrameScope(SPACE, variables=variables, place=lambda _name: place).value(name(text))
    return None if found is None else found.thing


@pytest.mark.parametrize(
    ("place", "variables", "found"),
    [
        ("global", {"row": 2}, 1),
        ("local", {"row": 2}, 2),
        ("local", {}, None),
        ("local", None, None),  # another thread runs the frame
        ("local or global", {"row": 2}, 2),
        ("local or global", {}, 1),
        ("local or global", None, None),
        ("unseen", {"row": 2}, None),
        ("elsewhere", {"row": 2}, None),
    ],
)
def test_a_name_has_the_value_of_its_scope(place, variables, found):
    assert value("row", place, variables) == found


def test_builtins_are_global():
    assert value("len", "global", None) is len
    assert value("nobody", "global", None) is None


@pytest.mark.parametrize(
    ("what", "found"),
    [
        (Imported("pathlib", None), pathlib),
        (Imported("pathlib", "Path"), pathlib.Path),
        (Imported("pathlib", "nobody"), None),
        (Imported("no_such_module", None), None),
    ],
)
def test_an_import_is_what_it_has_bound(what, found):
    told = FrameScope(SPACE).imported(what)
    assert (told and told.thing) is found


@pytest.mark.parametrize(
    ("package", "module", "found"),
    [
        ("collections", ".abc", "collections.abc"),
        ("importlib.metadata", "..machinery", "importlib.machinery"),
        (None, ".abc", None),
    ],
)
def test_dots_count_from_the_package_of_the_frame(package, module, found):
    space = {"__package__": package} if package else {}
    told = FrameScope(space).imported(Imported(module, None))
    assert (told and told.thing.__name__) == found


@pytest.mark.parametrize(
    ("bound", "known", "binding"),
    [
        ("Session()", False, "Session()"),
        ("Session()", True, None),  # its value is there
        ("db.next()", False, None),  # it is bound to something of itself
    ],
)
def test_what_the_source_binds_counts_where_nobody_knows_the_value(bound, known, binding):
    variables = {"db": 1} if known else {}
    scope = FrameScope(SPACE, lambda _name: name(bound), variables=variables, place=lambda _name: "local")
    found = scope.binding(name("db"))
    assert (found and ast.unparse(found)) == binding


@pytest.mark.parametrize(("names", "package"), [({"__name__": "app.main"}, "app"), ({"__name__": 3}, ""), ({}, "")])
def test_the_package_of_a_frame(names, package):
    scope = FrameScope({"__name__": names["__name__"]} if names else types.MappingProxyType({}))
    assert scope.own_package == (package if names else "builtins")
