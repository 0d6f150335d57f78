"""Which user line a stall is put down to: pure functions of one segment. `cpu_lines` has those of the kind `cpu`."""

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from pytest_noblock.calls.known import is_on_the_way, known
from pytest_noblock.judge.own_sleeps import covered, in_own_wait
from pytest_noblock.model.finding import Evidence
from pytest_noblock.model.frames import Frame, Stack, user_frame
from pytest_noblock.model.rules import Rule
from pytest_noblock.model.segment import BlockingCall, LineCost, Sample, Segment
from pytest_noblock.model.stall import BlamedLine

_KNOWN_CALL = Rule("known-call", "a known blocking call to the network ended on the loop thread; red at any speed")
_KNOWN_WAIT = Rule(
    "known-wait",
    "the loop thread waited for another thread in a call that is known to use the network; red at any speed",
)
_ROUND_TRIP = Rule(
    "round-trip", "a socket that no event loop awaits sent and received within the step; red at any speed"
)
_DOUBTFUL_TRIP = Rule(
    "doubtful-trip",
    "a socket sent and received within the step, another thread computed meanwhile and may have done it, "
    "and a sample, or its line's counters, shows the loop thread waiting in a known network call",
)

Key = tuple[str, int]
"""File and line."""

_NETWORK_WAITS = {"poll", "ppoll", "select", "pselect6", "recvfrom", "recvmsg", "read", "connect", "epoll_wait"}


class RoundTrip(NamedTuple):
    """A user line that made a synchronous round trip; `cpu` and `asleep` are what the line cost, in ns."""

    place: BlamedLine
    rule: Rule
    cpu: int
    asleep: int

    @property
    def witnessed(self) -> bool:
        """Whether a recorded call is the evidence, and its times."""
        return self.rule in (_KNOWN_CALL, _KNOWN_WAIT)


def of_network(segment: Segment) -> list[RoundTrip]:
    """The synchronous round trips, one for each user line; where no line was caught, one without a line."""
    by_line = {(line.frame.file, line.frame.line): line for line in segment.lines}
    trips = {
        key: _counted(by_line[key], segment, trip.rule) if key in by_line else trip
        for key, trip in _by_calls(segment).items()
    }
    trips |= {key: _counted(line, segment, _ROUND_TRIP) for key, line in by_line.items() if line.round_trips}
    trips |= {
        key: _counted(line, segment, _DOUBTFUL_TRIP)
        for key, line in by_line.items()
        if key not in trips and line.doubtful_trips and _slept_in_network_call(line)
    }
    if not trips and (segment.round_trips or (segment.doubtful_trips and _seen_in_network_call(segment))):
        place = _by_samples([each for each in segment.samples if each.syscall in _NETWORK_WAITS] or segment.samples)
        rule = _ROUND_TRIP if segment.round_trips else _DOUBTFUL_TRIP
        return [RoundTrip(place, rule, segment.cpu, segment.asleep)]
    return list(trips.values())


def _seen_in_network_call(segment: Segment) -> bool:
    """Whether a sample shows the loop thread waiting in a known network call."""
    for sample in segment.samples:
        frame = user_frame(sample.stack)
        entry = known(frame.call) if frame else None
        if sample.syscall in _NETWORK_WAITS and entry is not None and entry.network:
            return True
    return False


def _slept_in_network_call(line: LineCost) -> bool:
    """Whether the line that slept calls a known network call: the second witness of a trip that may be another's."""
    entry = known(line.frame.call)
    return line.asleep > 0 and entry is not None and entry.network


def of_sleep(segment: Segment) -> BlamedLine:
    """The line that slept longest."""
    longest = max(segment.lines, key=lambda line: line.asleep, default=None)
    if longest is not None and longest.asleep:
        return of_line(longest, segment)._replace(witnessed=_in_lines(segment))
    if (call := _most_of_it(segment)) is not None:
        return of_call(call)
    waiting = [sample for sample in segment.samples if sample.syscall not in ("running", "unknown")]
    others = [sample for sample in segment.samples if sample.syscall != "running"]
    own_first = sorted(waiting, key=in_own_wait, reverse=True)  # of two lines with as many, that of a wait for no GIL
    return _by_samples(own_first or others or segment.samples)


def _most_of_it(segment: Segment) -> BlockingCall | None:
    """A recorded call at the line whose calls made half of the sleep or more.

    What its argument asked for a call slept, however long the loop thread then waited for a processor; of what a call
    took, the run-queue delay may be any part, and so that of the whole step counts.
    """
    asked: Counter[Key | None] = Counter()
    took: Counter[Key | None] = Counter()
    for call in segment.calls:
        asked[key_of(of_call(call))] += min(call.asked, call.ended - call.began)
        took[key_of(of_call(call))] += call.ended - call.began
    slept = segment.off_cpu if segment.queued is None else segment.asleep
    for spent, whole in ((asked, slept), (took, segment.off_cpu)):
        most = max(spent.values(), default=0)
        if most and 2 * most >= whole:
            return next(call for call in segment.calls if spent[key_of(of_call(call))] == most)
    return None


def _in_lines(segment: Segment) -> bool:
    """Whether the lines slept for most of the sleep. Waits for the GIL come anywhere, a little of them in each line.

    Measured beside 15 busy processes: 57 of 478 ms in lines for waits for the GIL; all of it for a sleep.
    """
    return 2 * sum(line.asleep for line in segment.lines) >= segment.asleep


def of_stacks(stacks: Iterable[Stack], evidence: Evidence) -> BlamedLine:
    """The innermost user line that most of the stacks share."""
    seen = [(frame, stack) for stack in stacks if (frame := user_frame(stack)) is not None]
    if not seen:
        return BlamedLine()
    (at, _times), *_ = Counter((frame.file, frame.line) for frame, _ in seen).most_common(1)
    frame, stack = next((frame, stack) for frame, stack in seen if (frame.file, frame.line) == at)
    return BlamedLine(frame, stack, evidence, witnessed=True)


def times_at(place: BlamedLine, stacks: Iterable[Stack]) -> int:
    """How many of the stacks have this line as their innermost user line."""
    here = [frame for stack in stacks if (frame := user_frame(stack)) is not None]
    return sum((frame.file, frame.line) == key_of(place) for frame in here)


def waited_in_known_calls(segment: Segment) -> int:
    """Ns in known blocking calls, the only sleep that the portable meter counts.

    The recorded calls count from begin to end. So does the time from the first sample that shows the loop thread in a
    known call to the last such sample.
    """
    spans = [(call.began, call.ended) for call in segment.calls]
    seen = [sample for sample in segment.samples if _in_known_call(sample)]
    if seen:
        spans.append((seen[0].began, seen[-1].ended))
    return covered(spans)


def slept_on_request(segment: Segment) -> int:
    """Ns of sleep that known calls asked for in their arguments and that the calls took.

    The meter may measure less, for two reasons. The kernel may preempt a thread on its way to sleep: the thread
    waits for a processor while the time of its sleep runs, and sleeps for the rest only. And Linux from 6.12 on may
    keep a thread that goes to sleep in the run queue for a while; if Linux then moves the thread to another
    processor, it counts this while as run-queue delay. Measured beside 4 busy processes: 8 of 4,028 sleeps of
    20 ms showed less than 19 ms, 5 of them without a preemption.
    """
    return sum(min(call.asked, call.ended - call.began) for call in segment.calls)


def overslept(segment: Segment) -> int:
    """Ns that calls of `time.sleep` took beyond what they asked for, and the loop thread did not wait in a run queue.

    `time.sleep` waits for the clock alone. What it takes beyond its argument is a timer that rang late, a machine that
    stood still, or a wait for the GIL; none of them is the app's. Measured: 115 ms asleep in one `time.sleep(0.02)`.
    """
    sleeps = [call for call in segment.calls if call.name == "time.sleep" and call.asked]
    beyond = sum(max(0, call.ended - call.began - call.asked) for call in sleeps)
    return max(0, beyond - (segment.queued or 0))


def _in_known_call(sample: Sample) -> bool:
    """Whether the sample shows a call that waits. One that computes may have waited for a processor only."""
    frame = user_frame(sample.stack)
    entry = known(frame.call) if frame else None
    return entry is not None and not entry.cpu


def _by_calls(segment: Segment) -> dict[Key | None, RoundTrip]:
    calls = [(of_call(call), call) for call in segment.calls if call.network or _waits_for_client(call)]
    trips: dict[Key | None, RoundTrip] = {}
    for place, first in calls:
        spans = [(call.began, call.ended) for other, call in calls if key_of(other) == key_of(place)]
        rule = _KNOWN_CALL if first.network else _KNOWN_WAIT
        trips.setdefault(key_of(place), RoundTrip(place, rule, 0, covered(spans)))
    return trips


def _waits_for_client(call: BlockingCall) -> bool:
    """Whether a thread of a client moves the bytes, and the loop thread waits: `publisher.publish(...).result()`.

    A call that sleeps for as long as it is told to (`asked`) waits for nobody.
    """
    frame = user_frame(call.stack)
    entry = known(frame.call) if frame else None
    return entry is not None and entry.network and call.asked == 0 and call.name != "time.sleep"


def _counted(line: LineCost, segment: Segment, rule: Rule) -> RoundTrip:
    """The round trip of a line with its cost by the line's counters."""
    return RoundTrip(of_line(line, segment), rule, line.cpu, line.asleep)


def _by_samples(samples: Iterable[Sample]) -> BlamedLine:
    """The user line that most samples show; none, and the first sample's stack, where no sample shows one."""
    samples = list(samples)
    seen = [(frame, sample) for sample in samples if (frame := user_frame(sample.stack)) is not None]
    if not seen:
        return BlamedLine(stack=samples[0].stack, syscall=samples[0].syscall) if samples else BlamedLine()
    (file, line), _times = Counter((frame.file, frame.line) for frame, _ in seen).most_common(1)[0]
    here = [(frame, sample) for frame, sample in seen if (frame.file, frame.line) == (file, line)]
    (call, _times), *_ = Counter(frame.call for frame, _ in here).most_common(1)  # a line may make several calls
    frame, sample = next((frame, sample) for frame, sample in here if frame.call == call)
    syscall = _syscall([each for at, each in here if at.call == call])
    return BlamedLine(frame, sample.stack, "sample", syscall, _seen_waiting([each for _, each in here]))


def _syscall(samples: list[Sample]) -> str:
    """The one that most looks show. A look that another thread took in passing shows none."""
    told = [sample.syscall for sample in samples if sample.syscall != "unknown"]
    return Counter(told or ["unknown"]).most_common(1)[0][0]


def _seen_waiting(samples: list[Sample]) -> bool:
    """Whether a sample shows a kernel call other than a lock's: a wait for the GIL looks like a wait for any lock."""
    return any(map(in_own_wait, samples))


def of_line(line: LineCost, segment: Segment, evidence: Evidence = "line counters") -> BlamedLine:
    """The line, with that of its calls in which the loop thread was seen: the counters do not tell two calls apart."""
    return BlamedLine(line.frame, line.stack, evidence, witnessed=True, call=_seen_call(line.frame, segment))


def _seen_call(line: Frame, segment: Segment) -> str | None:
    """The call of this line that took longest, of those that were recorded or seen; None where none was."""
    recorded: Counter[str] = Counter()
    seen: Counter[str] = Counter()
    for call in segment.calls:
        recorded.update(_call_at(line, call.stack, call.ended - call.began))
    for sample in segment.samples:
        seen.update(_call_at(line, sample.stack, 1))
    enough = recorded and 2 * max(recorded.values()) >= segment.off_cpu
    likely = recorded if enough or not seen else seen
    return likely.most_common(1)[0][0] if likely else None


def _call_at(line: Frame, stack: Stack, weight: int) -> dict[str, int]:
    frame = user_frame(stack)
    here = frame is not None and (frame.file, frame.line) == (line.file, line.line)
    return {frame.call: weight} if here and frame is not None and frame.call is not None else {}


def of_call(call: BlockingCall) -> BlamedLine:
    """A call that the loop makes by itself, as of `call_later(1, time.sleep, 1)`, is named by its own name."""
    frame = user_frame(call.stack)
    names = [each.name for each in call.stack if each.name is not None]
    by_loop = frame is None and all(map(is_on_the_way, names))
    name = names[-1] if names else call.name
    return BlamedLine(frame, call.stack, "call", witnessed=True, call=name if by_loop else None)


def key_of(place: BlamedLine) -> Key | None:
    return (place.frame.file, place.frame.line) if place.frame else None
