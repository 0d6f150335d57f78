"""What a test freezes or replaces is not what the engine uses."""

import builtins
import importlib
import inspect
import os
import pkgutil
import time
from unittest import mock

import pytest_noblock
from pytest_noblock.engine import now as module
from pytest_noblock.engine.now import now, open_file

ENGINE = "pytest_noblock.engine"


def ours():
    return (each.name for each in pkgutil.walk_packages(pytest_noblock.__path__, "pytest_noblock."))


def imported(name):
    """The module; None where it needs a package that is not installed, as trio."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as missing:
        if str(missing.name).startswith("pytest_noblock"):
            raise
        return None


def test_the_clock_goes_on_in_a_test_that_freezes_time(monkeypatch):
    for name in ("time", "monotonic", "perf_counter", "time_ns", "monotonic_ns", "perf_counter_ns", "clock_gettime_ns"):
        monkeypatch.setattr(time, name, lambda *_: 0)
    before = now()
    assert before > 0
    assert now() >= before
    assert any(now() > before for _ in range(100_000))


def test_the_clock_is_the_one_that_others_read():
    before = time.perf_counter_ns()
    assert before <= now() <= time.perf_counter_ns()


def test_the_clock_is_no_function_of_time():
    """freezegun replaces every module attribute that is one."""
    functions = [value for value in vars(time).values() if callable(value)]
    assert not any(value is each for value in vars(module).values() for each in functions)
    assert not inspect.isbuiltin(now)


def test_a_mock_in_the_place_of_open_is_the_tests_own(monkeypatch, tmp_path):
    tmp_path.joinpath("file").write_text("ours", encoding="utf-8")
    monkeypatch.setattr(builtins, "open", mock.mock_open(read_data="the test's"))
    with open_file(tmp_path / "file", encoding="utf-8") as file:
        assert file.read() == "ours"


def test_our_threads_sleep_where_a_test_has_a_mock_in_the_place_of_sleep(monkeypatch):
    monkeypatch.setattr(time, "sleep", mock.Mock())
    before = now()
    module.sleep(0.002)
    assert now() - before >= 2_000_000
    assert not time.sleep.called


def test_no_module_of_ours_holds_a_function_that_a_test_replaces():
    """pyfakefs replaces each attribute of a module that is a function of `os`, `os.path` or `io`."""
    modules = [each for name in ours() if name.startswith(ENGINE) and (each := imported(name)) is not None]
    names = [
        f"{each.__name__}.{name}"
        for each in modules
        for name, value in vars(each).items()
        if getattr(value, "__module__", None) in {"posix", "os", "io", "_io", "posixpath", "genericpath"}
        and not inspect.isclass(value)
    ]
    assert len(modules) > 50
    assert not names


def test_a_file_of_proc_is_read_whole(tmp_path, monkeypatch):
    tmp_path.joinpath("file").write_bytes(b"line\n" * 10_000)
    monkeypatch.setattr(os, "open", mock.Mock(side_effect=OSError))
    monkeypatch.setattr(os, "read", mock.Mock(side_effect=OSError))
    assert module.read_file(str(tmp_path / "file")) == b"line\n" * 10_000
