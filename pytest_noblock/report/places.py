"""Where the lines of a report lie: names of files as the reader of a report knows them (pure)."""

import re
from collections.abc import Mapping
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any, cast
from urllib.parse import quote

from pytest_noblock.model.check import Check
from pytest_noblock.model.finding import Finding
from pytest_noblock.model.shown import printable

_OF_LIBRARY = re.compile(
    r".*[/\\](?:site-packages|dist-packages|lib[/\\]python3\.\d+t?)[/\\]|.*[/\\](?=pytest_noblock[/\\])"
)


def is_absolute(file: str) -> bool:
    return PurePosixPath(file).is_absolute() or PureWindowsPath(file).is_absolute()


def in_repository(file: str, environment: Mapping[str, Any]) -> str:
    """The file as the repository names it: it may be larger than the folder that pytest ran in."""
    folder = cast("str", environment.get("folder") or "")
    name = file.replace("\\", "/")
    return name if is_absolute(file) or folder in ("", ".") else f"{folder}/{name}"


def uri(file: str, environment: Mapping[str, Any]) -> str:
    """A reference for a URI field; `file:///` where the file lies outside of the project."""
    name = printable(in_repository(file, environment))
    if not is_absolute(name):
        return quote(name)
    return "file://" + quote(name if name.startswith("/") else f"/{name}", safe="/:")


def short(file: str) -> str:
    """`requests/api.py` of a file that lies in a library, wherever that is installed."""
    return printable(_OF_LIBRARY.sub("", file).replace("\\", "/"))


def file_of(check: Check, finding: Finding) -> str:
    """The finding's file; where it has none the test's, since every entry of a report must have a place."""
    return finding.file or check.id.partition("::")[0]
