"""The report formats: by the end of a file's name, one writer each.

A new format is a module with `suffix` and `render`, and a row in `WRITERS`.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from pytest_noblock.report import files, json_v1
from pytest_noblock.report.wire import Run


class Writer(Protocol):
    """A module that renders a run. It opens no file and reads no clock."""

    @property
    def suffix(self) -> str:
        """How the names of its files end: `.json`. Where two suffixes fit, the longer one holds."""

    def render(self, run: Run) -> str:
        """The whole file, its last newline included."""


WRITERS: tuple[Writer, ...] = (json_v1,)

REPORT_SUFFIXES = tuple(writer.suffix for writer in WRITERS)


def writer_of(name: str, writers: Iterable[Writer] = WRITERS) -> Writer | None:
    """Who writes files of this name; None where nobody does."""
    fitting = [writer for writer in writers if name.endswith(writer.suffix)]
    return max(fitting, key=lambda writer: len(writer.suffix), default=None)


def write(file: Path, run: Run) -> None:
    """Render the run into this file, whose name a writer knows; see `files.put`. Raises OSError and ValueError."""
    writer = writer_of(file.name)
    if writer is None:
        raise ValueError(f"no writer for {file.name!r}")
    files.put(file, writer.render(run))
