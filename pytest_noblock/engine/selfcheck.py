"""Does the meter see on this machine what it must? A sleep, a CPU burn and a round trip are planted to find out."""

import os
import socket
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import closing

from pytest_noblock.engine.exchange import LiveExchange
from pytest_noblock.engine.guard import guarded
from pytest_noblock.engine.meters import MeterKit
from pytest_noblock.engine.now import now, thread_cpu
from pytest_noblock.engine.steps.meter import StepMeter
from pytest_noblock.engine.usercode import UserCode
from pytest_noblock.model.observation import Meter
from pytest_noblock.model.pace import Pace
from pytest_noblock.model.segment import Segment

_MS = 1_000_000
_SLEEP_NS = 4 * _MS
_BURN_NS = _MS
_TALK_NS = _MS // 10
"""ns. One round trip within one thread takes 11 us, and the meter does not look into steps under 30 us: so several are
made, for this long."""
_TRIES = 3
"""A busy machine may hide what is planted in one try. It does not hide it in three."""
_ROUNDS = 10_000
"""Of the planted work: some 1 ms of CPU, as user code burns it, with calls, objects and a dictionary."""
_WORKS = 15
"""So many planted works, some 20 ms, tell the pace of a moment.

The pace is their median. Measured on a virtual machine with two shared cores, where the same step took up to 1.9 times
its usual CPU, in bursts, with a limit of 50 ms, quiet / beside 4 busy processes. Of steps that take 40 ms at the best
pace, 35 / 32 % came out over the limit by CPU alone, and 18 / 3 % with the pace; of steps of 60 ms 100 / 100 % and
97 / 76 %; of steps of 70 ms 100 / 94 % with the pace. The fourth slowest work instead of the median: 14 / 1, 90 / 49 %.
"""
_FIRST_WORKS = 3
"""So many, and those that are planted as the CPU burn, are enough where only the best of them counts."""

_fastest: list[int] = []
"""The shortest planted work of the session (ns of CPU), if there was one."""


def meter_of_this_machine() -> tuple[Meter, str]:
    """`full` where the meter sees all that is planted; else `portable`, and what it does not see, in words."""
    _note_fastest(_work() for _ in range(_FIRST_WORKS))
    missing = ""
    for _ in range(_TRIES):
        missing = _in_a_thread()
        if not missing:
            return "full", ""
    return "portable", missing


def pace_now() -> Pace:
    """How fast the calling thread computes now, and how fast it did at best in this session."""
    import statistics  # few findings are near the limit

    works = [_work() for _ in range(_WORKS)]
    _note_fastest(works)
    return Pace(now=round(statistics.median(works)), best=_fastest[0])


def _note_fastest(works: Iterable[int]) -> None:
    _fastest[:] = [min([*works, *_fastest])]


def _work() -> int:
    """Ns of CPU that the planted work takes."""
    began = thread_cpu()
    seen = {}
    for number in range(_ROUNDS):
        seen[number & 255] = str(number)
    return max(1, thread_cpu() - began)


def _in_a_thread() -> str:
    """Runs the check in a new thread: the calling thread may be metered already."""
    answer: list[str | None] = []
    thread = threading.Thread(target=lambda: answer.append(guarded(_unseen)), name="noblock self-check")
    thread.start()
    thread.join()
    return "the self-check itself failed" if answer[0] is None else answer[0]


def _unseen() -> str:
    """What the full meter does not see here, in words; empty where it sees all."""
    try:
        sleep, burn, trip = _planted()
    except (OSError, AttributeError, ValueError) as error:  # no schedstat, no byte counters
        return f"the kernel's counters ({error})"
    seen = {
        "a planted sleep": sleep.asleep >= _SLEEP_NS // 2,
        "a planted CPU burn": burn.cpu >= _BURN_NS // 2,
        "a planted round trip": trip.round_trips + trip.doubtful_trips > 0,  # another thread may work meanwhile
    }
    return ", ".join(name for name, was_seen in seen.items() if not was_seen)


def _planted() -> list[Segment]:
    """The segments of a sleep, a burn and a round trip, with the set-up that every run has."""
    listener = socket.create_server(("127.0.0.1", 0))
    client = socket.socket()
    client.connect(listener.getsockname())
    server, _address = listener.accept()
    with listener, client, server, closing(MeterKit("full", UserCode(os.sep)).new_meter()) as meter:
        return [_metered(meter, plant) for plant in (_sleep, _burn, lambda: _talk(client, server))]


def _metered(meter: StepMeter, plant: Callable[[], None]) -> Segment:
    meter.begin(LiveExchange("SELF", "check"))
    try:
        plant()
    finally:
        meter.end()
    if not meter.segments:
        raise OSError("a planted step was not metered")
    return meter.segments.pop()[0]


def _sleep() -> None:
    time.sleep(_SLEEP_NS / 1e9)


def _burn() -> None:
    end = thread_cpu() + _BURN_NS
    while thread_cpu() < end:
        _note_fastest([_work()])


def _talk(client: socket.socket, server: socket.socket) -> None:
    end = now() + _TALK_NS
    while now() < end:
        client.sendall(b"?")
        server.recv(1)
        server.sendall(b"!")
        client.recv(1)
