"""Why others had to wait, in words and numbers: the row `why` of a finding (pure)."""

from collections.abc import Iterator

from pytest_noblock.model.finding import MOCKED, Finding
from pytest_noblock.model.kinds import KINDS
from pytest_noblock.model.units import words

_KERNEL_CALLS = {
    "poll": "for the network",
    "ppoll": "for the network",
    "recvfrom": "for the network",
    "recvmsg": "for the network",
    "connect": "for a connection",
    "futex": "for a lock",
    "wait4": "for a process",
    "waitid": "for a process",
    "clock_nanosleep": "in a sleep",
    "nanosleep": "in a sleep",
    "fsync": "for the disk",
    "fdatasync": "for the disk",
}
"""What the loop thread waits for in these calls of Linux; in all others it waits "in the kernel"."""

_QUICK_NS = 1_000_000
"""Ns. A round trip on one machine takes 0.03 to 0.3 ms: that says nothing of the time it takes in production."""

_SHORT_NS = 10_000_000
"""Ns. A round trip for which nobody slept: the answer came at once, and `asleep 0 ms` says nothing of it."""

_LONG_COLLECTION_NS = 10_000_000
"""Ns. A collection of the youngest objects takes 0.1 ms; one of all objects takes 50 ms and more in a process with
pytest and a web framework."""

_MOST_PEERS = 2
"""The most connections that one line shows; `-vvv` shows all."""


def why(finding: Finding) -> str:
    if finding.evidence == MOCKED:
        return MOCKED
    if finding.reason is not None:
        return finding.reason
    times = f", {finding.count} times" if finding.count > 1 else ""
    if is_quick(finding) or (finding.kind == "sync-network" and not finding.asleep and finding.blocked_ns < _SHORT_NS):
        return f"{_round_trip(finding)}: {_exchanged(finding)}{times}"
    split = f"asleep {words(finding.asleep)}, CPU {words(finding.cpu)}"
    return f"{_doing(finding)}: {'; '.join([split + times, *_carried(finding), *_beside(finding)])}"


def is_quick(finding: Finding) -> bool:
    """Whether it is a round trip whose time says nothing: what counts is that it was made."""
    return finding.kind == "sync-network" and finding.blocked_ns < _QUICK_NS and finding.evidence != MOCKED


def _beside(finding: Finding) -> Iterator[str]:
    """What the loop waited for as well, and is not the line's: else nobody knows why turns waited so much longer."""
    collected = finding.readings.collected if finding.readings and finding.kind == "cpu" else None
    if collected and collected >= _LONG_COLLECTION_NS:
        yield f"garbage collection took {words(collected)} more, which is not counted"


def _round_trip(finding: Finding) -> str:
    """What was made, where nobody knows what went over the network: it is no TCP, or the socket is closed."""
    known = finding.call and not _carried(finding)
    return f"a round trip by {finding.call}" if known else KINDS[finding.kind].doing


def _exchanged(finding: Finding) -> str:
    """What went over the network, where the meter knows it, and that the time here is not the time there."""
    took = f"over in {words(finding.blocked_ns)} here" if finding.blocked_ns else "over at once here"
    return "; ".join([*_carried(finding), took])


def _carried(finding: Finding) -> list[str]:
    exchanged = finding.readings.exchanged if finding.readings and finding.kind == "sync-network" else ()
    return [
        f"{each.sent} bytes to {each.peer or 'a closed socket'}, {each.received} back"
        for each in exchanged[:_MOST_PEERS]
    ]


def _doing(finding: Finding) -> str:
    """What the thread did meanwhile."""
    where = f"in {finding.call}" if finding.call else _KERNEL_CALLS.get(finding.syscall or "", "in the kernel")
    if finding.kind == "cpu" and finding.call and finding.evidence == "endpoint":
        return f"computing {where}"  # the line is a `def`, and does not show it
    return KINDS[finding.kind].doing.format(where=where)
