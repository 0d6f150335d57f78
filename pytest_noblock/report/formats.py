"""The report formats: by the end of a file's name, one writer each.

A new format is a module with `suffix` and `render`, and a row in `WRITERS`.
"""

from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from pytest_noblock.report import files
from pytest_noblock.report.wire import Run


class Writer(Protocol):
    """A module that renders a run. It opens no file and reads no clock."""

    @property
    def suffix(self) -> str:
        """How the names of its files end: `.json`. Where two suffixes fit, the longer one holds."""

    def render(self, run: Run) -> str:
        """The whole file, its last newline included."""


WRITERS = {
    ".json": "json_v1",
    ".html": "page.document",
    ".sarif": "sarif",
    ".md": "markdown",
    ".gitlab.json": "gitlab",
    ".trace.json": "trace",
}
"""Which module of this package writes files of this suffix; it is imported once such a file is asked for."""

REPORT_SUFFIXES = tuple(WRITERS)


def suffix_of(name: str, suffixes: Iterable[str] = REPORT_SUFFIXES) -> str | None:
    """The longest of the suffixes that fits; None where none does."""
    return max((suffix for suffix in suffixes if name.endswith(suffix)), key=len, default=None)


def writer_of(name: str) -> Writer | None:
    """Who writes files of this name; None where nobody does."""
    suffix = suffix_of(name)
    if suffix is None:
        return None
    return cast("Writer", import_module(f"pytest_noblock.report.{WRITERS[suffix]}"))


def write(file: Path, run: Run) -> None:
    """Render the run into this file, whose name a writer knows; see `files.put`. Raises OSError and ValueError."""
    writer = writer_of(file.name)
    if writer is None:
        raise ValueError(f"no writer for {file.name!r}")
    files.put(file, writer.render(run))
