"""What other threads burn: the kernel adds it to the clock of the process late."""

import sys
import threading

from pytest_noblock.engine import other_threads
from pytest_noblock.engine.other_threads import cpu_of, native_threads, others_exactly


def test_the_own_clock_of_each_thread_is_read_before_that_of_the_process(monkeypatch):
    """That adds to the clock of the process what a thread has burned that is on a processor now."""
    read = []
    monkeypatch.setattr(other_threads, "native_threads", lambda: [11, 12])
    monkeypatch.setattr(other_threads, "cpu_of", read.append)
    monkeypatch.setattr(other_threads, "others_so_far", lambda: read.append("process") or 5)
    assert others_exactly() == 5
    assert read == [11, 12, "process"]


def test_no_thread_has_this_number():
    assert cpu_of(2**22) is None  # the highest is one less, see proc(5)
    assert threading.get_native_id() in native_threads() or sys.platform != "linux"
