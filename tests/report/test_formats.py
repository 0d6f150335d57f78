"""Who writes a report, and how it gets into its file."""

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from pytest_noblock.report import json_v1
from pytest_noblock.report.formats import REPORT_SUFFIXES, WRITERS, write, writer_of
from pytest_noblock.report.wire import Run
from tests.report.golden_checks import CHECKS, PASSED

ENVIRONMENT = {"python": "3.12.1", "platform": "linux", "meter": "full", "loop": "asyncio"}
RUN = Run(ENVIRONMENT, (CHECKS["sync-network"], PASSED))


def a_writer(suffix, text=""):
    return SimpleNamespace(suffix=suffix, render=lambda run: text)


def test_the_suffixes_are_the_writers():
    assert [writer.suffix for writer in WRITERS] == list(REPORT_SUFFIXES)
    assert len(set(REPORT_SUFFIXES)) == len(REPORT_SUFFIXES)
    assert ".json" in REPORT_SUFFIXES


@pytest.mark.parametrize(
    ("name", "suffix"),
    [("r.json", ".json"), ("r.gitlab.json", ".gitlab.json"), (".json", ".json"), ("r.html", None), ("json", None)],
)
def test_the_longest_suffix_holds(name, suffix):
    writers = [a_writer(".json"), a_writer(".gitlab.json")]
    for order in (writers, writers[::-1]):
        writer = writer_of(name, order)
        assert (writer and writer.suffix) == suffix


def test_a_report_is_what_its_writer_renders(tmp_path):
    file = tmp_path / "new" / "folder" / "report.json"
    write(file, RUN)
    assert file.read_text(encoding="utf-8") == json_v1.render(RUN)
    assert [path.name for path in file.parent.iterdir()] == ["report.json"]


def test_a_file_has_the_permissions_that_files_have(tmp_path):
    before = os.umask(0o027)
    try:
        write(tmp_path / "report.json", RUN)
    finally:
        os.umask(before)
    assert (tmp_path / "report.json").stat().st_mode & 0o777 == 0o640


def test_a_link_stays_one(tmp_path):
    (tmp_path / "link.json").symlink_to(tmp_path / "real.json")
    write(tmp_path / "link.json", RUN)
    assert (tmp_path / "link.json").is_symlink()
    assert (tmp_path / "real.json").read_text(encoding="utf-8") == json_v1.render(RUN)


def test_a_reader_never_sees_a_part(tmp_path, monkeypatch):
    """While the new text is written, what stands in the file is the old report."""
    file = tmp_path / "report.json"
    file.write_text("old")
    seen = []
    original = Path.write_text

    def write_text(self, text, **more):
        size = original(self, text[:10], **more)
        seen.append(file.read_text())
        return size + original(self, text, **more) * 0

    monkeypatch.setattr(Path, "write_text", write_text)
    write(file, RUN)
    assert seen == ["old"]
    assert file.read_text().startswith('{\n  "schema_version"')


def test_a_report_that_fails_leaves_the_old_one_and_nothing_else(tmp_path, monkeypatch):
    file = tmp_path / "report.json"
    file.write_text("old")
    original = Path.write_text

    def fails(self, text, **more):
        original(self, text[:10], **more)
        raise OSError("no space left")

    monkeypatch.setattr(Path, "write_text", fails)
    with pytest.raises(OSError, match="no space left"):
        write(file, RUN)
    assert file.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]


def test_a_name_without_a_writer_is_a_mistake_of_ours(tmp_path):
    with pytest.raises(ValueError, match="no writer"):
        write(tmp_path / "report.xlsx", RUN)
