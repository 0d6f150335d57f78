"""The end of a run: how many requests were watched, and what was found, each line of code once (pure)."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from pytest_noblock.model.limits import UNSETTLED
from pytest_noblock.model.measured import LOOP_HELD, SITS_AT
from pytest_noblock.model.observation import LIFESPAN, NO_REQUEST
from pytest_noblock.model.shown import printable
from pytest_noblock.report.json_v1 import Record

_MOST_TESTS = 3
_MOST_DOUBTS = 10
_LEAST_MS = 0.1
"""A shorter round trip is shown without its time, for `0.0 ms` reads like a mistake."""
_OF_TASKS = ("background-early", "background-lost", "background-missing", "background-failed", "background-order")
"""Their time is the task's, and not what is wrong with it."""


def summary(
    by_test: Mapping[str, Sequence[Record]], unused: Mapping[str, Sequence[str]], *, notes: bool = False
) -> Iterator[str]:
    """The lines of the summary, from the records and the unused allowances of each test. `notes`: with notes."""
    yield from map(printable, _lines(by_test, unused, notes=notes))


def _lines(
    by_test: Mapping[str, Sequence[Record]], unused: Mapping[str, Sequence[str]], *, notes: bool
) -> Iterator[str]:
    requests = sum(each["request"] not in (LIFESPAN, NO_REQUEST) for records in by_test.values() for each in records)
    yield f"{_counted(requests, 'request')} watched in {_counted(len(by_test), 'test')}"
    for line, found in _by_line(by_test, with_known=notes):
        yield from _found(line, found)
    yield from _held(by_test)
    yield from _unsettled(by_test)
    yield from _unused(by_test, unused)
    yield from _notes(by_test) if notes else _count_of_notes(by_test)


def _held(by_test: Mapping[str, Sequence[Record]]) -> Iterator[str]:
    """The requests that never gave the loop back: no stall of theirs has an end, and so none is a finding."""
    for test, records in by_test.items():
        for reason in (check.get("reason") or "" for check in records):
            if LOOP_HELD in reason:
                line = reason.partition(SITS_AT)[2].partition(" in ")[0] or "no line of the user's"
                yield f"  {line}  {LOOP_HELD}"
                yield from _tests([test])


def _unsettled(by_test: Mapping[str, Sequence[Record]]) -> Iterator[str]:
    """The doubts of requests that passed: a green test that leaves a doubt says so. Alike but for times: told once."""
    doubts: dict[str, tuple[str, list[str]]] = {}
    for test, records in by_test.items():
        for check in records:
            for note in check["notes"]:
                if _is_told(note, check):
                    doubts.setdefault(_TIME.sub("", note), (note.removeprefix(UNSETTLED), []))[1].append(test)
    for doubt, tests in list(doubts.values())[:_MOST_DOUBTS]:
        yield f"  unsettled  {doubt}"
        yield from _tests(tests)
    if len(doubts) > _MOST_DOUBTS:
        yield f"  unsettled  {len(doubts) - _MOST_DOUBTS} more; -v shows all"


_TIME = re.compile(r"[\d.]+ (?:us|ms|s)\b")

_SEVERITIES = (UNSETTLED, "cold: ", "near: ")
"""How a note may begin, before the kind of what it tells."""


def _count_of_notes(by_test: Mapping[str, Sequence[Record]]) -> Iterator[str]:
    """One line: how many notes there are of each kind, but for those that are told as unsettled."""
    checks = [check for records in by_test.values() for check in records]
    told = Counter(_subject(note) for check in checks for note in _notes_of(check) if not _is_told(note, check))
    if told:
        yield f"notes: {', '.join(f'{times} {subject}' for subject, times in told.most_common())}; -v lists them"


def _is_told(note: str, check: Record) -> bool:
    return note.startswith(UNSETTLED) and not check["findings"]


def _subject(note: str) -> str:
    """`cpu` of `cold: cpu, 12 ms at app/main.py:3, the first time only`; of a note without a kind what it is about."""
    told = next((note.removeprefix(word) for word in _SEVERITIES if note.startswith(word)), note)
    from pytest_noblock.model.kinds import KINDS  # most runs leave no note

    word = re.split(r"[,\s]", told, maxsplit=1)[0]
    if word in KINDS:
        return f"{word} (first request)" if note.endswith("in the first request only") else word
    if note.startswith("cold: "):
        return "first use"
    return "endpoint not reached" if "not measured" in note else "other"


def _notes_of(check: Record) -> Sequence[str]:
    """Without the reason of an inconclusive check, which comes first: the test is red, and tells it."""
    notes: Sequence[str] = check["notes"]
    return notes[1:] if check.get("outcome") == "inconclusive" else notes


def _notes(by_test: Mapping[str, Sequence[Record]]) -> Iterator[str]:
    """What was seen and fails nothing, under the request that showed it."""
    for test, records in by_test.items():
        for check in records:
            if notes := _notes_of(check):
                yield f"notes on {check['request']} in {test}"
            yield from (f"  {note}" for note in notes)


def _unused(by_test: Mapping[str, Sequence[Record]], unused: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Lines with the allowances that no test needed. An allowance of a class is used if one test needed it."""
    findings = (finding for records in by_test.values() for check in records for finding in check["findings"])
    needed = {finding.get("accepted") for finding in findings}
    for reason in dict.fromkeys(reason for reasons in unused.values() for reason in reasons if reason not in needed):
        first, *others = (test for test, reasons in unused.items() if reason in reasons)
        more = f" and {len(others)} more" if others else ""
        yield f'noblock_allow("{reason}") matched nothing in {first}{more}'


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _by_line(
    by_test: Mapping[str, Sequence[Record]], *, with_known: bool
) -> list[tuple[str, list[tuple[str, Record, Record]]]]:
    """(test, check, finding) of all findings, grouped by place and kind, the worst group first.

    `with_known`: without it those of the baseline are left out, which would drown the new ones.
    """
    groups: defaultdict[str, list[tuple[str, Record, Record]]] = defaultdict(list)
    for test, records in by_test.items():
        for check in records:
            for finding in check["findings"]:
                if finding.get("accepted") == "baseline" and not with_known:
                    continue
                groups[_place(finding)].append((test, check, finding))
    return sorted(groups.items(), key=lambda group: -max(finding["ms"] for _, _, finding in group[1]))


def _place(finding: Record) -> str:
    where = f"{finding['file']}:{finding['line']}" if finding["file"] else "no line of the user's"
    return f"{where}  {finding['kind']}"


def _found(line: str, found: Sequence[tuple[str, Record, Record]]) -> Iterator[str]:
    worst = max((finding for _, _, finding in found), key=lambda finding: float(finding["ms"]))
    accepted = "" if worst.get("accepted") is None else f"  accepted: {worst['accepted']}"
    timeless = worst["kind"] in _OF_TASKS or (worst["ms"] < _LEAST_MS and worst["kind"] == "sync-network")
    took = "" if timeless else f"  {worst['ms']:.1f} ms"
    yield f"  {line}{took}  {worst['call'] or worst['code'] or ''}{accepted}"
    yield from _tests(test for test, _, _ in found)


def _tests(names: Iterable[str]) -> Iterator[str]:
    tests = list(dict.fromkeys(names))
    for test in tests[:_MOST_TESTS]:
        yield f"      {test}"
    if len(tests) > _MOST_TESTS:
        yield f"      and {len(tests) - _MOST_TESTS} more"
