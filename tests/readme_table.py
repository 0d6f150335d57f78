"""The README's table of the example app: each red twin's test compares its own row, or writes it.

`README_TABLE=write python -m pytest tests/test_example_app.py tests/test_example_background.py` writes them all.
"""

import os
import re
from dataclasses import replace
from pathlib import Path

from pytest_noblock.model import units
from pytest_noblock.model.finding import Finding

README = Path(__file__).parent.parent / "README.md"
TABLE = re.compile(r"(?<=<!-- table: the example app -->\n).*?(?=\n\n)", re.DOTALL)
HEAD = ("| request | call | kind | line | instead | asleep | on CPU |", "|---|---|---|---|---|---|---|")
MILLISECONDS = re.compile(r"[\d.]+ ms")


def row(request: str, finding: Finding) -> str:
    """What the plugin said, as a line of the table."""
    call = f"`{finding.call}`" if finding.call else ""
    line = f"[{finding.file}:{finding.line}]({finding.file}#L{finding.line})".replace("[example_app/", "[")
    figures = (units.words(each) for each in (finding.asleep, finding.cpu))
    return f"| {' | '.join((f'`{request}`', call, f'`{finding.kind}`', line, finding.replacement, *figures))} |"


def rows() -> dict[str, str]:
    """The README's, by request."""
    match = TABLE.search(README.read_text(encoding="utf-8"))
    assert match, "README.md has no table of the example app"
    return {line.split("`")[1]: line for line in match[0].splitlines()[2:]}


def compare(request: str, finding: Finding, lines: list[int]) -> None:
    """The README says the same, but for the milliseconds, and for which line of a loop it was."""
    if os.environ.get("README_TABLE") == "write":
        write(rows() | {request: row(request, finding)})
    told = [without_milliseconds(row(request, replace(finding, line=line))) for line in lines]
    known = without_milliseconds(rows().get(request, "nothing"))
    assert known in told, f"README.md is not what the plugin says; {__doc__}"


def without_milliseconds(line: str) -> str:
    return MILLISECONDS.sub("N ms", line)


def write(table: dict[str, str]) -> None:
    text = "\n".join((*HEAD, *table.values()))
    README.write_text(TABLE.sub(lambda _: text, README.read_text(encoding="utf-8")), encoding="utf-8")
