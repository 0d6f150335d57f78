"""Puts a report into its file: all of it or nothing, and without a wait."""

import contextlib
import errno
import os
import stat
from collections.abc import Iterable
from pathlib import Path

_NO_FILES = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFBLK: "a block device",
}
"""What a report is not written to. To open a FIFO or a socket may take until somebody reads, which may be never."""


def put(file: Path, text: str | Iterable[str]) -> None:
    """Replaces the file's text; makes its folder. Raises OSError or ValueError, whose text says what is in the way.

    `text`: whole, or in pieces.

    Whoever reads the file meanwhile reads the old text or the new one, never a part. The file keeps its permissions, a
    link stays a link. Into a character device, as `/dev/null`, the text is written as it is.
    """
    before = found(file)
    if before is not None and stat.S_ISCHR(before.st_mode):
        _write_into(file, text)
        return
    _refuse(file, before)
    real = Path(os.path.realpath(file))
    real.parent.mkdir(parents=True, exist_ok=True)
    _replace(real, text, before)


def found(file: Path) -> os.stat_result | None:
    """What stands at this path, links followed; None for nothing."""
    try:
        return file.stat()
    except FileNotFoundError:
        return None


def _refuse(file: Path, before: os.stat_result | None) -> None:
    if before is None:
        return
    what = _NO_FILES.get(stat.S_IFMT(before.st_mode))
    if what is not None:
        raise OSError(errno.EINVAL, f"it is {what}, and a report needs a file")
    if not os.access(file, os.W_OK):
        raise OSError(errno.EACCES, "it is read-only")


def _write_into(device: Path, text: str | Iterable[str]) -> None:
    flags = os.O_WRONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)
    with open(os.open(device, flags), "wb", buffering=0) as file:  # noqa: PTH123  # a Path has no flags
        file.writelines(piece.encode() for piece in _pieces(text))


def _replace(real: Path, text: str | Iterable[str], before: os.stat_result | None) -> None:
    """`before`: whose permissions the new file gets."""
    new = real.with_name(f".noblock-{os.getpid()}.tmp")
    try:
        new.unlink(missing_ok=True)  # of a process that was killed, and had this number
        with new.open("x", encoding="utf-8", newline="\n") as file:
            file.writelines(_pieces(text))
        if before is not None:
            _keep_permissions(new, before)
        new.replace(real)
    except BaseException:
        new.unlink(missing_ok=True)
        raise


def _pieces(text: str | Iterable[str]) -> Iterable[str]:
    return (text,) if isinstance(text, str) else text


def _keep_permissions(new: Path, before: os.stat_result) -> None:
    now = new.stat()
    if (now.st_uid, now.st_gid) != (before.st_uid, before.st_gid) and hasattr(os, "chown"):
        with contextlib.suppress(PermissionError):  # only root gives files away
            os.chown(new, before.st_uid, before.st_gid)
    new.chmod(stat.S_IMODE(before.st_mode))
