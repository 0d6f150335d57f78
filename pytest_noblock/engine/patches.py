"""Attributes of classes and modules that wear a wrapper for a while: put on and taken off for every watched test."""

import sys
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any, NamedTuple


class _Worn(NamedTuple):
    """What a wrapper carries. `functools.wraps` copies it to wrappers of others: theirs is not the one named here."""

    wrapper: Any
    original: Any
    patch: "Patch"


class Patch:
    """One attribute; `make` turns what stands there into its wrapper, once for each original that is met."""

    __slots__ = ("_make", "_name", "_original", "_own", "_owner", "_wrapper", "on")

    def __init__(self, owner: Any, name: str, make: Callable[[Any], Any]) -> None:
        self.on = False
        self._owner = owner
        self._name = name
        self._make = make
        self._own = False
        self._original: Any = self  # nothing that could stand there
        self._wrapper: Any = None

    def put_on(self) -> None:
        self._own = self._name in vars(self._owner)
        present = getattr(self._owner, self._name)
        if present is not self._original:
            self._wear(self._bare(present))
        setattr(self._owner, self._name, self._wrapper)
        self.on = True

    def _wear(self, original: Any) -> None:
        self._original = original
        self._wrapper = self._make(original)
        self._wrapper.noblock = _Worn(self._wrapper, original, self)

    def take_off(self) -> None:
        """Whatever a test has put there meanwhile stays; what its monkeypatch gave back may be an older wrapper."""
        self.on = False
        present = vars(self._owner).get(self._name)
        original = self._original if present is self._wrapper else self._bare(present)
        if original is self._original and not self._own:
            delattr(self._owner, self._name)
        elif original is not present:
            setattr(self._owner, self._name, original)

    @staticmethod
    def _bare(function: Any) -> Any:
        """Without wrappers of ours that nobody has on any more."""
        while True:
            worn = getattr(function, "noblock", None)
            if type(worn) is not _Worn or worn.wrapper is not function or worn.patch.on:
                return function
            function = worn.original


class Patches:
    """Patches that go on and off together; `find` is asked again when more of the modules have been imported."""

    def __init__(self, find: Callable[[], Iterable[Patch]], modules: Iterable[str]) -> None:
        self._find = find
        self._modules = tuple(modules)
        self._seen: list[ModuleType | None] | None = None
        self._patches: list[Patch] = []
        self.on = False

    def put_on(self) -> None:
        """Again, where more is to be patched than before; else nothing happens to what is on."""
        imported = [sys.modules.get(name) for name in self._modules]
        if imported == self._seen:
            if self.on:
                return
        else:
            self.take_off()
            self._seen = imported
            self._patches = list(self._find())
        self.on = True
        for patch in self._patches:
            patch.put_on()

    def take_off(self) -> None:
        """In the reverse order: two may stand on one attribute."""
        if self.on:
            self.on = False
            for patch in reversed(self._patches):
                patch.take_off()
