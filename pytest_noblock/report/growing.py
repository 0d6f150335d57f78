"""A JSON report that grows with each test, and is a whole report after each.

A run may end without a word: by SIGKILL or SIGTERM, by a crash, by the `os._exit` of pytest-timeout's thread method.
Then nobody can write anything any more, and the report has all tests that had ended. At the end of a run that does end
the report is written anew: sorted, and formatted for people.
"""

import contextlib
import errno
import json
import stat
from collections.abc import Iterable, Mapping
from io import FileIO
from pathlib import Path

from pytest_noblock.report import files
from pytest_noblock.report.formats import suffix_of
from pytest_noblock.report.json_v1 import SCHEMA_VERSION, suffix

_HEAD = f'{{\n  "schema_version": {SCHEMA_VERSION},\n  "checks": ['


class GrowingReport:
    """What cannot be written is not told here: the report is written again at the end of the run, and it is told then.

    A test takes one `write` of its records and of the end of the document, some 20 us.
    """

    def __init__(self, file: Path) -> None:
        self._path = file
        self._file: FileIO | None = None
        self._broken = suffix_of(file.name) != suffix
        self._size = 0
        """Bytes of the document up to the end of its last record."""
        self._end = b""
        """What stands behind that."""
        self._records = 0
        """How many records the file has."""
        self._missed = 0
        """How many it could not take."""

    def add(self, records: Iterable[str], environment: Mapping[str, object]) -> None:
        """Adds the records of a test, which are JSON. The first call replaces the report of the last run."""
        added = list(records)
        if self._broken:
            self._missed += len(added)
            return
        try:
            self._append(added, environment)
        except (OSError, ValueError):
            self._missed += len(added)
            self._broken = True
            self._take_back()
            self.close()

    def has(self) -> str:
        """What the file has, in words, where the whole report could not be written; empty where it has none of it."""
        if not self._records:
            return ""
        return f"; it has {self._records} of {self._records + self._missed} checks"

    def _append(self, records: list[str], environment: Mapping[str, object]) -> None:
        if self._file is None:
            self._file = self._begun(environment)
        if self._file is None:
            return
        separator = "\n    " if self._size == len(_HEAD) else ",\n    "
        added = (separator + ",\n    ".join(records)).encode()
        end = _end(environment).ljust(len(self._end))  # white space, where the end was longer
        self._file.seek(self._size)
        if self._file.write(added + end) != len(added) + len(end):
            raise OSError(errno.ENOSPC, "the disk took a part of it")
        self._size, self._end = self._size + len(added), end
        self._records += len(records)

    def _take_back(self) -> None:
        """The disk is full: leaves the report as it was before these records. Its end had its place already."""
        if self._file is None:
            return
        with contextlib.suppress(OSError):
            self._file.seek(self._size)
            self._file.write(self._end)
            self._file.truncate()

    def _begun(self, environment: Mapping[str, object]) -> FileIO | None:
        before = files.found(self._path)
        if before is not None and not stat.S_ISREG(before.st_mode):  # a device has no place to go back to
            self._broken = True
            return None
        end = _end(environment)
        files.put(self._path, _HEAD + end.decode())
        self._size, self._end, self._records = len(_HEAD), end, 0
        return FileIO(self._path, "r+")

    def restart(self) -> None:
        """Begins anew with the next records: a test that was run again is told as the last time."""
        self.close()

    def close(self) -> None:
        """Leaves the file as it is."""
        opened, self._file = self._file, None
        if opened is not None:
            opened.close()


def _end(environment: Mapping[str, object]) -> bytes:
    return f'\n  ],\n  "routes": [],\n  "environment": {json.dumps({**environment, "ended": False})}\n}}\n'.encode()
