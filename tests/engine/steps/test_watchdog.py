"""The thread that looks at long steps: which of them, and for how long."""

import gc
import threading
import time

import pytest

from pytest_noblock.engine.clocks import PortableClock
from pytest_noblock.engine.exchange import LiveExchange
from pytest_noblock.engine.now import now
from pytest_noblock.engine.steps.meter import StepMeter
from pytest_noblock.engine.steps.watchdog import Watchdog

MS = 1_000_000


@pytest.fixture
def dog():
    watchdog = Watchdog(after=100 * MS)
    yield watchdog
    watchdog.stop()


def looked_at(dog, step):
    return [sample for sample in dog.samples if sample.step == step]


def looks(dog, step, times):
    """The step's samples, once there are so many; on a busy machine the watchdog may come late."""
    for _ in range(3_000):
        if len(looked_at(dog, step)) >= times:
            break
        time.sleep(0.01)
    return looked_at(dog, step)


def test_a_step_that_was_too_young_when_another_was_due_is_looked_at_later(dog):
    """Two event loops share the timer: it rings for the first, when the other has hardly begun."""
    dog.step_began(0, 0, 1, now())
    time.sleep(0.08)
    began = now()
    dog.step_began(threading.get_ident(), threading.get_native_id(), 2, began)
    samples = looks(dog, 2, times=1)
    assert samples
    assert all(sample.began - began >= 50 * MS for sample in samples)


def test_a_step_is_looked_at_ever_more_rarely(dog):
    dog.step_began(threading.get_ident(), threading.get_native_id(), 1, now())
    first, second, third, fourth = (sample.began for sample in looks(dog, 1, times=4)[:4])
    dog.step_ended(threading.get_ident())
    assert second - first >= 100 * MS
    assert third - second >= 200 * MS
    assert fourth - third >= 300 * MS


def test_who_rests_is_not_looked_at(dog):
    dog.step_began(threading.get_ident(), threading.get_native_id(), 1, now())
    dog.step_ended(threading.get_ident())
    rested = now()
    time.sleep(0.25)
    assert all(sample.began < rested for sample in dog.samples)  # this thread may have been kept from resting


def test_a_watchdog_at_rest_does_not_wake_and_looks_at_the_next_step(monkeypatch):
    dog = Watchdog(after=400 * MS)
    woken, wakes = [], dog._woke
    monkeypatch.setattr(dog, "_woke", lambda *given: (woken.append(given), wakes(*given)))
    for step in range(20):
        woken.clear()
        dog.step_began(threading.get_ident(), threading.get_native_id(), step, now())
        dog.step_ended(threading.get_ident())
        due = dog.rings.due
        dog.rest()
        if now() < due:  # this thread was not kept from resting in time
            break
    time.sleep(0.8)
    assert woken == []
    dog.step_began(threading.get_ident(), threading.get_native_id(), 100, now())
    assert looks(dog, 100, times=1)
    dog.stop()


def test_a_watchdog_that_watches_a_step_does_not_rest(dog):
    dog.step_began(threading.get_ident(), threading.get_native_id(), 1, now())
    dog.rest()
    assert looks(dog, 1, times=1)


def test_a_meter_that_is_closed_within_a_step_has_it_looked_at_no_more(dog, user):
    """A test that has its answer does not wait for the app's thread, and the watchdog serves the next one, too."""
    meter = StepMeter(PortableClock(), user)
    meter.attach_watchdog(dog)
    meter.begin(LiveExchange("GET", "/"))
    meter.close()
    closed = now()
    time.sleep(0.25)
    assert all(sample.began < closed for sample in dog.samples)


def test_a_thread_that_makes_a_known_call_passes_by(metered, monkeypatch):
    """The loop's own thread does not, but for the garbage collector: what it calls is part of its step.

    A thread that an earlier test left behind may pass by as well.
    """
    gc.disable()
    passed = []
    monkeypatch.setattr(Watchdog, "sample_if_late", lambda _: passed.append(threading.get_ident()))
    own, others = [], []

    def other():
        others.append(threading.get_ident())
        time.sleep(0)

    def step():
        own.append(threading.get_ident())
        time.sleep(0)
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()

    try:
        metered(step)
    finally:
        gc.enable()
    assert [each for each in passed if each in own + others] == others


def test_who_passes_by_looks_once_at_a_step_that_is_due(dog):
    dog.step_began(threading.get_ident(), threading.get_native_id(), 1, now() - 200 * MS)
    dog.sample_if_late()
    assert not dog.samples  # the watchdog has not rung yet
    dog.rings.due = now() - 1
    dog.sample_if_late()
    dog.sample_if_late()
    assert len(looked_at(dog, 1)) == 1


class RungByHand:
    """A timer that has rung at its time; whoever waited for it gets the GIL when the test says so."""

    def __init__(self):
        self._has_the_gil = threading.Event()
        self.let = self._has_the_gil.set
        self.listened_to = threading.Event()

    def wait(self):
        self.listened_to.set()
        self._has_the_gil.wait()
        self._has_the_gil.clear()

    def arm(self, ns):
        if ns == 1:  # the watchdog is asked to stop
            self.let()

    def close(self):
        pass


class Waits(list):
    """What a watched test hears of the watchdog's waits."""

    def woke(self, due, ended, _clock, _delay, _switches):
        self.append((due, ended))

    def again(self):
        return 0

    def overtaken(self):
        self.append("overtaken")


def armed_anew_after_a_ring(dog):
    """Two steps; between them the timer rang, and the loop thread had the GIL first. When it rang, and was armed."""
    dog.step_began(1, 1, 1, now() - 100 * MS)
    dog.step_ended(1)
    rang = dog.rings.due = now() - 80 * MS
    dog.step_began(1, 1, 2, began := now())
    dog.step_ended(1)
    return rang, began


def test_the_end_of_a_test_waits_for_a_watchdog_that_rang_before_the_last_step(monkeypatch):
    """After a C call that kept the GIL, the loop thread may have the GIL first: it ends the request, and the test."""
    timer = RungByHand()
    monkeypatch.setattr("pytest_noblock.engine.steps.rings.best_timer", lambda: timer)
    dog = Watchdog(after=10 * MS)
    dog.between_steps = waits = Waits()
    try:
        rang, began = armed_anew_after_a_ring(dog)
        threading.Timer(0.005, timer.let).start()
        dog.catch_up()
    finally:
        dog.stop()
    assert waits[0] == "overtaken"
    assert waits[1][0] == rang
    assert waits[1][1] >= began


@pytest.mark.parametrize(
    ("rang_ms_ago", "heard", "looks"),
    [(80, False, ["overtaken"]), (80, True, []), (5, False, [])],
    ids=["overdue", "dealt with", "due for less than a stall"],
)
def test_a_thread_that_has_the_gil_before_a_watchdog_that_is_overdue_looks(monkeypatch, rang_ms_ago, heard, looks):
    monkeypatch.setattr("pytest_noblock.engine.steps.rings.best_timer", RungByHand)
    dog = Watchdog(after=40 * MS)
    waits = Waits()
    dog.look_between_steps()  # nobody asks between steps
    dog.between_steps = waits
    try:
        dog.rings.due = now() - rang_ms_ago * MS
        dog.rings.seen = dog.rings.due if heard else 0
        dog.look_between_steps()
        assert waits == looks
    finally:
        dog.stop()


class KeptWaits(Waits):
    """The watchdog looks at its first wait, and meanwhile a thread takes the GIL from it, for 30 ms."""

    def woke(self, due, ended, clock, delay, switches):
        if not self:
            time.sleep(0.03)
        super().woke(due, ended, clock, delay, switches)


@pytest.mark.parametrize(("interrupted", "waits"), [(True, 2), (False, 1)])
def test_a_thread_that_takes_the_gil_in_the_midst_of_a_look_is_seen(monkeypatch, interrupted, waits):
    """A thread that waits for the GIL makes the watchdog hand it over, after 5 ms, wherever the watchdog is."""
    timer = RungByHand()
    monkeypatch.setattr("pytest_noblock.engine.steps.rings.best_timer", lambda: timer)
    monkeypatch.setattr("pytest_noblock.engine.steps.watchdog.best_clock", QueueClock)
    dog = Watchdog(after=(10 if interrupted else 5_000) * MS)
    dog.between_steps = seen = (KeptWaits if interrupted else Waits)()
    try:
        dog.rings.due = now() - 80 * MS
        timer.let()
        dog.catch_up()
    finally:
        dog.stop()
    (_due, first), *more = seen[:waits]
    assert all(began <= first and ended - began >= 30 * MS for began, ended in more)
    assert len(seen) == waits


class Burns(Waits):
    """The look itself computes 20 ms, and goes on until the test says so."""

    def __init__(self):
        self.burned, self.goes_on = threading.Event(), threading.Event()

    def woke(self, *_wait):
        until = time.thread_time() + 0.02
        while time.thread_time() < until:
            pass
        self.burned.set()
        self.goes_on.wait(30)


def test_what_it_burned_so_far_is_known_in_the_midst_of_a_look(monkeypatch):
    """A step that begins then is not charged for it, nor are the other threads of that step credited with it."""
    timer = RungByHand()
    monkeypatch.setattr("pytest_noblock.engine.steps.rings.best_timer", lambda: timer)
    monkeypatch.setattr("pytest_noblock.engine.steps.watchdog.best_clock", QueueClock)
    dog = Watchdog(after=5_000 * MS)
    dog.between_steps = look = Burns()
    try:
        dog.rings.due = now() - 80 * MS
        timer.let()
        assert look.burned.wait(30)
        assert (dog.cpu, dog.cpu_by(now()) >= 20 * MS) == (0, True)
        look.goes_on.set()
        for _ in range(3_000):
            if not dog._looks:
                break
            time.sleep(0.01)
        assert dog.cpu_by(now()) == dog.cpu >= 20 * MS
    finally:
        look.goes_on.set()
        dog.stop()


class LateClock(PortableClock):
    """Of a watchdog that cannot read its clock before the test says so: another thread keeps the GIL."""

    splits_waiting = True

    def __init__(self, reads):
        self._may_read = threading.Event()
        self.let = self._may_read.set
        self._reads = reads

    def delay(self):
        if self._reads == 0:
            self._may_read.wait(30)
        self._reads -= 1
        return super().delay()


@pytest.mark.parametrize("reads", [0, 1], ids=["while it starts", "while it marks a wake"])
def test_a_ring_that_the_watchdog_did_not_listen_to_is_not_lost(monkeypatch, reads):
    """The GIL was kept before the watchdog listened; the loop thread had it first, and armed the timer anew."""
    timer, clock = RungByHand(), LateClock(reads)
    monkeypatch.setattr("pytest_noblock.engine.steps.rings.best_timer", lambda: timer)
    monkeypatch.setattr("pytest_noblock.engine.steps.watchdog.best_clock", lambda: clock)
    dog = Watchdog(after=5_000 * MS)  # armed anew, it does not ring in this test
    dog.between_steps = waits = Waits()
    try:
        if reads:
            timer.let()  # it wakes, and asks its clock
        rang, began = armed_anew_after_a_ring(dog)
        threading.Timer(0.02, clock.let).start()
        dog.catch_up()
        assert [due for due, _ in waits] == [rang]
        assert waits[0][1] >= began
    finally:
        clock.let()
        dog.stop()


class QueueClock(PortableClock):
    """Of a watchdog that has waited so long in the run queue, in ms, whenever it is asked again."""

    splits_waiting = True

    def __init__(self, each=0):
        self._queued, self._each = 0, each

    def delay(self):
        self._queued += self._each * MS
        return f"0 {self._queued} 1".encode()


def woken_late(monkeypatch, clock, goes_on=lambda dog: None):
    """A watchdog that rang a second before it had the GIL. `goes_on`: what the loop thread did meanwhile."""
    timer = RungByHand()
    monkeypatch.setattr("pytest_noblock.engine.steps.rings.best_timer", lambda: timer)
    monkeypatch.setattr("pytest_noblock.engine.steps.watchdog.best_clock", lambda: clock)
    dog = Watchdog(after=5_000 * MS)
    try:
        assert timer.listened_to.wait(30)
        dog.step_began(threading.get_ident(), threading.get_native_id(), 1, now() - 10_000 * MS)
        dog.rings.due = now() - 1_000 * MS
        goes_on(dog)
        timer.let()
        for _ in range(3_000):
            if dog.cpu:  # it is done
                break
            time.sleep(0.01)
    finally:
        dog.stop()
    return dog


def longest(standstills):
    """A busy machine may add some, before and after."""
    return max(standstills, key=lambda each: each.ns)


def to_the_next_step(dog):
    dog.step_resumed(threading.get_ident(), dog.step_ended(threading.get_ident()))


@pytest.mark.parametrize("goes_on", [lambda dog: None, to_the_next_step], ids=["one step", "steps without a poll"])
def test_a_look_waited_for_the_gil_since_the_timer_first_rang(monkeypatch, goes_on):
    """A loop thread that goes from step to step keeps the GIL, and arms the timer anew in each."""
    dog = woken_late(monkeypatch, QueueClock(), goes_on)
    sample = next(each for each in dog.samples if each.gil_wait is not None)
    assert sample.gil_wait >= 1_000 * MS


@pytest.mark.parametrize("goes_on", [lambda dog: None, to_the_next_step], ids=["one step", "steps without a poll"])
def test_a_watchdog_that_woke_late_for_no_reason_tells_of_a_standstill(monkeypatch, goes_on):
    began = now()
    dog = woken_late(monkeypatch, QueueClock(), goes_on)
    since, rang, ended, ns = longest(dog.take_standstills())
    assert since <= rang <= began
    assert ended > began
    assert 500 * MS <= ns <= ended - rang
    assert dog.take_standstills() == []


def test_a_standstill_is_told_though_the_ring_was_lost(monkeypatch):
    """The loop thread ran before the watchdog, and armed the timer anew; the watchdog slept on until that rang."""

    def goes_on(dog):
        to_the_next_step(dog)
        dog.rings.due = now() - MS  # it rang

    _, _, ended, ns = longest(woken_late(monkeypatch, QueueClock(), goes_on).take_standstills())
    assert ns >= 500 * MS
    assert ended < now()


def test_a_watchdog_that_waited_for_a_processor_tells_of_none(monkeypatch):
    assert woken_late(monkeypatch, QueueClock(each=60_000)).standstills == []  # and more than a busy machine adds


def test_a_watchdog_that_is_stopped_wakes_without_a_ring_and_tells_of_none(monkeypatch):
    timer = RungByHand()
    monkeypatch.setattr("pytest_noblock.engine.steps.rings.best_timer", lambda: timer)
    monkeypatch.setattr("pytest_noblock.engine.steps.watchdog.best_clock", QueueClock)
    dog = Watchdog(after=10 * MS)
    dog.rings.seen = now() - 10_000 * MS
    dog.rings.due = dog.rings.seen - MS  # that ring was dealt with
    dog.stop()
    assert [each for each in dog.standstills if each.ns > 5_000 * MS] == []


def test_without_run_queue_delay_a_look_is_due_when_the_timer_rang(monkeypatch):
    """So the portable rules see that the machine had no time to wake the watchdog."""
    dog = woken_late(monkeypatch, PortableClock())
    sample = next(each for each in dog.samples if each.gil_wait is not None)
    assert sample.began - sample.due >= 1_000 * MS
    assert dog.standstills == []
