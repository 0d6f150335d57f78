"""What a thread's voluntary context switches say of its waits for the interpreter lock: pure functions.

Who waits for the lock wakes every `sys.getswitchinterval()`, 5 ms, and asks for it again (CPython's `take_gil`).
"""

EVERY_NS = 5_000_000
_FEWEST = 3
_PER_NS = 1 / 12_000_000
"""Measured: 99 ms late with 21 switches, 152 ms with 33. A sleep of 100 ms, or a wait for a processor, has 1 or 2."""
_IN_VAIN = 3 / 4
"""Measured: 142 switches in 717 ms for one wait beside 4 busy processes, 72 in 118 ms for many short ones."""


def enough(switches: int, waited: int) -> bool:
    """Whether a wait of so many ns may have been for the lock."""
    return switches >= max(_FEWEST, waited * _PER_NS)


def in_vain(switches: int, asleep: int) -> bool:
    """Whether nearly all wakes were for nothing: of many short waits every second one ends with the lock."""
    return asleep / EVERY_NS >= _IN_VAIN * switches - _FEWEST
