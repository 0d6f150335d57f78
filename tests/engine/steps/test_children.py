"""What a child waited for a processor while the step waited for it, by the kernel's own count of the child."""

import itertools
import subprocess
import sys

import pytest

from pytest_noblock.engine.steps import children

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells of other processes")

MS = 1_000_000
SLEEP = ["sleep", "0.02"]
SECOND = 1_000 * MS


@pytest.fixture
def delays(monkeypatch):
    """The run-queue delays (ms) that the kernel tells of a child, one for each time that it is asked.

    A second passes from one time to the next, as if the loop thread had slept.
    """

    def delays(*told):
        left = list(told)
        monkeypatch.setattr(children, "now", itertools.count(SECOND, SECOND).__next__)
        monkeypatch.setattr(children, "read_file", lambda path: b"0 %d 1" % (left.pop(0) * MS))
        return left

    return delays


@pytest.mark.parametrize(
    ("wait", "told"),
    [
        (lambda: subprocess.run(SLEEP, check=True), (1, 16)),
        (lambda: subprocess.run(SLEEP, check=True, capture_output=True), (1, 16)),
        (lambda: subprocess.run(SLEEP, check=True, timeout=30), (1, 16)),
        (lambda: subprocess.check_output(" ".join(SLEEP), shell=True), (1, 16)),
    ],
    ids=["run", "with its output", "for a time", "by a shell"],
)
def test_what_the_child_queued_is_taken_off_the_wait_for_it(metered, delays, wait, told):
    left = delays(*told)
    [segment] = metered(wait)
    assert segment.children_queued == 15 * MS
    assert left == []


def test_it_is_never_more_than_the_loop_thread_slept_meanwhile(metered, delays):
    delays(0, 10_000)
    [segment] = metered(lambda: subprocess.run(SLEEP, check=True))
    assert 0 < segment.children_queued <= SECOND


def test_of_two_children_that_run_together_the_one_that_queued_longer_counts(metered, delays):
    def both():
        first, second = subprocess.Popen(SLEEP), subprocess.Popen(SLEEP)
        first.wait(), second.wait()

    delays(0, 0, 10, 14)
    [segment] = metered(both)
    assert segment.children_queued == 14 * MS


def test_of_two_children_that_run_one_after_the_other_both_count(metered, delays):
    delays(0, 10, 0, 14)
    [segment] = metered(lambda: (subprocess.run(SLEEP, check=True), subprocess.run(SLEEP, check=True)))
    assert segment.children_queued == 24 * MS


def test_a_child_of_an_earlier_step_counts_from_the_wait_for_it_on(metered, delays):
    started = []
    delays(0, 20, 25)
    *_, segment = metered(lambda: started.append(subprocess.Popen(SLEEP)), lambda: [child.wait() for child in started])
    assert segment.children_queued == 5 * MS


def test_a_child_that_the_kernel_does_not_know_explains_nothing(metered, monkeypatch):
    def gone(path):
        raise FileNotFoundError(path)

    monkeypatch.setattr(children, "read_file", gone)
    [segment] = metered(lambda: subprocess.run(SLEEP, check=True))
    assert segment.children_queued == 0


def test_a_child_that_somebody_else_has_waited_for_is_as_it_was(metered):
    import os

    def waits_twice():
        child = subprocess.Popen(SLEEP)
        os.waitpid(child.pid, 0)
        return child.wait()

    found = []
    metered(lambda: found.append(waits_twice()))
    assert found == [0]


@pytest.mark.parametrize("exact", [False, True])
def test_a_real_child_ends_as_ever(metered, exact):
    def runs():
        told.append(
            subprocess.run([sys.executable, "-S", "-c", "print(7)"], capture_output=True, text=True, check=False)
        )
        told.append(subprocess.run("exit 3", shell=True, check=False))
        with pytest.raises(subprocess.TimeoutExpired):
            subprocess.run(["sleep", "20"], timeout=0.02, check=False)

    told = []
    metered(runs, exact=exact)
    assert (told[0].stdout, told[0].returncode, told[1].returncode) == ("7\n", 0, 3)
