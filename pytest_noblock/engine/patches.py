"""Attributes of classes and modules that are wrapped for a while: installed and uninstalled for every watched test.

A test may patch the same attribute. `install` wraps the test's value like any other, and
`uninstall` leaves the test's value in place. A test may also put back an old wrapper of
ours after `uninstall`. Such a wrapper counts as the function that it wraps.
"""

import inspect
import sys
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial, update_wrapper
from itertools import repeat
from operator import call, is_
from types import BuiltinFunctionType, FunctionType, MethodDescriptorType, ModuleType
from typing import Any, NamedTuple

from pytest_noblock.model.stand_in import StandIn

_exhaust = deque[object](maxlen=0).extend  # runs an iterator to its end, in C: some thirty patches, twice for each test


class _Carried(NamedTuple):
    """What a wrapper of ours carries. `functools.wraps` copies it to other wrappers: `wrapper` says whose it is."""

    wrapper: Any
    original: Any
    patches: "Patches"


class _Builtin(StandIn):
    """The wrapper of a function that is written in C, as such a function.

    It is no descriptor: `class Backoff: sleep = time.sleep` works with the function, and would
    hand a plain wrapper `self`; `class Call(Enum): SLEEP = time.sleep` would make no member of it.
    """

    def __init__(self, original: Any, owner: Any, name: str) -> None:
        ours: Any = self
        update_wrapper(ours, original)
        self.__self__ = original.__self__
        self._original = original
        self._owner = owner
        self._name = name

    @property  # type: ignore[misc]  # of a stand-in, as those of unittest.mock: nobody assigns it
    def __class__(self) -> Any:
        """What `isinstance` and `inspect.isbuiltin` ask for."""
        return BuiltinFunctionType

    def __reduce__(self) -> Any:
        """By name, as the function itself: but `socket.gethostbyname` says that it is `_socket.gethostbyname`."""
        name = vars(self)["__qualname__"]
        if attribute(self.__module__, name) is self:
            return name
        from pkgutil import resolve_name  # pytest does without it, and few pickle such a function

        return resolve_name, (_address(self._owner, self._name),)

    def __repr__(self) -> str:
        return repr(self._original)

    # A table of functions (`{time.sleep: "waits"}`) may have been made before, or be read afterwards.
    def __eq__(self, other: object) -> bool:
        return bool(self._original is unwrapped(other))

    def __hash__(self) -> int:
        return hash(self._original)

    def __getattr__(self, name: str) -> Any:
        """What no wrapper has, as `__text_signature__`."""
        return getattr(object.__getattribute__(self, "_original"), name)


def _address(owner: Any, name: str) -> str:
    """Where the attribute is, as `pkgutil.resolve_name` reads it."""
    if isinstance(owner, ModuleType):
        return f"{owner.__name__}:{name}"
    return f"{owner.__module__}:{owner.__qualname__}.{name}"


if sys.version_info >= (3, 12):
    _as_coroutine_function = inspect.markcoroutinefunction
else:

    def _as_coroutine_function(function: Any) -> None:
        """`inspect` and `unittest.mock` ask for the flag; what runs does not (CPython 3.11)."""
        code = function.__code__
        function.__code__ = code.replace(co_flags=code.co_flags | inspect.CO_COROUTINE)


def _like(original: Any, wrapper: Any, owner: Any, name: str) -> Any:
    """The wrapper, as whoever asks of what kind the original is expects it: `mock.patch` makes an AsyncMock by that."""
    if type(original) is BuiltinFunctionType:
        kind = type(name, (_Builtin,), {"__call__": staticmethod(wrapper)})  # in the class, so that no frame is added
        return kind(original, owner, name)
    if type(original) is MethodDescriptorType:  # which has no `__module__`, so that the wrapper says ours
        wrapper.__module__, wrapper.__qualname__ = owner.__module__, f"{owner.__qualname__}.{name}"
    if inspect.iscoroutinefunction(original) and type(wrapper) is FunctionType:
        _as_coroutine_function(wrapper)
    return wrapper


def attribute(module: str, name: str) -> Any:
    """What an imported module has by this name; None for nothing, also where a stand-in of a test refuses to say."""
    try:
        return getattr(sys.modules.get(module), name, None)
    except Exception:  # noqa: BLE001  # the `__getattr__` of a lazy module
        return None


class Patch:
    """One attribute of `owner`; `make` makes a wrapper of the attribute's value, once for each different value."""

    __slots__ = ("_make", "_own", "name", "original", "owner", "wrapper")

    def __init__(self, owner: Any, name: str, make: Callable[[Any], Any]) -> None:
        self.owner = owner
        self.name = name
        self.original: Any = self  # no attribute ever has this value
        self.wrapper: Any = None
        self._make = make
        self._own = False

    def bind(self, patches: "Patches") -> bool:
        """Make a wrapper for what stands there now. Returns whether that is possible."""
        try:
            self._own = self.name in vars(self.owner)
            original = _bare(getattr(self.owner, self.name))
            if original is not self.original:
                self.original = original
                self.wrapper = _like(original, self._make(original), self.owner, self.name)
                self.wrapper.noblock = _Carried(self.wrapper, original, patches)
        except Exception:  # noqa: BLE001  # a stand-in of a test may be anything
            return False
        return True

    def install(self) -> bool:
        """Returns whether the owner lets itself be patched."""
        try:
            setattr(self.owner, self.name, self.wrapper)
        except Exception:  # noqa: BLE001  # it is written in C, or refuses
            return False
        return True

    def is_installed(self) -> bool:
        return getattr(self.owner, self.name, None) is self.wrapper

    def uninstall(self) -> None:
        """What a test has put there stays. What its monkeypatch gave back may be an older wrapper of ours."""
        present = vars(self.owner).get(self.name)
        original = self.original if present is self.wrapper else _bare(present)
        if original is self.original and not self._own:
            delattr(self.owner, self.name)
        elif original is not present:
            setattr(self.owner, self.name, original)

    def undoing(self) -> Callable[[], None]:
        """What `uninstall` does while the wrapper stands there, as one call."""
        if self._own:
            return partial(setattr, self.owner, self.name, self.original)
        return partial(delattr, self.owner, self.name)


def unwrapped(function: Any) -> Any:
    """What the function wraps, if it is a wrapper of ours; else the function itself."""
    ours = _carried(function)
    return ours.original if ours is not None else function


def _bare(function: Any) -> Any:
    """The function without those wrappers of ours whose patches are not installed."""
    while (ours := _carried(function)) is not None and not ours.patches.on:
        function = ours.original
    return function


def _carried(function: Any) -> _Carried | None:
    """None where the function is no wrapper of ours."""
    ours = getattr(function, "noblock", None)
    return ours if type(ours) is _Carried and ours.wrapper is function else None


class Patches:
    """Patches of different attributes that are installed and uninstalled together.

    `find` gives the patches. `install` calls it again when more of the `modules` have been
    imported. Where a module of `at_once` is imported, `instrument` calls `install` at once.
    """

    def __init__(
        self, find: Callable[[], Iterable[Patch]], modules: Iterable[str] = (), *, at_once: Iterable[str] = ()
    ) -> None:
        self.on = False
        self.at_once = frozenset(at_once)
        self._find = find
        self._modules = tuple(modules)
        self._imported: list[ModuleType | None] | None = None
        self._patches: list[Patch] = []
        self._joined: dict[tuple[Any, str], Patches] = {}
        self._bind(())

    def install(self) -> None:
        """Installs what is not installed.

        Reinstalls where modules were imported since or a test replaced a wrapper; else does nothing.
        """
        imported = self._present()
        if imported != self._imported:
            self.uninstall()
            self._imported = imported
            self._patches = list(self._find())
            self._bind(self._patches)
        elif not self._stand(self._wrappers if self.on else self._originals):
            self._bind([patch for patch in self._patches if not (self.on and patch.is_installed())])
        elif self.on:
            return
        try:
            _exhaust(map(setattr, self._owners, self._names, self._wrappers))
        except Exception:  # noqa: BLE001  # a class that is written in C, or that refuses
            self._install_what_can_be()
        self.on = True

    def _install_what_can_be(self) -> None:
        """One by one. What cannot be patched is left out, so that all others are put in and taken out as ever."""
        self._imported = None  # the next `install` looks again: a test may have replaced it for a while
        self._patches = [patch for patch in self._patches if patch.is_installed() or patch.install()]
        self._bind(())

    def catch_up(self) -> None:
        """As `install`, for a caller that knows that nobody has replaced a wrapper: looks for new modules only."""
        if self._present() != self._imported:
            self.install()

    def _present(self) -> list[ModuleType | None]:
        """Those of `modules` that are imported; None for each of the others."""
        return list(map(sys.modules.get, self._modules))

    def uninstall(self) -> None:
        if not self.on:
            return
        self.on = False
        while self._joined:
            self._joined.popitem()[1].uninstall()
        if self._stand(self._wrappers):
            try:
                _exhaust(map(call, self._undoings))
            except Exception:  # noqa: BLE001  # one owner refuses: the others are bare again
                self._uninstall_one_by_one()
        else:
            self._uninstall_one_by_one()

    def _uninstall_one_by_one(self) -> None:
        for patch in self._patches:
            with suppress(Exception):  # a class that has become a stand-in's, and refuses
                patch.uninstall()

    def join(self, patch: Patch) -> None:
        """Installs one more patch, to be uninstalled with the others. Ignores a second one for the same attribute."""
        where = patch.owner, patch.name
        if where not in self._joined:
            self._joined[where] = Patches(lambda: [patch])
            self._joined[where].install()

    def _stand(self, functions: list[Any]) -> bool:
        """Whether the attributes are these now. The wrapper of a builtin is equal to the builtin, and not the same."""
        return all(map(is_, map(getattr, self._owners, self._names, repeat(None)), functions))

    def _bind(self, changed: Iterable[Patch]) -> None:
        self.on = False  # so that a wrapper of ours that a test gave back counts as an old one
        for patch in list(changed):
            if not patch.bind(self):
                self._patches.remove(patch)
                self._imported = None  # as above
        self._owners = [patch.owner for patch in self._patches]
        self._names = [patch.name for patch in self._patches]
        self._originals = [patch.original for patch in self._patches]
        self._wrappers = [patch.wrapper for patch in self._patches]
        self._undoings = [patch.undoing() for patch in self._patches]
