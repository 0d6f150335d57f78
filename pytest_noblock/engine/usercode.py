"""Which files are the user's code: only a line of theirs is worth naming."""

import functools
import os
import sys
import sysconfig
import weakref
from collections.abc import Callable, Iterable
from contextlib import suppress

PACKAGE = os.path.join(os.path.abspath(sys.modules[__name__.partition(".")[0]].__path__[0]), "")
"""The folder of this package, with a separator at the end: no file in it is user code."""
_join = functools.partial(os.path.join)
_normal: Callable[[str], str] = functools.partial(os.path.normpath)
_absolute = functools.partial(os.path.abspath)
"""Bound here: a test may put a stand-in in the place of a function of `os`, and counts its calls; pyfakefs does so with
each function of its own accord, but not with a partial."""
_INSTALLED = {"site-packages", "dist-packages"}
_TESTS = {"test", "tests"}
"""Folders whose files belong to a test: a server that a fixture starts is not the app."""


class UserCode:
    """A container of file names: every file under `root` that is not installed, and those of the app's own packages.

    The packages count wherever they lie: under tox the app itself sits in site-packages.
    """

    def __init__(self, root: str, packages: Iterable[str] = ()) -> None:
        self._root = _join(_absolute(root), "")
        self._packages: tuple[str, ...] = ()
        self._included: set[str] = set()
        self._known: dict[str, bool] = {}
        self._apps: dict[int, Callable[[], object]] = {}
        """The apps whose packages have been included, by `id`, as long as they live."""
        self.include(packages)

    @property
    def key(self) -> tuple[str, ...]:
        """Equal keys have equal answers."""
        return self._root, *self._packages

    def is_new(self, app: object) -> bool:
        """Whether nobody has asked so for this app before.

        An ASGI app is any callable: it may have no hash, and it may allow no weak reference. Such an app is new each
        time, as Litestar's and Sanic's: what is kept of it would keep it.
        """
        known = self._apps.get(id(app))
        if known is not None and known() is app:
            return False
        with suppress(TypeError):
            self._apps[id(app)] = weakref.ref(app, functools.partial(self._apps.pop, id(app)))
        return True

    def include(self, packages: Iterable[str]) -> None:
        """Count these top-level packages as user code."""
        new = set(packages) - self._included
        if new:
            self._included |= new
            self._packages += tuple(folder for package in sorted(new) for folder in _folders(package))
            self._known.clear()

    def __contains__(self, file: str) -> bool:
        answer = self._known.get(file)
        if answer is None:
            answer = self._known[file] = self._decide(file)
        return answer

    def is_the_apps(self, file: str) -> bool:
        """Whether the file belongs to a package of the app, and is no test's."""
        return file.startswith(self._packages) and not _is_a_tests(file.split(os.sep))

    def relative(self, file: str) -> str:
        """The path that reports show: relative to `root`, with slashes; absolute where the file lies outside.

        What is no file, as `<string>`, is shown as it is.
        """
        if file.startswith("<"):
            return file
        path = self._absolute(file)
        return path[len(self._root) :].replace(os.sep, "/") if path.startswith(self._root) else path

    def _decide(self, file: str) -> bool:
        if file.startswith("<"):  # no file: `<string>`, `<frozen importlib._bootstrap>`
            return False
        path = self._absolute(file)
        if path.startswith(PACKAGE):
            return False
        if path.startswith(self._packages):
            return True
        return path.startswith(self._root) and not _installed(path)

    def _absolute(self, file: str) -> str:
        """The name without `..`. Not from the working folder: a test may change it, and may remove it."""
        return _normal(_join(self._root, file))


def _is_a_tests(parts: list[str]) -> bool:
    name = parts[-1]
    return name.startswith(("test_", "conftest.")) or name.endswith("_test.py") or not _TESTS.isdisjoint(parts)


def _installed(path: str) -> bool:
    return path.startswith(_stdlib()) or not _INSTALLED.isdisjoint(path.split(os.sep))


def _stdlib() -> tuple[str, ...]:
    paths = sysconfig.get_paths()
    return tuple(_join(_absolute(paths[name]), "") for name in ("stdlib", "platstdlib"))


def _folders(package: str) -> list[str]:
    """The folders of an imported package, or the file of a module."""
    module = sys.modules.get(package)
    folders = [_join(_absolute(path), "") for path in getattr(module, "__path__", ())]
    file = getattr(module, "__file__", None)
    return folders or ([_absolute(file)] if file else [])
