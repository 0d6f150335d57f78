"""What a process, or an app, does once: it loads a template, compiles a pattern, builds a schema, sets up the mappers.

A first request shows such work, and no later one. So the functions that do it are wrapped while requests are watched,
as the import hook is, and a watched test is not charged for it. The second time is not the first: a template that the
same environment loads again, or a pattern that the same test compiles again, is charged.

The functions, with the versions that they were seen on. Where another version lacks one, its work is the request's, as
far as the looks at the stack do not show it (`judge.cpu_lines`).

* Jinja 3.1: `Environment._load_template`. (`Environment.from_string` compiles in every request.)
* Mako 1.4: `TemplateLookup._load`.
* CPython 3.11 to 3.14: `re._compiler.compile`, which `re` calls for a pattern that is not in its cache, and
  `mimetypes.init`.
* pydantic 2.13: `complete_model_class`, `complete_dataclass`, `TypeAdapter._init_core_attrs`.
* FastAPI 0.165: `get_openapi`, by both names. FastAPI and Starlette 1.10: `build_middleware_stack`.
* SQLAlchemy 2.0: `sqlalchemy.orm.mapper._configure_registries`.
"""

import functools
import sys
import threading
import weakref
from collections.abc import Callable, Hashable, Iterator
from typing import Any, NamedTuple

from pytest_noblock.engine.guard import guarded
from pytest_noblock.engine.patches import Patch
from pytest_noblock.engine.steps.meter import STEPPING

_LONGEST = 60
"""Letters of a pattern or a type that a note shows."""
_ident = threading.get_ident


class _Row(NamedTuple):
    """A function to wrap. Its arguments tell what is done, and who has it afterwards."""

    module: str
    owner: str
    """A class in the module; empty for the module itself."""
    name: str
    words: str
    """What is done; `{}` stands for `what`."""
    what: Callable[..., object] = lambda *_, **__: ""
    """By the arguments: what tells this work from other work of the same function."""
    keeps: Callable[..., object] = lambda *_, **__: None
    """By the arguments: the object that keeps the result; None where the process does."""


def _first(*args: Any, **_: Any) -> object:
    return args[0] if args else None


def _second(*args: Any, **named: Any) -> object:
    return args[1] if len(args) > 1 else named.get("name")


def _third(*args: Any, **_: Any) -> object:
    return args[2] if len(args) > 2 else ""  # `self` and the file come first


def _class_name(*args: Any, **_: Any) -> object:
    return getattr(args[0], "__name__", "")


def _adapted(*args: Any, **_: Any) -> object:
    return repr(getattr(args[0], "_type", ""))


_MODEL = "pydantic._internal._model_construction"
_ROWS = (
    _Row("jinja2.environment", "Environment", "_load_template", "the template {}", _second, _first),
    _Row("mako.lookup", "TemplateLookup", "_load", "the template {}", _third, _first),
    _Row("re._compiler", "", "compile", "the pattern {}", _first),
    _Row(_MODEL, "", "complete_model_class", "the schema of {}", _class_name, _first),
    _Row("pydantic._internal._dataclasses", "", "complete_dataclass", "the schema of {}", _class_name, _first),
    _Row("pydantic.type_adapter", "TypeAdapter", "_init_core_attrs", "the schema of {}", _adapted),
    _Row("fastapi.openapi.utils", "", "get_openapi", "the OpenAPI document"),
    _Row("fastapi.applications", "", "get_openapi", "the OpenAPI document"),
    _Row("fastapi.applications", "FastAPI", "build_middleware_stack", "the app's middleware", keeps=_first),
    _Row("starlette.applications", "Starlette", "build_middleware_stack", "the app's middleware", keeps=_first),
    _Row("sqlalchemy.orm.mapper", "", "_configure_registries", "the mappers of SQLAlchemy"),
    _Row("mimetypes", "", "init", "the table of mimetypes"),
)
MODULES = tuple(dict.fromkeys(row.module for row in _ROWS))
"""The modules that are patched, as far as they are imported."""

_done: set[tuple[str, Hashable]] = set()
"""What the process keeps and the present test did already."""
_done_by: dict[int, tuple[Any, set[tuple[str, Hashable]]]] = {}
"""What an object keeps, by its `id`, with a weak reference to it: not every such object has a hash."""


_ever_imported: set[str] = set()
"""The modules that steps of this process have imported."""
_IMPORT = "import"


def forget() -> None:
    """The next test begins: it may run an app of its own, with a schema or a pattern of the same name."""
    _done.clear()


def is_first_import(module: str) -> bool:
    """Whether no step of the present test has imported the module before; notes that one does now."""
    work = (_IMPORT, module)
    first = work not in _done
    _done.add(work)
    return first


def is_imported_again(module: str) -> bool:
    """Whether a step of any test has imported the module before; notes that one does now."""
    again = module in _ever_imported
    _ever_imported.add(module)
    return again


def patches() -> Iterator[Patch]:
    """One for each function that is there."""
    for row in _ROWS:
        owner: Any = sys.modules.get(row.module)
        if owner is not None and row.owner:
            owner = getattr(owner, row.owner, None)
        if hasattr(owner, row.name):
            yield Patch(owner, row.name, functools.partial(_wrapper, row))


def _wrapper(row: _Row, original: Callable[..., Any]) -> Callable[..., Any]:
    stepping, ident = STEPPING, _ident

    def noblock_first_time(*args: Any, **kwargs: Any) -> Any:  # `judge` knows the name: see `segment.FIRST_TIME`
        __tracebackhide__ = True
        meter = stepping.get(ident())
        began = None if meter is None else guarded(meter.deductions.first_use_begins)
        try:
            return original(*args, **kwargs)
        finally:
            if meter is not None and began is not None:
                words = functools.partial(_words, row, args, kwargs)
                guarded(meter.deductions.first_use_ended, began, words)

    @functools.wraps(original)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        if stepping and ident() in stepping and _is_first(row, args, kwargs):
            return noblock_first_time(*args, **kwargs)
        return original(*args, **kwargs)

    return wrapper


def _is_first(row: _Row, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether this has not been done before; notes that it is done now. Raises nothing into the app."""
    try:
        done = _done_for(row.keeps(*args, **kwargs))
        work = (row.words, str(row.what(*args, **kwargs)))
        if work in done:
            return False
        done.add(work)
    except Exception:  # noqa: BLE001  # a repr or a weak reference that the user's object refuses
        return False
    return True


def _done_for(keeper: object) -> set[tuple[str, Hashable]]:
    if keeper is None:
        return _done
    known = _done_by.get(id(keeper))
    if known is None:
        number = id(keeper)
        known = _done_by[number] = weakref.ref(keeper, lambda _: _done_by.pop(number, None)), set()
    return known[1]


def _words(row: _Row, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    text = str(row.what(*args, **kwargs))
    return row.words.format(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}...")
