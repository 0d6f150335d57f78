"""The name of what is called at a call site: its public name, or as it is written."""

import ast
import subprocess
import types
from functools import partial

from pytest_noblock.calls.bindings import Imported
from pytest_noblock.calls.callsites import CallSite
from pytest_noblock.calls.frame_names import NO_OBJECT, FrameScope, Inferred
from pytest_noblock.calls.inference import has, held, infer
from pytest_noblock.calls.known import is_async, known
from pytest_noblock.calls.public_names import (
    is_a,
    is_installed,
    member_path,
    method_path,
    module_contents,
    origin_module,
    path_of,
)
from pytest_noblock.model.stand_in import StandIn

_FUNCTIONS = (types.FunctionType, types.BuiltinFunctionType, types.MethodType, partial, StandIn)
_HANDED_OVER = {"asyncio.to_thread": 0, "to_thread.run_sync": 0, "run_in_threadpool": 0, "run_in_executor": 1}
"""Calls that hand one of their arguments to a thread, by the argument's position: reports show its name."""


def callee(site: CallSite, scope: FrameScope) -> str | None:
    """The public name of what is called at a site; as written where it is user code, or nobody knows what it is."""
    try:
        name = _implied(site, scope) if site.implied else _name(site.target, scope)
        return _handed_over(name, site.arguments, scope) or name
    except RecursionError:  # a chain of a thousand calls
        return None


def is_resolved(site: CallSite, scope: FrameScope) -> bool:
    """Whether the name at a site rests on the object that is called, and not on how the call is written."""
    try:
        return bool(_implied(site, scope) if site.implied else _public_name(site.target, scope))
    except RecursionError:
        return False


def _implied(site: CallSite, scope: FrameScope) -> str | None:
    """The method that `with` or `for` calls; entering a lock is `acquire`."""
    if site.implied is not None and (pipe := _pipe(site.target, scope)):
        return f"{pipe}.{site.implied}"
    target = infer(site.target, scope)
    if target is None or site.implied is None:
        return None
    is_lock = site.implied == "__enter__" and has(target, "acquire")
    path = method_path(target.cls, "acquire" if is_lock else site.implied, scope.own_package)
    return path if known(path) else None


def _handed_over(name: str | None, arguments: list[ast.expr], scope: FrameScope) -> str | None:
    position = next((at for ending, at in _HANDED_OVER.items() if f".{name}".endswith(f".{ending}")), len(arguments))
    if position >= len(arguments):
        return None
    work = arguments[position]
    if isinstance(work, ast.Call) and work.args and _name(work.func, scope) == "functools.partial":
        work = work.args[0]
    return _name(work, scope)


def _name(target: ast.expr, scope: FrameScope) -> str | None:
    if target not in scope.names:
        scope.names[target] = _public_name(target, scope) or _made_by(target, scope) or _written(target, scope)
    return scope.names[target]


def _public_name(target: ast.expr, scope: FrameScope) -> str | None:
    if isinstance(target, ast.Attribute):
        if pipe := _pipe(target.value, scope):
            return f"{pipe}.{target.attr}"
        owner = infer(target.value, scope)
        return _member_name(owner, target.attr, scope.own_package) if owner else _below_root(target, scope)
    inferred = infer(target, scope)
    return _object_name(inferred.thing, scope.own_package) if inferred else None


_PIPES = ("stdin", "stdout", "stderr")


def _pipe(target: ast.expr, scope: FrameScope) -> str | None:
    """`subprocess.Popen.stdout`: by its class the pipe of a child is a file, as any other."""
    if isinstance(target, ast.Name) and isinstance(bound_to := scope.bound_to(target), ast.Attribute):
        target = bound_to
    if not isinstance(target, ast.Attribute) or target.attr not in _PIPES:
        return None
    child = infer(target.value, scope)
    is_child = child is not None and issubclass(child.cls, subprocess.Popen)
    return f"subprocess.Popen.{target.attr}" if is_child else None


def _below_root(target: ast.expr, scope: FrameScope) -> str | None:
    """`pymongo.MongoClient.shop.orders.find`: attributes that a library makes up, below a known object."""
    attributes: list[str] = []
    while isinstance(target, (ast.Attribute, ast.Subscript)):
        attributes = [target.attr, *attributes] if isinstance(target, ast.Attribute) else attributes
        target = target.value
        root = infer(target, scope)
        if root is not None:
            first = method_path(root.cls, attributes[0], scope.own_package) or ""
            path = ".".join((first, *attributes[1:]))
            return path if known(path) or is_async(path) else None
    return None


def _member_name(owner: Inferred, name: str, own: str) -> str | None:
    if is_a(owner.thing, types.ModuleType):
        path = member_path(owner.thing, name)
        source = origin_module(module_contents(owner.thing).get(name)) or (path or "").rpartition(".")[0]
        return _unless_own(path, source, own)
    if is_a(owner.thing, type):
        return method_path(owner.thing, name, own)
    own_attributes = held(owner.thing)
    if name in own_attributes:  # a function, or an object to call: a stub of gRPC has one for each of its methods
        return _object_name(own_attributes[name], own)
    return method_path(owner.cls, name, own)


def _object_name(thing: object, own: str) -> str | None:
    """The name of what is called by itself: a function, a class, a method kept in a variable, a callable object."""
    if type(thing) is partial:
        return _object_name(thing.func, own)
    if is_a(thing, types.MethodType) or is_a(thing, types.BuiltinMethodType):
        bound_to = thing.__self__
        if not is_a(bound_to, types.ModuleType):
            return method_path(bound_to if is_a(bound_to, type) else type(bound_to), thing.__name__, own)
    if is_a(thing, type) or _is_function(thing):
        return _unless_own(path_of(thing), origin_module(thing), own)
    path = None if thing is NO_OBJECT else method_path(type(thing), "__call__", own)
    return path if known(path) else None


def _is_function(thing: object) -> bool:
    return any(is_a(thing, kind) for kind in _FUNCTIONS)


def _unless_own(path: str | None, module: str | None, own: str) -> str | None:
    return path if known(path) or is_installed(module, own) else None


def _made_by(target: ast.expr, scope: FrameScope) -> str | None:
    """`threading.Lock().acquire`, where the source says what made the local `lock`, and that is known to wait."""
    path = _written(target, scope, through=True)
    return path if known(path) else None


def _written(target: ast.expr, scope: FrameScope, *, through: bool = False) -> str | None:
    """The dotted text: `client.fetch`, `connect().execute`, `clients[...].get`.

    `through`: a local stands for what the source binds to it.
    """
    match target:
        case ast.Name(id=name):
            return (through and _bound(target, scope)) or name
        case ast.Attribute(value=owner, attr=name):
            before = _written(owner, scope, through=through)
            return f"{before}.{name}" if before else name
        case ast.Call(func=function):
            before = _name(function, scope)
            return f"{before}()" if before else None
        case ast.Subscript(value=owner):
            before = _written(owner, scope)
            return f"{before}[...]" if before else None
        case ast.Await(value=awaited):
            return _written(awaited, scope)
    return None


def _bound(name: ast.Name, scope: FrameScope) -> str | None:
    """What the source binds to a name, as it is written there."""
    value = scope.binding(name)
    if isinstance(value, Imported):
        return ".".join(filter(None, value)).lstrip(".")
    return None if value is None else _written(value, scope, through=True)
