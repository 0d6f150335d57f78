"""The frames of all threads, while garbage is collected at every chance."""

import gc
import sys
import threading

import pytest

from pytest_noblock.engine.current_frames import current_frames


@pytest.fixture
def collecting():
    """Garbage is collected at every chance. Each collection asks for the frames, as a finalizer with a look does."""
    asked = []

    def ask(phase, _info):
        if not asked or asked[-1] != "asks":
            asked.append("asks")
            current_frames()
            asked.append(phase)

    before = gc.get_threshold()
    gc.callbacks.append(ask)
    gc.set_threshold(1)
    yield asked
    gc.set_threshold(*before)
    gc.callbacks.remove(ask)


def test_a_collection_in_its_midst_asks_for_no_lock_that_is_taken(collecting):
    """On CPython 3.11 `sys._current_frames()` stands still here, for good."""
    for _ in range(100):
        assert threading.get_ident() in current_frames()
    assert collecting
    assert gc.isenabled()


def test_the_collector_stays_off_where_the_app_has_switched_it_off():
    gc.disable()
    try:
        assert current_frames()[threading.get_ident()] is sys._getframe()
        assert not gc.isenabled()
    finally:
        gc.enable()
