"""What an expression of the source stands for in the running frame.

Nothing is evaluated. Names are looked up. Attributes are read from the plain dictionaries of modules, classes and
instances. A call is taken for an instance of the class that it makes, or that it is annotated to return.
"""

import ast
import inspect
import io
import pathlib
import sys
import types
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Self

from pytest_noblock.calls.bindings import Imported
from pytest_noblock.calls.frame_names import NO_OBJECT, FrameScope, Inferred, inferred_of, read
from pytest_noblock.calls.public_names import ancestors, class_contents, is_a, module_contents, path_of
from pytest_noblock.calls.sources import parsed
from pytest_noblock.calls.written import annotated_return

_LITERALS: dict[type[ast.expr], type] = {
    ast.JoinedStr: str,
    ast.List: list,
    ast.ListComp: list,
    ast.Dict: dict,
    ast.DictComp: dict,
    ast.Set: set,
    ast.SetComp: set,
    ast.Tuple: tuple,
}


def infer(expression: ast.expr, scope: FrameScope) -> Inferred | None:
    """What an expression stands for; None where only running it would tell."""
    if expression not in scope.inferred:
        scope.inferred[expression] = _infer(expression, scope)
    return scope.inferred[expression]


def _infer(expression: ast.expr, scope: FrameScope) -> Inferred | None:
    match expression:
        case ast.Name():
            return _named(expression, scope)
        case ast.Constant(value=value):
            return Inferred(type(value))
        case ast.Attribute(value=owner, attr=name):
            inferred = infer(owner, scope)
            return _attribute(inferred, name) if inferred else None
        case ast.Call():
            return _result(expression, scope)
        case ast.BinOp(left=left, op=ast.Div()):
            inferred = infer(left, scope)
            return Inferred(inferred.cls) if inferred and issubclass(inferred.cls, pathlib.PurePath) else None
    literal = _LITERALS.get(type(expression))
    return Inferred(literal) if literal else None


def _named(name: ast.Name, scope: FrameScope) -> Inferred | None:
    value = scope.binding(name)
    if isinstance(value, Imported):
        return scope.imported(value)
    return scope.value(name) if value is None else infer(value, scope)


def _attribute(owner: Inferred, name: str) -> Inferred | None:
    """What an attribute holds, where no descriptor of user code has to run for it."""
    own = held(owner.thing)
    if name in own:
        return inferred_of(own[name])
    cls = owner.thing if is_a(owner.thing, type) else owner.cls
    for base in ancestors(cls):
        if name in class_contents(base):
            return _from_class(class_contents(base)[name], owner)
    return None


def has(owner: Inferred, name: str) -> bool:
    """Whether an object has an attribute by itself or by its class."""
    return name in stored(owner.thing) or any(name in class_contents(base) for base in ancestors(owner.cls))


_STATE, _HELD_BY_STATE = "starlette.datastructures.State", "_state"
"""The class of `app.state`, and the attribute with the dict of what was put there (Starlette 0.27 to 1.10). Without it
nothing is found there, and calls are named as they are written."""


def held(thing: object) -> Mapping[str, object]:
    """What `stored` gives; of Starlette's `app.state` what the app put there."""
    own = stored(thing)
    state = own.get(_HELD_BY_STATE) if _HELD_BY_STATE in own and path_of(type(thing)) == _STATE else None
    return state if type(state) is dict else own


def stored(thing: object) -> Mapping[str, object]:
    """The attributes that an instance or module holds itself."""
    if is_a(thing, types.ModuleType):
        return module_contents(thing)
    for base in ancestors(type(thing)):
        descriptor = class_contents(base).get("__dict__")
        if descriptor is not None and not is_a(thing, type):
            contents = descriptor.__get__(thing) if type(descriptor) is types.GetSetDescriptorType else None
            return contents if type(contents) is dict else {}
    return {}


def _from_class(value: object, owner: Inferred) -> Inferred | None:
    if type(value) is classmethod or type(value) is staticmethod:
        return inferred_of(value.__func__)
    if type(value) is types.MemberDescriptorType and owner.thing is not NO_OBJECT and not is_a(owner.thing, type):
        return _slot(value, owner.thing)
    if type(value) is property:
        return _annotated(value.fget)
    if type(value) is cached_property:
        return _annotated(value.func)
    is_descriptor = any("__get__" in class_contents(base) for base in ancestors(type(value)))
    return None if is_descriptor and type(value) is not types.FunctionType else inferred_of(value)


def _slot(descriptor: types.MemberDescriptorType, thing: object) -> Inferred | None:
    try:
        return inferred_of(descriptor.__get__(thing))
    except AttributeError:
        return None


def _result(call: ast.Call, scope: FrameScope) -> Inferred | None:
    function = call.func
    if isinstance(function, ast.Name) and function.id == "super":
        return _base(scope)
    made_by = infer(function, scope)
    if made_by is None:
        return None
    if made_by.thing is open:
        return _opened(call)
    owner = infer(function.value, scope) if isinstance(function, ast.Attribute) else None
    return Inferred(made_by.thing) if is_a(made_by.thing, type) else _annotated(made_by.thing, owner)


def _opened(call: ast.Call) -> Inferred | None:
    """The file that `open` gives, by the mode as it is written."""
    keywords = {each.arg: each.value for each in call.keywords}
    mode = call.args[1] if len(call.args) > 1 else keywords.get("mode", ast.Constant("r"))
    if len(call.args) > 2 or {None, "buffering"} & keywords.keys() or not isinstance(mode, ast.Constant):
        return None
    text = str(mode.value)
    if "b" not in text:
        return Inferred(io.TextIOWrapper)
    return Inferred(io.BufferedRandom if "+" in text else io.BufferedReader if "r" in text else io.BufferedWriter)


def _base(scope: FrameScope) -> Inferred | None:
    here = read(scope.variables, "__class__") or read(scope.namespace, "__class__")
    bases = ancestors(here.thing)[1:] if here and is_a(here.thing, type) else ()
    return Inferred(bases[0]) if bases else None


def _annotated(function: object, owner: Inferred | None = None) -> Inferred | None:
    """An instance of the class that a function is annotated to return; `Self` is the class of its owner."""
    if is_a(function, types.MethodType):
        owner, function = inferred_of(function.__self__), function.__func__
    if type(function) is not types.FunctionType or function.__code__.co_flags & inspect.CO_COROUTINE:
        return None
    note = _note(function)
    if note is Self or (type(note) is str and note.rpartition(".")[2] == "Self"):
        return Inferred(owner.thing if is_a(owner.thing, type) else owner.cls) if owner else None
    cls = _class_named(note, FrameScope(function.__globals__)) if type(note) is str else note
    return Inferred(cls) if is_a(cls, type) and cls is not Any and cls is not object else None


def _note(function: types.FunctionType) -> object:
    """The annotation of what is returned, or its text. From Python 3.14 on, to read the annotations runs them."""
    if sys.version_info >= (3, 14) and function.__annotate__ is not None:
        return annotated_return(function.__code__)
    return function.__annotations__.get("return")


def _class_named(note: str, scope: FrameScope) -> object:
    tree = parsed(note, mode="eval")
    if not isinstance(tree, ast.Expression):
        return None
    expression = tree.body
    inferred = infer(expression.value if isinstance(expression, ast.Subscript) else expression, scope)
    return inferred.thing if inferred else None
