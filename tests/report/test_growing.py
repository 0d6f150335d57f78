"""A report that is whole after each test, and costs one write each."""

import errno
import json
import os
from io import FileIO

import pytest

from pytest_noblock.report import growing
from pytest_noblock.report.growing import GrowingReport

RECORDS = [json.dumps({"id": f"test_{number}", "request": "GET /ü"}) for number in range(4)]


def environment(loop):
    return {"python": "3.12.1", "platform": "linux", "meter": "full", "loop": loop}


@pytest.fixture
def file(tmp_path):
    return tmp_path / "report.json"


def content(file):
    document = json.loads(file.read_text(encoding="utf-8"))
    assert document["schema_version"] == 1
    return [each["id"] for each in document["checks"]], document["environment"]["loop"]


def test_it_is_whole_after_each_test(file):
    file.write_text("the last run's")
    report = GrowingReport(file)
    assert file.read_text() == "the last run's"
    report.add(RECORDS[:2], environment("asyncio,uvloop"))
    assert content(file) == (["test_0", "test_1"], "asyncio,uvloop")
    report.add(RECORDS[2:3], environment("trio"))  # shorter than what stood there
    assert content(file) == (["test_0", "test_1", "test_2"], "trio")
    report.add(RECORDS[3:], environment("asyncio,trio,uvloop"))
    assert content(file) == (["test_0", "test_1", "test_2", "test_3"], "asyncio,trio,uvloop")
    report.close()
    assert content(file)[0] == ["test_0", "test_1", "test_2", "test_3"]


def test_it_can_begin_anew(file):
    report = GrowingReport(file)
    report.add(RECORDS[:2], environment("asyncio"))
    report.restart()
    report.add(RECORDS[2:], environment("asyncio"))
    assert content(file)[0] == ["test_2", "test_3"]
    report.close()


def test_another_format_is_not_touched(tmp_path):
    GrowingReport(tmp_path / "report.html").add(RECORDS, environment("asyncio"))
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_written_costs_neither_an_error_nor_a_wait(tmp_path):
    (tmp_path / "null.json").symlink_to("/dev/null")
    os.mkfifo(tmp_path / "fifo.json")
    (tmp_path / "folder.json").mkdir()
    (tmp_path / "file").write_text("in the way")
    for name in ("null.json", "fifo.json", "folder.json", "file/report.json"):
        report = GrowingReport(tmp_path / name)
        report.add(RECORDS, environment("asyncio"))
        report.add(RECORDS, environment("asyncio"))
    assert sorted(each.name for each in tmp_path.iterdir()) == ["fifo.json", "file", "folder.json", "null.json"]


class Disk(FileIO):
    """A disk with room for so many bytes more."""

    room = 10_000

    def write(self, data):
        fitting = bytes(data)[: self.room]
        Disk.room -= len(fitting)
        if data and not fitting:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(fitting)


@pytest.mark.parametrize("room", [0, 1, 40, 100])
def test_a_full_disk_leaves_it_as_it_was_and_it_says_what_it_has(file, monkeypatch, room):
    monkeypatch.setattr(growing, "FileIO", Disk)
    report = GrowingReport(file)
    report.add(RECORDS[:2], environment("asyncio"))
    before = file.read_text()
    monkeypatch.setattr(Disk, "room", room)
    original = GrowingReport._take_back
    monkeypatch.setattr(GrowingReport, "_take_back", lambda self: (setattr(Disk, "room", 10_000), original(self)))
    report.add(RECORDS[2:], environment("asyncio"))  # what stood there before has its place on the disk
    assert file.read_text() == before
    report.add(RECORDS, environment("asyncio"))
    assert content(file)[0] == ["test_0", "test_1"]
    assert report.has() == "; it has 2 of 8 checks"


def test_a_report_of_which_nothing_was_written_has_nothing(tmp_path):
    report = GrowingReport(tmp_path / "file" / "report.json")
    (tmp_path / "file").write_text("in the way")
    report.add(RECORDS, environment("asyncio"))
    assert report.has() == ""
