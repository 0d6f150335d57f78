"""What a test freezes or replaces is not what the engine uses."""

import builtins
import inspect
import time
from unittest import mock

from pytest_noblock.engine import now as module
from pytest_noblock.engine.now import now, open_file


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
