"""In which system call another thread sits, as the kernel tells."""

import os

from pytest_noblock.engine.now import read_file

_NUMBERS_OF_SYSCALLS = {
    "x86_64": {0: "read", 1: "write", 7: "poll", 23: "select", 35: "nanosleep", 42: "connect", 44: "sendto",
               45: "recvfrom", 47: "recvmsg", 61: "wait4", 74: "fsync", 75: "fdatasync", 202: "futex",
               230: "clock_nanosleep", 232: "epoll_wait", 247: "waitid", 257: "openat", 270: "pselect6",
               271: "ppoll", 281: "epoll_pwait"},
    "aarch64": {63: "read", 64: "write", 72: "pselect6", 73: "ppoll", 82: "fsync", 83: "fdatasync", 98: "futex",
                101: "nanosleep", 115: "clock_nanosleep", 203: "connect", 206: "sendto", 207: "recvfrom",
                212: "recvmsg", 22: "epoll_pwait", 56: "openat", 95: "waitid", 260: "wait4"},
}  # fmt: skip
_MACHINE = os.uname().machine if hasattr(os, "uname") else ""


def syscall_of(native: int) -> str:
    """The system call that a thread sits in, else `running`; `unknown` where the kernel does not tell.

    The kernel writes it to `/proc/self/task/<tid>/syscall` (CONFIG_HAVE_ARCH_TRACEHOOK).
    """
    try:
        word = read_file(f"/proc/self/task/{native}/syscall").decode().split()[0]
    except (OSError, IndexError):
        return "unknown"
    names = _NUMBERS_OF_SYSCALLS.get(_MACHINE, {})
    return names.get(int(word), f"system call {word}") if word.isdigit() else word
