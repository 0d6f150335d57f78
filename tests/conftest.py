"""What all tests share."""

import functools
import gc
import importlib.metadata
import pkgutil
import signal
import sys
import sysconfig
import warnings
from collections.abc import Iterator
from fnmatch import fnmatch
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest
from _pytest.pytester import SysModulesSnapshot

import pytest_noblock

_LIBRARIES = (sysconfig.get_path("purelib"), sysconfig.get_path("platlib"))
HERE = Path(__file__).parent
GITHUB = ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY")  # a run that sees them tells GitHub what it found
WITH_APPS = (
    "plugin frameworks example* soak test_example_* test_readme.py calls/test_known_calls_are_answered.py".split()
)
"""Folders and files that run apps. All others hold unit tests: pytest and the package's own dependencies are enough."""


def _keep(*names: str) -> None:
    """Import each for good, up to the first that is not installed.

    An inner run takes away again what it was the first to import. The next one would pay
    for it anew, half a second for FastAPI in each of hundreds; and anyio, which keeps the
    backend that it loaded first, would know another trio than the next run. The plugin's
    own modules, left on their package, would keep the run that imported them alive.
    """
    for name in names:
        try:
            with warnings.catch_warnings(action="ignore"):  # an older Starlette's of a newer anyio are not ours
                import_module(name)
        except ImportError:
            return


_keep("trio")
for _module in pkgutil.walk_packages(pytest_noblock.__path__, "pytest_noblock."):
    _keep(_module.name)  # some need a package that only those have installed who use it
_keep("hypothesis")  # its plugin imports it at the end of a run, and trio makes it warn
_keep("fastapi", "httpx2", "fastapi.testclient")  # without httpx2 the test client's import is a warning


if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell started this run by `&`, and a child would keep that
    signal.signal(signal.SIGINT, signal.default_int_handler)


class LeftOut(pytest.Collector):
    """A folder or file whose tests this environment cannot run: skipped, and not even imported."""

    def collect(self) -> list[pytest.Item]:
        pytest.skip('it runs apps: pip install -e ".[dev]"')


def _left_out(path: Path, parent: pytest.Collector) -> LeftOut | None:
    name = path.relative_to(HERE).as_posix()
    if find_spec("fastapi") or not any(fnmatch(name, pattern) for pattern in WITH_APPS):
        return None
    return LeftOut.from_parent(parent, name=path.name, path=path)


def pytest_collect_directory(path: Path, parent: pytest.Collector) -> LeftOut | None:
    return _left_out(path, parent)


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> LeftOut | None:
    return _left_out(module_path, parent)


def pytest_sessionfinish() -> None:
    """Coverage's data of xdist's workers is written before they are asked to end.

    One that takes 5 s for that is sent SIGINT, and what coverage would write at its very end is lost.
    """
    coverage = sys.modules.get("coverage")
    running = coverage.Coverage.current() if coverage is not None else None
    if running is not None:
        running.save()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """The soaks' modules take 90 MB and a second in each worker: who leaves out all their tests need not load them.

    The same for modules in which all is asked of one Python alone, or of two.
    """
    left_out = config.option.markexpr
    if collection_path.name == "soak":
        return True if left_out.startswith("not slow") else None
    if not collection_path.match("test_*.py"):
        return None
    text = collection_path.read_bytes()
    of_one = "not one_python" in left_out and b"\npytestmark = pytest.mark.one_python\n" in text
    of_two = "not two_pythons" in left_out and collection_path.parent.name == "plugin" and b"every_python" not in text
    return True if of_one or of_two else None


def pytest_collection_finish() -> None:
    """What is there for good is not looked through at the end of each inner run, which collects garbage."""
    gc.collect()
    gc.freeze()


def _restore(snapshot: SysModulesSnapshot, original=SysModulesSnapshot.restore) -> None:
    """Take away the modules of the inner run's project only.

    A library that is imported anew by each of hundreds of runs stays in memory as often: there
    is always a registry, a cache or an exit handler that knows it.
    """
    libraries = {name: module for name, module in sys.modules.items() if _is_installed(module)}
    original(snapshot)
    sys.modules.update(libraries)


def _is_installed(module: object) -> bool:
    return str(getattr(module, "__file__", None)).startswith(_LIBRARIES)


def _forget_apps() -> None:
    """FastAPI remembers the last thousands of endpoints, and with them the apps and all that they hold."""
    models = sys.modules.get("fastapi.dependencies.models")
    for cached in vars(models).values() if models else ():
        if hasattr(cached, "cache_clear"):
            cached.cache_clear()


class ReadOnce:
    """What is installed, with what was read of it. Each inner run asks every distribution for plugins.

    To read 150 files of entry points twice, and to look for each file of each plugin, is a third of a short run.
    """

    def __init__(self, distribution: importlib.metadata.Distribution) -> None:
        self._distribution = distribution

    def __getattr__(self, name: str) -> object:
        value = getattr(self._distribution, name)
        setattr(self, name, value)
        return value


@functools.cache
def _distributions() -> list[ReadOnce]:
    return [ReadOnce(each) for each in importlib.metadata.Distribution.discover()]


@pytest.fixture
def pytester(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.Pytester]:
    """Inner runs are the same everywhere: in the order they are written, and with nothing that CI sets.

    pytest-rerunfailures leaves a thread and a socket behind for each, and the last four import for 0.8 s what most
    tests do not use (pyfakefs, httpcore, trio): only who asks for one has it.
    """
    absent = "randomly rerunfailures hypothesispytest fakefs respx time_machine platformdirs".split()
    without = " ".join(f"-p no:{each}" for each in absent)
    monkeypatch.setenv("PYTEST_ADDOPTS", f"{without} -W 'ignore:The configuration option:DeprecationWarning'")
    # pytest cuts no summary line where CI is set; an inner run's pytest-cov would empty the file of the outer's.
    for name in ("CI", "BUILD_NUMBER", "COLUMNS", "FORCE_COLOR", "COVERAGE_FILE", *GITHUB):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(SysModulesSnapshot, "restore", _restore)
    monkeypatch.setattr(importlib.metadata, "distributions", _distributions)
    yield pytester
    _forget_apps()
    gc.collect()
