"""The text of a baseline file: JSON Lines, one finding a line, sorted, so that branches merge (pure)."""

import json
from collections.abc import Iterator
from datetime import date
from typing import Any

from pytest_noblock.acceptance.baseline import Baseline, Entry
from pytest_noblock.model import shown
from pytest_noblock.model.identity import identity

VERSION = 1
_HEAD = "noblock_baseline"
_PLACE = ("kind", "route", "file", "function", "call")
_MUST = ("kind", "route")


class Unreadable(ValueError):
    """What is wrong with the file, in one sentence that begins behind its name."""


def read(content: bytes) -> Baseline:
    """What stands in a file. Raises Unreadable."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Unreadable("cannot be read: it is not UTF-8") from None
    return parse(text)


def parse(text: str) -> Baseline:
    """Raises Unreadable. Two lines of the same finding, as a merge may leave them, are one."""
    lines = [(number, line.strip()) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    _check_head(*lines[0] if lines else (1, ""))
    entries: dict[tuple[str | None, ...], Entry] = {}
    for number, line in lines[1:]:
        entry = _entry(number, _object(number, line))
        before = entries.get(entry.identity)
        entries[entry.identity] = entry if before is None else _joined(before, entry)
    return Baseline(tuple(entries.values()))


def render(baseline: Baseline) -> str:
    """The whole file. It has no line number, no time, no count and no date of a run: each would be a conflict."""
    text = "".join(f"{line}\n" for line in (json.dumps({_HEAD: VERSION}), *map(_line, baseline.entries)))
    return text.encode("utf-8", "backslashreplace").decode()  # a lone surrogate, as an odd file name has it


def _line(entry: Entry) -> str:
    fields: dict[str, Any] = dict(zip(_PLACE, entry.identity, strict=True))
    if entry.reason is not None:
        fields["reason"] = entry.reason
    if entry.expires is not None:
        fields["expires"] = str(entry.expires)
    return json.dumps({**fields, **dict(entry.others)}, ensure_ascii=False)


def _check_head(number: int, line: str) -> None:
    head = _object(number, line) if line else {}
    version = head.get(_HEAD)
    if type(version) is int and version > VERSION:
        raise Unreadable(f"is of version {version}, and this pytest-noblock knows version {VERSION}: update it")
    if type(version) is not int or version != VERSION:
        raise Unreadable(f'is no baseline: its first line must be {{"{_HEAD}": {VERSION}}}')


def _object(number: int, line: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        if line.startswith(("<<<<<<<", "=======", ">>>>>>>", "|||||||")):
            raise Unreadable(f"has a conflict of git in line {number}: {shown.value(line)}") from None
        raise Unreadable(f"cannot be read: line {number} is no JSON: {shown.value(line)}") from None
    if not isinstance(found, dict):
        raise Unreadable(f"cannot be read: line {number} is no JSON object: {shown.value(line)}")
    return found


def _entry(number: int, fields: dict[str, Any]) -> Entry:
    for problem in _problems(fields):
        raise Unreadable(f"cannot be read: line {number}: {problem}")
    kind, route, file, function, call = (fields.get(name) for name in _PLACE)
    expires = fields.get("expires")
    return Entry(
        identity(str(kind), str(route), file, function, call),
        fields.get("reason"),
        None if expires is None else date.fromisoformat(expires),
        tuple((name, value) for name, value in fields.items() if name not in (*_PLACE, "reason", "expires")),
    )


def _problems(fields: dict[str, Any]) -> Iterator[str]:
    for name in (*_PLACE, "reason"):
        value = fields.get(name)
        if not (isinstance(value, str) or (value is None and name not in _MUST)):
            yield f"{name} must be text, and is {shown.value(value)}"
    expires = fields.get("expires")
    if expires is not None and not _is_date(expires):
        yield f"expires must be a date, as 2026-12-31, and is {shown.value(expires)}"


def _is_date(given: object) -> bool:
    try:
        return isinstance(given, str) and str(date.fromisoformat(given)) == given
    except ValueError:
        return False


def _joined(first: Entry, second: Entry) -> Entry:
    """What one of them has alone is kept; where both say something, the first holds, and the later date."""
    dates = [each.expires for each in (first, second)]
    return Entry(
        first.identity,
        first.reason if first.reason is not None else second.reason,
        max(each for each in dates if each is not None) if None not in dates else None,
        tuple({**dict(second.others), **dict(first.others)}.items()),
    )
