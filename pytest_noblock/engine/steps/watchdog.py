"""A thread that samples the loop thread's stack when a step runs long.

Loop threads call `step_began` and `step_ended`; `take`, `stop` and `after` belong to the
thread that made the watchdog. The rest runs on the watchdog's own thread, except where
`sample_if_late` says otherwise.
"""

import threading
from collections.abc import Callable, Container, Sequence
from typing import Protocol

from pytest_noblock.engine.clocks import NEVER_QUEUED, Clock, best_clock, longest_queued, queued, voluntary_switches
from pytest_noblock.engine.current_frames import current_frames
from pytest_noblock.engine.guard import guarded
from pytest_noblock.engine.now import now, sleep, thread_cpu
from pytest_noblock.engine.other_threads import cpu_of
from pytest_noblock.engine.raw_stacks import capture
from pytest_noblock.engine.steps.python_threads import WATCHDOG
from pytest_noblock.engine.steps.raw_samples import RawSample, read_threads_of
from pytest_noblock.engine.steps.rings import Rings
from pytest_noblock.engine.steps.standstills import OwnMark, standstill
from pytest_noblock.engine.steps.syscalls import syscall_of
from pytest_noblock.model.segment import Standstill

_MOST_SAMPLES = 8
"""How many samples a step may have. They come ever more rarely: the eighth about 29 times `after` into the step."""

_MOST_WAITS, _WAIT_S = 2_000, 0.001
"""How often, and for how many seconds each time, the end of a test waits for a watchdog that is late. Chosen: 2 s is
more than a thread waits for a processor on a machine that still runs tests."""


class BetweenSteps(Protocol):
    """Who wants to know that the watchdog woke while no step ran; see `threads.watched_gaps`."""

    def woke(self, due: int, ended: int, clock: Clock, delay: bytes, switches: int) -> None:
        """Called as soon as the watchdog has the GIL, for which it waited from `due` to `ended` (ns).

        `delay`, `switches`: of its thread, before it slept.
        """
        ...

    def overtaken(self) -> None:
        """Called on a thread that has got the GIL, for which the watchdog still waits."""
        ...

    def again(self) -> int:
        """In how many ns the watchdog is to wake again; 0 for never."""
        ...


Running = tuple[int, int, int]
"""A step that runs now: the native id of its thread, its number, when it began (ns)."""


class Watchdog:
    """Samples a loop thread between `after` and 1.5 `after` ns into a step, then a few times more, ever more rarely."""

    def __init__(self, after: int) -> None:
        self.after = after
        self.samples: list[RawSample] = []
        self.standstills: list[Standstill] = []
        """When the watchdog woke late, for no reason of this process's."""
        self.on_late: Callable[[], None] | None = None
        """Called on the watchdog's thread where it waited long for the GIL, before it releases the GIL again."""
        self.between_steps: BetweenSteps | None = None
        self.cpu = 0
        """CPU time (ns) of the watchdog's thread, up to the end of its last look."""
        self._running: dict[int, Running] = {}
        """By `threading.get_ident()` of the loop thread."""
        self._looks = False
        """Whether it looks now, or lost the GIL in the midst of a look."""
        self._marks = (NEVER_QUEUED, 0)
        """Run-queue delay and switches of the watchdog's thread, before it slept or waited for the GIL."""
        self.rings = Rings()
        self._stopping = False
        self._thread = threading.Thread(target=lambda: guarded(self._run), name=WATCHDOG, daemon=True)
        try:
            self._thread.start()
        except BaseException:  # the process can start no thread more
            self.rings.close()
            raise

    @property
    def works(self) -> bool:
        """False where it failed, and has ended."""
        return self._thread.is_alive()

    def step_began(self, ident: int, native: int, step: int, began: int) -> None:
        """Arms the timer for 1.5 `after`: a short step that follows soon need not arm the timer again."""
        running = self._running
        running[ident] = (native, step, began)
        ahead, after = self.rings.due - began, self.after
        if -ahead > after:
            self.look_between_steps()
        if ahead < 0 or (len(running) == 1 and not after <= ahead <= 2 * after):  # the last test's was longer
            self.rings.arm(after + after // 2)

    def step_ended(self, ident: int) -> Running | None:
        """Returns what `step_resumed` takes; None where no step of the thread ran."""
        return self._running.pop(ident, None)

    def step_resumed(self, ident: int, step: Running | None) -> None:
        if step is not None:
            self._running[ident] = step
            if now() > self.rings.due:  # the timer rang meanwhile, and the watchdog found no step
                self.rings.arm(self.after)

    def sample_if_late(self) -> None:
        """Called by a thread that has the GIL: another one than the loop thread, or this one in a function of ours.

        The watchdog may still wait for the GIL.

        When a C call that kept the GIL ends, the thread that is first gets the GIL. Often that
        is the test client's thread, which then waits for its answer. When the watchdog gets
        the GIL, the step may be over.
        """
        if self._running and now() > self.rings.due:
            self._take_samples(not_of={sample.step for sample in self.samples[-_MOST_SAMPLES:]})

    def look_between_steps(self) -> None:
        """Called by a thread that may have got the GIL right now, before anything that releases the GIL again.

        The thread that kept the GIL until now, and a watchdog that is overdue, then both wait for the GIL. Where that
        thread is first, the watchdog finds it somewhere else.
        """
        between, rings = self.between_steps, self.rings
        if between is not None and rings.seen < rings.due < now() - self.after:
            between.overtaken()

    def cpu_by(self, moment: int) -> int:
        """CPU time (ns) of the watchdog's thread so far; `moment` is now. It sleeps until it is due.

        While it waits for the GIL, or looks, its clock is read: else what it burned before a step would be taken off
        what other threads burned in the step, and a round trip of theirs would be the step's.
        """
        if not self._looks and (self.rings.seen >= self.rings.due or moment < self.rings.due):
            return self.cpu
        return cpu_of(self._thread.native_id) or self.cpu

    def catch_up(self) -> None:
        """Wait a few ms for a watchdog that was due and has not got the GIL: the test may be over before."""
        for _ in range(_MOST_WAITS):
            if self.rings.seen >= self.rings.last() or not self.works:
                return
            sleep(_WAIT_S)

    def rest(self) -> None:
        """No step is metered any more, and `catch_up` has waited: a ring to come would take the GIL for nothing.

        Most tests are over before their first ring is due.
        """
        if not self._running:
            self.rings.rest()

    def looks_at(self, step: int) -> list[RawSample]:
        """Those of the last samples that show the step."""
        return [each for each in self.samples[-2 * _MOST_SAMPLES :] if each.step == step]

    def take(self) -> list[RawSample]:
        """The samples so far, which the watchdog then forgets."""
        samples, self.samples = self.samples, []
        return samples

    def take_standstills(self) -> list[Standstill]:
        """Likewise."""
        standstills, self.standstills = self.standstills, []
        return standstills

    def stop(self) -> None:
        self._stopping = True
        self.rings.ring_now()
        self._thread.join()
        self.rings.close()

    def _run(self) -> None:
        clock = best_clock()
        while not self._stopping:
            self._sleep(clock)
            woke = now()
            self._looks = True
            guarded(self._woke, clock, woke)  # without this thread, each later test would be half blind
            self._looks = False
            self.rings.seen = woke
        clock.close()

    def _sleep(self, clock: Clock) -> None:
        """Until it rings; not at all after a ring that was lost.

        A thread may keep the GIL before the watchdog listens: while its thread starts, or after one of its own system
        calls. The timer rings, and a loop thread that gets the GIL first arms it anew. What that wait shows is counted
        from the marks before it.
        """
        if self.rings.last() <= self.rings.seen:
            self._marks = _marks(clock)
        self.rings.wait()

    def _woke(self, clock: Clock, woke: int) -> None:
        """`woke`: since when (ns) the watchdog has the GIL.

        A thread that hands the GIL over waits until the next thread has taken the GIL: while the watchdog waits for a
        processor, it may keep the GIL from others. While another thread had the GIL, the watchdog woke every 5 ms to
        ask for the GIL, and waited for a processor each time; only the last of these waits kept others. So a sample
        is `due` before its begin by the longest wait for a processor.
        """
        marks = _marks(clock)
        rings = self.rings
        since, due, lost = rings.waits_since(woke), rings.due, rings.unseen()
        between = self.between_steps if clock.splits_waiting else None
        on_late = self.on_late
        if on_late is not None and woke - since >= self.after:
            on_late()
        taken = self._take_samples()  # before any system call: one releases the GIL, and the step may go on and end
        read_threads_of([sample for _, sample in taken], clock)
        (before, switches), present = self._marks, _switches(clock)
        wait = rings.last_wait()
        if between is not None and wait[0] > rings.seen:  # a step that waits for the GIL itself is no better off
            between.woke(*wait, clock, before, switches)
        after = clock.delay()
        looked = OwnMark(now(), thread_cpu(), after, present)
        self._marks = after, present
        delayed = queued(after) - queued(before)
        seen, rings.seen = rings.seen, woke
        kept = longest_queued(before, after) if clock.splits_waiting else woke - since
        for _, sample in taken:
            sample.gil_wait = max(0, sample.began - since - delayed)
            sample.due = max(since, sample.began - kept)
        self._arm_again([self._complete(ident, sample) for ident, sample in taken])
        if clock.splits_waiting:
            waited = [(due, woke), lost] if due <= woke else [(since, woke)]
            before_ring = OwnMark(0, self.cpu, before, switches + 1)  # one switch was for the timer
            self._note_standstills(seen, waited, before_ring, looked)
            self._keep(standstill(woke, looked, OwnMark(now(), thread_cpu(), clock.delay(), _switches(clock))))
        if between is not None:
            self._end_look(between, woke, clock, marks)
        self.cpu = thread_cpu()

    def _note_standstills(self, seen: int, waits: Sequence[tuple[int, int]], before: OwnMark, after: OwnMark) -> None:
        """In waits that began after it was last seen; the marks are of the begin and of the end of each."""
        for began, ended in waits:
            if began > seen:
                self._keep(standstill(seen, before._replace(at=began), after._replace(at=ended)))

    def _keep(self, found: Standstill | None) -> None:
        if found is not None:
            self.standstills.append(found)

    def _end_look(self, between: BetweenSteps, woke: int, clock: Clock, marks: tuple[bytes, int]) -> None:
        """`marks`: of its begin. A look that took long was interrupted, and waited for the GIL: that is a wait, too."""
        if now() - woke >= self.after:
            between.woke(woke, now(), clock, *marks)
        if now() > self.rings.due and (ns := between.again()):
            self.rings.arm(ns)  # also where a step runs: none may follow it for long

    def _arm_again(self, times: list[int]) -> None:
        """Arm the timer: soon for a step that was too young, ever later for steps that were sampled so many `times`."""
        moment = now()
        if any(moment - began < self.after for _, _, began in list(self._running.values())):
            if moment > self.rings.due:  # else that step's own thread has armed the timer
                self.rings.arm(self.after)
        elif any(0 < each < _MOST_SAMPLES for each in times):
            self.rings.arm(max(times) * self.after)

    def _runs(self, ident: int, step: int) -> bool:
        return self._running.get(ident, (0, 0, 0))[1] == step

    def _take_samples(self, not_of: Container[int] = ()) -> list[tuple[int, RawSample]]:
        """Sample each thread whose step is old enough. Keep the samples at once: the test may end with the step."""
        moment = now()
        taken = []
        for ident, (_native, step, began) in list(self._running.items()):
            wanted = moment - began >= self.after // 2 and step not in not_of
            frames = capture(current_frames().get(ident)) if wanted else []
            if frames and self._runs(ident, step):
                taken.append((ident, RawSample(step, moment, frames)))
        self.samples.extend(sample for _, sample in taken)
        return taken

    def _complete(self, ident: int, sample: RawSample) -> int:
        """Adds the system call to a sample; returns how often its step has been sampled now."""
        native, step, _began = self._running.get(ident, (0, 0, 0))
        if step == sample.step:
            syscall = syscall_of(native)  # releases the GIL: a C call that kept it until now is over
            sample.syscall = syscall if self._runs(ident, sample.step) else "unknown"
        return sum(each.step == sample.step for each in self.samples[-2 * _MOST_SAMPLES :])


def _marks(clock: Clock) -> tuple[bytes, int]:
    """See `Watchdog._marks`."""
    return clock.delay(), _switches(clock)


def _switches(clock: Clock) -> int:
    """Of the calling thread; 0 where nobody counts them."""
    return voluntary_switches() if clock.splits_waiting else 0
