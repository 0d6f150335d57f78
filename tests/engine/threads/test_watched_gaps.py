"""What the watchdog records when it had to wait for the GIL while no step ran."""

import threading
import time
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from pytest_noblock.engine import instrument
from pytest_noblock.engine.clocks import best_clock, voluntary_switches
from pytest_noblock.engine.exchange import CURRENT, LiveExchange
from pytest_noblock.engine.now import now
from pytest_noblock.engine.steps import python_threads
from pytest_noblock.engine.steps.python_threads import PythonThreads, mark_as_the_apps, read_clocks
from pytest_noblock.engine.threads.under_way import UnderWay
from pytest_noblock.engine.threads.watched_gaps import WatchedGaps

MS = 1_000_000

pytestmark = pytest.mark.skipif(not best_clock().splits_waiting, reason="the portable meter sees no gaps")
CLOCK = SimpleNamespace(delay=lambda: b"0 0 0")


class Burner:
    """A thread that burns 60 ms once it is told to, and lives on."""

    def __init__(self, *, apps=True):
        self._go, self.done, self._over = (threading.Semaphore(0) for _ in range(3))
        self.thread = threading.Thread(target=self._burn)
        if apps:
            mark_as_the_apps(self.thread)
        self.thread.start()

    def _burn(self):
        self._go.acquire()
        until = time.thread_time() + 0.06
        while time.thread_time() < until:
            pass
        self.done.release()
        self._over.acquire()

    def burn(self):
        self._go.release()
        self.done.acquire()

    def end(self):
        self._go.release()
        self._over.release()
        self.thread.join()


@contextmanager
def context_of_a_request():
    """The patches are in, as in a watched test: what is started here is the app's."""
    token = CURRENT.set(LiveExchange("GET", "/"))
    instrument.install()
    try:
        yield
    finally:
        instrument.uninstall()
        CURRENT.reset(token)


@pytest.fixture
def burner():
    burners = []

    def burner(**how):
        burners.append(Burner(**how))
        return burners[-1]

    yield burner
    for each in burners:
        each.end()


def waited(user, *burners, requests=None, waited_ms=100):
    """The gaps after the watchdog waited so long while these burned."""
    request = LiveExchange("GET", "/")
    under_way = [UnderWay(request, threading.get_ident(), None)] if requests is None else requests
    marks = read_clocks(now())
    gaps = WatchedGaps(10 * MS, lambda first: under_way[first:], lambda: [marks, read_clocks(now())])
    gaps.begin(PythonThreads())
    for each in burners:
        each.burn()
    due = marks.at  # as the clock says: however long a busy machine took, none of it passed by
    gaps.woke(due, due + waited_ms * MS, CLOCK, b"0 0 0", voluntary_switches() - 21)
    return gaps.gaps(user)


def blamed(gap):
    """What the thread burned that computed most."""
    return max((each.cpu for each in gap.workers), default=0)


def test_the_thread_of_the_app_that_burned_and_the_request_that_was_under_way(user, burner):
    (gap,) = waited(user, burner())
    assert gap.late >= 100 * MS
    assert gap.switches >= 20
    assert gap.seen_by == "watchdog"
    assert 59 * MS <= gap.workers[0].cpu <= gap.others_cpu
    assert "_burn" in [frame.function for frame in gap.workers[0].stack]


def test_a_wait_in_which_nobody_read_the_clocks_is_kept_and_says_so(user, burner, monkeypatch):
    """It was dropped without a word: two requests that kept the GIL for 200 ms each were green once."""
    (read,) = waited(user, burner())
    monkeypatch.setattr("pytest_noblock.engine.threads.watched_gaps.read_clocks", lambda *_, **__: None)
    (unread,) = waited(user, burner())
    assert (read.unread, unread.unread) == (False, True)
    assert unread.workers == ()


class GoesOn(Burner):
    """It does something else once it has burned, before the watchdog looks."""

    def _burn(self):
        super()._burn()
        self._go.acquire()
        self._rests()

    def _rests(self):
        self.done.release()
        self._over.acquire()

    def goes_on(self):
        self._over.release()
        self.burn()


@pytest.mark.parametrize("looks", [True, False])
def test_where_another_thread_looked_right_after_the_computation_its_look_tells_the_line(user, looks):
    """The test's thread or the loop thread may have the GIL before the watchdog; the next one has the app's thread."""
    one = GoesOn()
    request = UnderWay(LiveExchange("GET", "/"), threading.get_ident(), None)
    marks = read_clocks(now())
    gaps = WatchedGaps(10 * MS, lambda first: [request][first:], lambda: [marks])
    one.burn()
    if looks:
        gaps.overtaken()
    one.goes_on()
    gaps.overtaken()  # it tells nothing new: too soon after the other, or too late
    gaps.woke(marks.at, marks.at + 100 * MS, CLOCK, b"0 0 0", voluntary_switches() - 21)
    one.end()
    (gap,) = gaps.gaps(user)
    assert ("_rests" in [frame.function for frame in gap.workers[0].stack]) is not looks


def test_of_several_looks_at_a_thread_that_which_ended_its_longest_go_tells_the_line(user):
    """It computed a little, and another thread looked; then it kept the GIL until the watchdog looked."""
    one = GoesOn()
    request = UnderWay(LiveExchange("GET", "/"), threading.get_ident(), None)
    marks = read_clocks(now())
    gaps = WatchedGaps(10 * MS, lambda first: [request][first:], lambda: [marks])
    gaps.overtaken()
    one.burn()
    one.goes_on()
    gaps.woke(marks.at, marks.at + 100 * MS, CLOCK, b"0 0 0", voluntary_switches() - 21)
    one.end()
    (gap,) = gaps.gaps(user)
    assert "_rests" in [frame.function for frame in gap.workers[0].stack]


def test_a_thread_that_may_be_the_apps_or_not_is_told_and_not_blamed(user, burner):
    """An SDK's, started as the app was imported; a server of a fixture's."""
    (gap,) = waited(user, burner(apps=False))
    assert gap.workers == ()
    assert 59 * MS <= gap.stranger.cpu <= gap.others_cpu
    assert "_burn" in [frame.function for frame in gap.stranger.stack]


def test_the_thread_that_runs_the_tests_is_nobodys(user, burner, monkeypatch):
    one = burner(apps=False)
    monkeypatch.setattr(threading, "main_thread", lambda: one.thread)
    assert waited(user, one) == ()


class Ending(Burner):
    """It ends once it has burned, before the watchdog looks."""

    def burn(self):
        super().burn()
        self.end()


def test_one_thread_of_the_app_that_has_ended_by_then_is_known_by_what_the_living_did_not_burn(user):
    (gap,) = waited(user, Ending())
    assert 40 * MS <= gap.workers[0].cpu <= gap.others_cpu
    assert gap.workers[0].stack == ()


class Collected(Ending):
    """It ends without having burned, while this thread collects garbage for 60 ms."""

    def _burn(self):
        self._go.acquire()

    def burn(self):
        self.end()
        python_threads.collection("start")
        until = time.thread_time() + 0.06
        while time.thread_time() < until:
            pass
        python_threads.collection("stop")


def test_a_collection_meanwhile_is_not_what_a_thread_burned_that_has_ended(user):
    assert waited(user, Collected()) == ()


def test_nobody_knows_which_of_two_that_have_ended_burned_or_whose_a_stranger_was(user):
    for gap in (*waited(user, Ending(), Ending()), *waited(user, Ending(apps=False))):
        assert blamed(gap) < MS
        assert gap.shared_cpu >= 40 * MS  # somebody did


def test_a_thread_that_came_and_went_while_the_watchdog_waited(user):
    class Brief(Ending):
        def __init__(self):
            """It is started as the request starts it, when it is to burn."""

        def burn(self):
            with context_of_a_request():
                super().__init__(apps=False)
            super().burn()

    (gap,) = waited(user, Brief())
    assert gap.workers[0].cpu >= 40 * MS  # less what passed between the marks and the wait
    assert all(blamed(gap) < MS for gap in waited(user, Brief(), Brief()))


def test_where_a_thread_of_the_test_burned_as_much_nobody_knows_who_kept_it(user, burner):
    assert waited(user, burner(), burner(apps=False)) == ()
    assert waited(user, burner(), burner()) != ()


def test_a_loop_thread_cannot_keep_the_gil_from_itself(user, burner):
    """It may be the app's by its stack: the test's own thread runs the loop, and the app stands in the test's file."""
    loop_thread = burner()
    under_way = [UnderWay(LiveExchange("GET", "/"), loop_thread.thread.ident, None)]
    assert waited(user, loop_thread, requests=under_way) == ()


def test_a_request_that_came_later_or_had_ended_was_not_under_way(user, burner):
    ended, later = LiveExchange("GET", "/"), LiveExchange("GET", "/")
    ended.returned = now()
    later.sent = now() + 10**12
    requests = [UnderWay(each, threading.get_ident(), None) for each in (ended, later)]
    assert waited(user, burner(), requests=requests) == ()


def test_a_watchdog_that_was_in_time_or_had_no_processor_saw_no_gap(user, monkeypatch):
    assert waited(user, waited_ms=5) == ()
    monkeypatch.setattr(CLOCK, "delay", lambda: b"0 95000000 9")
    assert waited(user, waited_ms=100) == ()


def test_what_a_thread_burned_before_the_watchdog_was_due_may_have_been_before_the_wait(user, burner):
    marks = read_clocks(now())
    burning = burner()
    burning.burn()
    request = UnderWay(LiveExchange("GET", "/"), threading.get_ident(), None)
    request.record.sent = 0
    gaps = WatchedGaps(10 * MS, lambda first: [request][first:], lambda: [marks, read_clocks(now())])
    gaps.woke(now(), now() + 100 * MS, CLOCK, b"0 0 0", voluntary_switches() - 21)
    (gap,) = gaps.gaps(user)
    assert gap.workers == ()  # nobody computed in the wait


def test_what_it_burned_since_the_clocks_were_read_is_an_upper_bound(user, burner):
    marks = read_clocks(now())
    request = UnderWay(LiveExchange("GET", "/"), threading.get_ident(), None)
    request.record.sent = 0
    gaps = WatchedGaps(10 * MS, lambda first: [request][first:], lambda: [marks])
    burner().burn()
    due = marks.at + 40 * MS
    gaps.woke(due, max(now(), due + 100 * MS), CLOCK, b"0 0 0", voluntary_switches() - 21)
    (worker,) = next(iter(gaps.gaps(user))).workers
    assert worker.at_most >= 60 * MS
    assert worker.cpu == worker.at_most - 40 * MS


@pytest.mark.parametrize("looks", [True, False])
def test_what_was_burned_since_a_look_after_the_wait_began_counts_where_the_marks_before_are_too_old(
    user, burner, looks
):
    """One thread kept the GIL right after another, and the watchdog could not mark the threads in between."""
    old = read_clocks(now())
    request = UnderWay(LiveExchange("GET", "/"), threading.get_ident(), None)
    request.record.sent = 0
    gaps = WatchedGaps(10 * MS, lambda first: [request][first:], lambda: [old._replace(at=old.at - 10**10)])
    burning, due = burner(), now()
    if looks:
        gaps.overtaken()
    burning.burn()
    gaps.woke(due, max(now(), due + 100 * MS), CLOCK, b"0 0 0", voluntary_switches() - 21)
    blamed_for = [blamed(gap) for gap in gaps.gaps(user)]
    assert any(each >= 59 * MS for each in blamed_for) is looks


class Owners:
    """Knows for which requests the threads work, by their identity."""

    def __init__(self, **owners):
        self.owners, self.keepers, self.asked = owners, set(), []

    def now(self):
        return self.owners.get("threads", {})

    def of(self, threads, under_way):
        self.asked = threads
        return [each for each in under_way if each.record.number in threads[0].exchanges]


@pytest.mark.parametrize("known", [True, False])
def test_among_many_requests_the_gap_is_of_the_one_whose_thread_burned(user, burner, known):
    requests = [UnderWay(LiveExchange("GET", f"/{each}"), threading.get_ident(), None) for each in range(3)]
    one, number = burner(), requests[1].record.number
    owners = Owners(threads={one.thread.ident: (number,)} if known else {})
    marks = read_clocks(now())
    gaps = WatchedGaps(10 * MS, lambda first: requests[first:], lambda: [marks], owners)
    for each in requests:
        each.record.sent = 0
    one.burn()
    gaps.woke(marks.at, marks.at + 100 * MS, CLOCK, b"0 0 0", voluntary_switches() - 21)
    (gap,) = gaps.gaps(user)
    assert gap.exchange == (number if known else None)
    assert gap.workers[0].exchanges == ((number,) if known else ())


@pytest.mark.parametrize("began", [True, False])
def test_the_first_wait_counts_from_the_first_request_where_later_steps_have_marked_anew(user, burner, began):
    request = UnderWay(LiveExchange("GET", "/"), threading.get_ident(), None)
    gaps = WatchedGaps(10 * MS, lambda first: [request][first:], lambda: [read_clocks(now())])
    burning = burner()
    if began:
        gaps.begin(PythonThreads())
    due = now()
    burning.burn()
    gaps.woke(due, max(now(), due + 100 * MS), CLOCK, b"0 0 0", voluntary_switches() - 21)
    blamed_one = [gap for gap in gaps.gaps(user) if gap.workers]
    assert bool(blamed_one) is began


def test_a_wait_in_which_nobody_computed_is_kept_without_a_worker(user):
    (gap,) = waited(user)
    assert gap.workers == ()
    assert gap.others_cpu < 10 * MS


def test_it_wakes_again_while_a_request_is_under_way_and_more_rarely_later():
    record = LiveExchange("GET", "/")
    gaps = WatchedGaps(10 * MS, lambda first: [UnderWay(record, 0, None)][first:], list)
    assert [gaps.again() for _ in range(22)] == [10 * MS] * 20 + [20 * MS] * 2
    record.returned = now()
    assert gaps.again() == 0


def test_each_request_is_asked_for_once_and_one_that_ended_during_a_wait_still_counts(user, burner):
    """A test may make thousands of requests, and the watchdog wakes a hundred times a second."""
    ended, asked = [UnderWay(LiveExchange("GET", "/"), 0, None) for _ in range(50)], []
    for each in ended:
        each.record.sent, each.record.returned = 0, 1
    requests = [*ended, UnderWay(LiveExchange("GET", "/last"), threading.get_ident(), None)]
    marks = read_clocks(now())
    gaps = WatchedGaps(10 * MS, lambda first: asked.append(first) or requests[first:], lambda: [marks])
    assert gaps.again() == 10 * MS
    due = now()
    burner().burn()
    requests[-1].record.returned = now()
    assert gaps.again() == 0
    gaps.woke(due, max(now(), due + 100 * MS), CLOCK, b"0 0 0", voluntary_switches() - 21)
    assert len(gaps.gaps(user)) == 1
    assert asked == [0, 51, 51]


class HandsOver(Burner):
    """It lies down again and again."""

    def _burn(self):
        for _ in range(20):
            time.sleep(0.001)
        super()._burn()


@pytest.mark.parametrize(("sort", "hands_over"), [(HandsOver, True), (Burner, False)])
def test_how_often_a_thread_of_the_test_went_to_sleep_is_counted_and_of_an_older_one_nobody_knows(
    user, sort, hands_over
):
    request = UnderWay(LiveExchange("GET", "/"), threading.get_ident(), None)
    older = Burner()
    marks = read_clocks(now())
    gaps = WatchedGaps(10 * MS, lambda first: [request][first:], lambda: [marks])
    gaps.begin(PythonThreads())
    one = sort()
    for each in (one, older):
        each.burn()
    gaps.woke(marks.at, marks.at + 200 * MS, CLOCK, b"0 0 0", voluntary_switches() - 41)
    for each in (one, older):
        each.end()
    (gap,) = gaps.gaps(user)
    counted = [each.sleeps for each in gap.workers]
    assert counted.count(None) == 1
    assert [each >= 20 for each in counted if each is not None] == [hands_over]
