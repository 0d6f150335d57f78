"""The dotted name by which people know a function, a class or a method: `requests.get`, not `requests.api.get`.

Reads what is loaded, and of it the plain attributes of modules and classes only: no property, no `__getattr__` and no
metaclass of user code ever runs.
"""

import builtins
import sys
import types
from collections.abc import Mapping
from typing import TypeGuard, TypeVar

from pytest_noblock.calls.known import is_async, known
from pytest_noblock.model.stand_in import StandIn

_PUBLIC_MODULES = {
    "posix": "os",
    "nt": "os",
    "posixpath": "os.path",
    "ntpath": "os.path",
    "genericpath": "os.path",
    "_thread": "threading",
}
"""By the module that functions name as their own, and that nobody imports: the module that people import."""
_ALIASES = {
    "threading.lock": "threading.Lock",
    "pathlib.PosixPath": "pathlib.Path",
    "pathlib.WindowsPath": "pathlib.Path",
    "tempfile._TemporaryFileWrapper": "tempfile.NamedTemporaryFile",
    "grpc._channel.Channel": "grpc.Channel",
    "grpc._channel._UnaryUnaryMultiCallable": "grpc.UnaryUnaryMultiCallable",
    "grpc._channel._UnaryStreamMultiCallable": "grpc.UnaryStreamMultiCallable",
    "grpc._channel._StreamUnaryMultiCallable": "grpc.StreamUnaryMultiCallable",
    "grpc._channel._StreamStreamMultiCallable": "grpc.StreamStreamMultiCallable",
    "grpc._channel._MultiThreadedRendezvous": "grpc.Future",
    "multiprocessing.queues.Queue": "multiprocessing.Queue",
    "multiprocessing.queues.SimpleQueue": "multiprocessing.SimpleQueue",
    "multiprocessing.queues.JoinableQueue": "multiprocessing.JoinableQueue",
    "celery.local.PromiseProxy": "celery.Task",
    "celery.app.task.Task": "celery.Task",
}
"""By the path of a class: the name that people know, often that of the function that makes the objects."""
_MODULE_DICT = vars(types.ModuleType)["__dict__"]
_CLASS_DICT, _CLASS_MRO, _CLASS_MODULE, _CLASS_QUALNAME = (
    vars(type)[name] for name in ("__dict__", "__mro__", "__module__", "__qualname__")
)
_T = TypeVar("_T")
_MOST_PATHS = 10_000
_PATHS: dict[tuple[str, str], str] = {}
"""By module and qualified name. Kept because to find a path takes a read of a whole package. Emptied when full."""


def is_a(thing: object, kind: type[_T]) -> TypeGuard[_T]:
    """`isinstance` by the real type: an object's own `__class__` may be a property."""
    return issubclass(type(thing), kind)


def module_contents(module: object) -> Mapping[str, object]:
    """The names of a module that are there already; a lazy module stays lazy."""
    contents: Mapping[str, object] = _MODULE_DICT.__get__(module) if is_a(module, types.ModuleType) else {}
    return contents


def class_contents(cls: type) -> Mapping[str, object]:
    """The attributes that a class itself defines."""
    contents: Mapping[str, object] = _CLASS_DICT.__get__(cls)
    return contents


def ancestors(cls: type) -> tuple[type, ...]:
    """A class and its bases, in the order in which attributes are looked up."""
    order: tuple[type, ...] = _CLASS_MRO.__get__(cls)
    return order


def path_of(thing: object) -> str | None:
    """The shortest public dotted path of a function or class; None where it has none."""
    module, qualname = _origin(thing)
    if not module or not qualname or "<" in qualname:
        return None
    path = _PATHS.get((module, qualname))
    if path is None and (path := _shortest_path(thing, module, qualname)) is not None:
        if len(_PATHS) >= _MOST_PATHS:
            _PATHS.clear()
        _PATHS[module, qualname] = path
    return path


def member_path(module: object, attribute: str) -> str | None:
    """The path of `module.attribute`: as it is written there, or a better known one."""
    name = module_contents(module).get("__name__")
    if not is_a(name, str):
        return None
    member = module_contents(module).get(attribute)
    written = f"{_PUBLIC_MODULES.get(name, name)}.{attribute}"
    path = path_of(member)
    if path is None or (is_private(_origin(member)[0] or "") and not is_private(written)):
        return written
    same_package = _top(path) == _top(written)
    return written if same_package and _length(written) <= _length(path) and not is_private(written) else path


def method_path(cls: type, method: str, own_package: str) -> str | None:
    """The path of a method by the class that people know it by; None where that class is user code.

    `own_package`: the top-level package of the code that calls it.
    """
    order = ancestors(cls)
    definer = next((base for base in order if method in class_contents(base)), None)
    paths = []
    for base in order[:-1] or order:
        path = path_of(base)
        if path and (definer is None or any(definer is other for other in ancestors(base))):
            if known(f"{path}.{method}"):
                return f"{path}.{method}"
            paths += [path] if is_installed(_origin(base)[0], own_package) else []
        if path and is_async(path):
            break
    return _method_of(paths, method) if is_installed(_origin(order[0])[0], own_package) else None


def found_at(path: str) -> object:
    """What a dotted path leads to at present, a mock that a test put there included; None where it leads nowhere."""
    parts = path.split(".")
    for length in range(len(parts) - 1, 0, -1):
        thing: object = sys.modules.get(".".join(parts[:length]))
        if thing is not None:
            for name in parts[length:]:
                thing = _member(thing, name)
            return thing
    return None


def _member(thing: object, name: str) -> object:
    if not is_a(thing, type):
        return module_contents(thing).get(name)
    return next((class_contents(base)[name] for base in ancestors(thing) if name in class_contents(base)), None)


def is_installed(module: str | None, own_package: str) -> bool:
    """Whether a module is a library's, not of the calling code's package. Other functions are shown as written."""
    top = _top(module or "")
    if top == own_package:
        return False
    if top in sys.stdlib_module_names:
        return True
    file = module_contents(sys.modules.get(module or "")).get("__file__")
    return is_a(file, str) and ("site-packages" in file or "dist-packages" in file)


def origin_module(thing: object) -> str | None:
    """The module that a function or class says it is from."""
    return _origin(thing)[0]


def _method_of(paths: list[str], method: str) -> str | None:
    public = next((path for path in paths if not is_private(path)), paths[0] if paths else None)
    return f"{public}.{method}" if public else None


def _origin(thing: object) -> tuple[str | None, str | None]:
    if is_a(thing, type):
        module, qualname = _class_module(thing), _CLASS_QUALNAME.__get__(thing)
    elif is_a(thing, types.FunctionType) or is_a(thing, types.BuiltinFunctionType) or is_a(thing, StandIn):
        module, qualname = thing.__module__, thing.__qualname__
    else:
        return None, None
    return (module if type(module) is str else None), (qualname if type(qualname) is str else None)


def _class_module(cls: object) -> object:
    try:
        return _CLASS_MODULE.__get__(cls)
    except AttributeError:  # the class deleted it
        return None


def _shortest_path(thing: object, module: str, qualname: str) -> str | None:
    head, _, rest = qualname.partition(".")
    holder = module_contents(sys.modules.get(module)).get(head) if rest else thing
    if vars(builtins).get(head) is holder and holder is not None:
        return qualname
    if module == "builtins":  # a compiled class that names no module says so
        return None
    homes = [name for name in _homes_of(holder, module, head) if not is_private(name)]
    home = min(homes, key=lambda name: (_length(name), not f"{module}.".startswith(f"{name}."), name), default=None)
    path = f"{home}.{qualname}" if home else _path_in_twin(thing, module, qualname)
    return _aliased(path)


def _aliased(path: str) -> str:
    """A class, or a method of it, by the name of the class that people know."""
    owner, _, method = path.rpartition(".")
    return _ALIASES.get(path) or (f"{_ALIASES[owner]}.{method}" if owner in _ALIASES else path)


def _homes_of(thing: object, module: str, name: str) -> list[str]:
    tops = {_top(module), _top(_public_twin(module))}
    modules = sys.modules.copy()  # in one go: a collection may let another thread run, which imports
    loaded = [(other, found) for other, found in modules.items() if _top(str(other)) in tops]
    return [other for other, found in loaded if thing is not None and module_contents(found).get(name) is thing]


def _path_in_twin(thing: object, module: str, qualname: str) -> str:
    """`hashlib.sha256` says of itself that it is `_hashlib.openssl_sha256`."""
    twin = _public_twin(module)
    names = (name for name, value in dict(module_contents(sys.modules.get(twin))).items() if value is thing)
    return f"{twin}.{next((name for name in names if not name.startswith('_')), qualname)}"


def _public_twin(module: str) -> str:
    twin = _PUBLIC_MODULES.get(module, module.lstrip("_"))
    return twin if twin in sys.modules else module


def is_private(path: str) -> bool:
    """Whether a dotted path has a part that nobody is meant to write."""
    return path in _PUBLIC_MODULES or any(
        part.startswith("_") and not part.startswith("__") for part in path.split(".")
    )


def _top(path: str) -> str:
    return path.partition(".")[0]


def _length(path: str) -> int:
    return path.count(".")
