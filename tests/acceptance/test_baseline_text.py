"""The file of known findings: what is read, what is refused, what is written."""

import shutil
import subprocess
from datetime import date
from pathlib import Path

import pytest

from pytest_noblock.acceptance.baseline import Baseline, Entry
from pytest_noblock.acceptance.baseline_text import Unreadable, parse, render
from pytest_noblock.model.identity import identity

pytestmark = pytest.mark.one_python

HEAD = '{"noblock_baseline": 1}\n'
LINE = '{"kind": "cpu", "route": "GET /a", "file": "app.py", "function": "f", "call": null}\n'
ENTRY = Entry(identity("cpu", "GET /a", "app.py", "f", None))


def test_it_is_one_line_for_each_finding_and_a_first_line_with_the_version():
    assert render(Baseline((ENTRY,))) == HEAD + LINE
    assert parse(HEAD + LINE) == Baseline((ENTRY,))
    assert render(Baseline()) == HEAD
    assert parse(HEAD) == Baseline()


def test_the_users_own_keys_their_reason_and_their_words_are_kept():
    mine = LINE[:-2] + ', "reason": "für Größe", "expires": "2026-12-31", "owner": {"team": [1]}, "x": null}\n'
    known = parse(HEAD + mine)
    assert (known.entries[0].reason, known.entries[0].expires) == ("für Größe", date(2026, 12, 31))
    assert render(known) == HEAD + mine


def test_keys_may_be_left_out_and_lines_may_end_as_on_windows():
    text = '{"noblock_baseline": 1}\r\n\r\n{"kind": "cpu", "route": "GET /a"}\r\n'
    assert [each.identity for each in parse(text).entries] == [identity("cpu", "GET /a", None, None, None)]


def test_two_lines_of_one_finding_are_one():
    """As `merge=union` leaves them."""
    first = LINE[:-2] + ', "owner": "me"}\n'
    second = LINE[:-2] + ', "owner": "you", "reason": "why", "expires": "2026-01-01"}\n'
    (entry,) = parse(HEAD + first + second).entries
    assert (entry.reason, entry.expires, dict(entry.others)) == ("why", None, {"owner": "me"})


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", 'is no baseline: its first line must be {"noblock_baseline": 1}'),
        (LINE, 'is no baseline: its first line must be {"noblock_baseline": 1}'),
        ('{"noblock_baseline": true}', 'is no baseline: its first line must be {"noblock_baseline": 1}'),
        ('{"noblock_baseline": 2}', "is of version 2, and this pytest-noblock knows version 1: update it"),
        (f"{HEAD}{{broken\n", "cannot be read: line 2 is no JSON: '{broken'"),
        (f"{HEAD}[1]\n", "cannot be read: line 2 is no JSON object: '[1]'"),
        (f"{HEAD}<<<<<<< HEAD\n", "has a conflict of git in line 2: '<<<<<<< HEAD'"),
        (f'{HEAD}{{"kind": "cpu"}}\n', "cannot be read: line 2: route must be text, and is None"),
        (
            HEAD + LINE.replace("null", "7"),
            "cannot be read: line 2: call must be text, and is 7",
        ),
        (
            HEAD + LINE[:-2] + ', "expires": "tomorrow"}',
            "cannot be read: line 2: expires must be a date, as 2026-12-31, and is 'tomorrow'",
        ),
        (
            HEAD + LINE[:-2] + ', "expires": 20261231}',
            "cannot be read: line 2: expires must be a date, as 2026-12-31, and is 20261231",
        ),
    ],
    ids=str,
)
def test_what_cannot_be_read_is_said_in_a_sentence(text, sentence):
    with pytest.raises(Unreadable) as refused:
        parse(text)
    assert str(refused.value) == sentence


def git(folder, *arguments):
    who = ("-c", "user.name=me", "-c", "user.email=me@example.org", "-c", "commit.gpgsign=false")
    return subprocess.run(
        ["git", *who, *arguments], cwd=folder, capture_output=True, text=True, timeout=30, check=False
    )


def entry(number, name="route"):
    return Entry(identity("sync-io", f"GET /{name}{number:02}", "app/main.py", f"{name}{number}", "time.sleep"))


KNOWN = [entry(number) for number in range(40)]


@pytest.fixture
def branches(tmp_path):
    """Makes a repository with 40 known findings, and two branches with other ones; gives what git's merge says."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed")

    def branches(one, other, attributes=""):
        git(tmp_path, "init", "-q", "-b", "main")
        Path(tmp_path, ".gitattributes").write_text(attributes, encoding="utf-8")
        for branch, entries in (("main", KNOWN), ("one", one), ("other", other)):
            if branch != "main":
                git(tmp_path, "checkout", "-q", "-b", branch, "main")
            ordered = sorted(entries, key=lambda each: each.identity)
            Path(tmp_path, "baseline.jsonl").write_text(render(Baseline(tuple(ordered))), encoding="utf-8")
            git(tmp_path, "add", ".")
            assert git(tmp_path, "commit", "-q", "-m", branch).returncode == 0
        merged = git(tmp_path, "merge", "-q", "--no-edit", "one")
        return merged.returncode, Path(tmp_path, "baseline.jsonl").read_text(encoding="utf-8")

    return branches


def test_branches_that_add_and_fix_merge_by_gits_own_merge(branches):
    one = [each for each in KNOWN if each not in KNOWN[3:5]] + [entry(12, "route12x")]
    other = [each for each in KNOWN if each not in KNOWN[30:31]] + [entry(1, "about")]
    code, text = branches(one, other)
    assert code == 0, text
    expected = (set(KNOWN) - {*KNOWN[3:5], KNOWN[30]}) | {entry(12, "route12x"), entry(1, "about")}
    assert set(parse(text).entries) == expected
    assert len(parse(text).entries) == len(text.splitlines()) - 1


def test_at_the_same_place_git_sees_a_conflict_and_so_does_the_next_run(branches):
    """Both add behind the last line, and one of them takes that out: plain git sees a conflict."""
    one = [*KNOWN[:-1], entry(1, "user")]
    other = [*KNOWN, entry(2, "user")]
    code, text = branches(one, other)
    assert code != 0
    with pytest.raises(Unreadable, match="has a conflict of git in line"):
        parse(text)


def test_the_attribute_of_the_readme_leaves_no_conflict(branches):
    one = [*KNOWN[:-1], entry(1, "user")]
    other = [*KNOWN, entry(2, "user")]
    code, text = branches(one, other, "baseline.jsonl merge=union\n")
    assert code == 0
    assert {entry(1, "user"), entry(2, "user"), *KNOWN[:-1]} <= set(parse(text).entries)
