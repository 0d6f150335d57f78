"""Sources that are written for one test."""

import linecache
import textwrap
import types
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest


@pytest.fixture
def write(tmp_path: Path) -> Iterator[Callable[[str], types.CodeType]]:
    """Writes source text to a file of its own and compiles it."""
    files: list[str] = []

    def write(text: str) -> types.CodeType:
        file = tmp_path / f"source{len(files)}.py"
        file.write_text(textwrap.dedent(text), encoding="utf-8")
        files.append(str(file))
        return compile(file.read_text(encoding="utf-8"), str(file), "exec", dont_inherit=True)

    yield write
    linecache.checkcache()
