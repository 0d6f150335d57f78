"""Does the meter see what it must, on this machine? Planted, not assumed."""

import asyncio
import os
import socket
import threading
import time

from pytest_noblock.engine.exchange import CURRENT, Record
from pytest_noblock.engine.metering import metering
from pytest_noblock.engine.usercode import UserCode
from pytest_noblock.observation import Meter, Segment

_MS = 1_000_000
_SLEEP_NS = 4 * _MS
_BURN_NS = _MS
_TRIES = 3


def meter_of_this_machine() -> tuple[Meter, str]:
    """`full` where a planted sleep, CPU burn and round trip are all seen, else `portable` and what is not."""
    missing = "nothing was tried"
    for _ in range(_TRIES):
        missing = _in_a_thread()
        if not missing:
            return "full", ""
    return "portable", missing


def _in_a_thread() -> str:
    """In a thread, for the caller may have a running event loop."""
    answer: list[str] = []
    thread = threading.Thread(target=lambda: answer.append(_unseen()), name="noblock self-check")
    thread.start()
    thread.join()
    return answer[0] if answer else "the self-check itself failed"


def _unseen() -> str:
    """What the full meter does not see here, in words; empty when it sees all."""
    try:
        sleep, burn, trip = asyncio.run(_planted())
    except (OSError, AttributeError, ValueError) as error:  # no schedstat, no timerfd, no byte counters
        return f"the kernel's counters ({error})"
    seen = {
        "a planted sleep": sleep.asleep >= _SLEEP_NS // 2,
        "a planted CPU burn": burn.cpu >= _BURN_NS // 2,
        "a planted round trip": trip.round_trips > 0,
    }
    return ", ".join(name for name, was_seen in seen.items() if not was_seen)


async def _planted() -> list[Segment]:
    loop = asyncio.get_running_loop()
    listener = socket.create_server(("127.0.0.1", 0))
    client = socket.socket()
    client.connect(listener.getsockname())
    server, _address = listener.accept()
    records = [Record("SELF", "check") for _ in range(3)]
    with listener, client, server, metering("full", UserCode(os.sep), sample_after=1000 * _MS) as metered:
        for record, plant in zip(records, (_sleep, _burn, lambda: _round_trip(client, server)), strict=True):
            done = loop.create_future()
            CURRENT.set(record)
            loop.call_soon(lambda plant=plant, done=done: done.set_result(plant()))  # type: ignore[misc]
            CURRENT.set(None)
            await done
    return [_segment(metered.segments, record) for record in records]


def _segment(segments: tuple[Segment, ...], record: Record) -> Segment:
    mine = [segment for segment in segments if segment.exchange == record.number]
    if not mine:
        raise OSError("a planted step was not metered")
    return mine[0]


def _sleep() -> None:
    time.sleep(_SLEEP_NS / 1e9)


def _burn() -> None:
    end = time.thread_time_ns() + _BURN_NS
    while time.thread_time_ns() < end:
        pass


def _round_trip(client: socket.socket, server: socket.socket) -> None:
    client.sendall(b"?")
    server.recv(1)
    server.sendall(b"!")
    client.recv(1)
