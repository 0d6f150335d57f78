"""A JSON report that grows with each test, and is a whole report after each.

A run may end without a word: by SIGKILL or SIGTERM, by a crash, by the `os._exit` of pytest-timeout's thread method.
Then nobody can write anything any more, and the report has all tests that had ended. At the end of a run that does end
the report is written anew: sorted, and formatted for people.
"""

import json
import stat
from collections.abc import Iterable, Mapping
from io import FileIO
from pathlib import Path

from pytest_noblock.report import files
from pytest_noblock.report.json_v1 import SCHEMA_VERSION, suffix

_HEAD = f'{{\n  "schema_version": {SCHEMA_VERSION},\n  "checks": ['


class GrowingReport:
    """What cannot be written is not told here: the report is written again at the end of the run, and it is told then.

    A test takes one `write` of its records and of the end of the document, some 20 us.
    """

    def __init__(self, file: Path) -> None:
        self._path = file
        self._file: FileIO | None = None
        self._broken = not file.name.endswith(suffix)
        self._size = 0
        """Bytes of the document up to the end of its last record."""
        self._end = 0
        """Bytes of what stands behind that."""

    def add(self, records: Iterable[str], environment: Mapping[str, object]) -> None:
        """Adds the records of a test, which are JSON. The first call replaces the report of the last run."""
        if self._broken:
            return
        try:
            self._append(list(records), environment)
        except (OSError, ValueError):
            self._broken = True
            self.close()

    def _append(self, records: list[str], environment: Mapping[str, object]) -> None:
        if self._file is None:
            self._file = self._begun(environment)
        if self._file is None:
            return
        separator = "\n    " if self._size == len(_HEAD) else ",\n    "
        added = (separator + ",\n    ".join(records)).encode()
        end = _end(environment).ljust(self._end)  # white space, where the end was longer
        self._file.seek(self._size)
        self._file.write(added + end)
        self._size, self._end = self._size + len(added), len(end)

    def _begun(self, environment: Mapping[str, object]) -> FileIO | None:
        before = files.found(self._path)
        if before is not None and not stat.S_ISREG(before.st_mode):  # a device has no place to go back to
            self._broken = True
            return None
        end = _end(environment)
        files.put(self._path, _HEAD + end.decode())
        self._size, self._end = len(_HEAD), len(end)
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
    return f'\n  ],\n  "routes": [],\n  "environment": {json.dumps(environment)}\n}}\n'.encode()
