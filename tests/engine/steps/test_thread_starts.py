"""When a thread was started, and the wait for its first turn, which is no step's."""

import threading
import time
import types

from pytest_noblock.engine.exchange import LiveExchange
from pytest_noblock.engine.now import now
from pytest_noblock.engine.steps import thread_starts

MS = 1_000_000


def test_a_thread_knows_when_it_was_started(installed):
    before = now()
    thread = threading.Thread(target=time.sleep, args=(0,))
    thread.start()
    thread.join()
    assert before <= thread_starts.born_at(thread) <= now()


def test_nobody_knows_when_an_older_thread_was_started():
    assert thread_starts.born_at(threading.main_thread()) is None


def test_how_long_a_new_thread_waits_for_its_first_turn_is_not_the_steps(meter):
    """Beside busy processes it is the machine's doing."""
    closed = []
    meter.attach_gaps(types.SimpleNamespace(close_interval=lambda: closed.append(True), in_step=lambda _: None))
    starts = thread_starts.without_first_turn(lambda: time.sleep(0.02))
    starts()
    assert (meter.deductions.wall, closed) == (0, [])  # nobody's step
    meter.begin(LiveExchange("GET", "/"))
    starts()
    assert meter.deductions.wall >= 20 * MS
    assert closed
