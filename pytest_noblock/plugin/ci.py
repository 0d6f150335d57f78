"""What GitHub Actions is told of a run: annotations at the lines, and a page in the summary of the job."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_noblock.plugin.options import ACTIONS, SUMMARY

if TYPE_CHECKING:
    from pytest_noblock.report.wire import Run


def annotations(run: "Run", environ: Mapping[str, str] = os.environ) -> Iterator[str]:
    """Lines for the log, which must begin at its left edge."""
    if environ.get(ACTIONS) == "true":
        from pytest_noblock.report.annotations import annotations as lines

        yield from lines(run)


def add_summary(run: "Run", environ: Mapping[str, str] = os.environ) -> str | None:
    """Appends the page to the summary of the job. Returns a sentence where that fails."""
    name = environ.get(SUMMARY)
    if not name:
        return None
    from pytest_noblock.report import markdown

    file = Path(name)
    try:
        before = file.stat().st_size if file.exists() else 0
        page = markdown.cut(markdown.render(run), markdown.MOST_BYTES - before)
        if page:
            with file.open("a", encoding="utf-8", newline="\n") as opened:
                opened.write(f"\n{page}" if before else page)
    except OSError as error:
        return f"the summary of the job, {file}, cannot be written: {error.strerror or error}"
    return None
