"""A report gets into its file whole, or not at all, and never by a wait."""

import os
import socket
import stat
from pathlib import Path

import pytest

from pytest_noblock.report import files
from pytest_noblock.report.files import put


def test_the_text_is_in_the_file_and_nothing_else_in_its_folder(tmp_path):
    file = tmp_path / "new" / "folder" / "report.json"
    put(file, "text ü\n")
    assert file.read_bytes() == "text ü\n".encode()
    assert [path.name for path in file.parent.iterdir()] == ["report.json"]


def test_a_new_file_has_the_permissions_that_files_have(tmp_path):
    before = os.umask(0o027)
    try:
        put(tmp_path / "report.json", "text")
    finally:
        os.umask(before)
    assert (tmp_path / "report.json").stat().st_mode & 0o777 == 0o640


def test_an_old_file_keeps_its_permissions(tmp_path):
    file = tmp_path / "report.json"
    file.write_text("old")
    file.chmod(0o604)
    put(file, "new")
    assert (file.read_text(), file.stat().st_mode & 0o777) == ("new", 0o604)


def test_a_link_stays_one(tmp_path):
    (tmp_path / "link.json").symlink_to(tmp_path / "real.json")
    put(tmp_path / "link.json", "text")
    assert (tmp_path / "link.json").is_symlink()
    assert (tmp_path / "real.json").read_text() == "text"


def test_a_reader_never_sees_a_part_and_a_failure_leaves_the_old_text(tmp_path, monkeypatch):
    file, seen = tmp_path / "report.json", []
    file.write_text("old")

    def fails(new, before):
        seen.append((file.read_text(), new.read_text()))
        raise OSError("no space left")

    monkeypatch.setattr(files, "_keep_permissions", fails)
    with pytest.raises(OSError, match="no space left"):
        put(file, "new")
    assert seen == [("old", "new")]
    assert file.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]


def test_what_a_killed_process_of_the_same_number_left_is_in_nobodys_way(tmp_path):
    (tmp_path / f".noblock-{os.getpid()}.tmp").write_text("half")
    put(tmp_path / "report.json", "text")
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]


def test_what_is_no_file_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "fifo.json")
    (tmp_path / "folder.json").mkdir()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket.json"))
        for name, what in (("fifo", "a FIFO"), ("folder", "a folder"), ("socket", "a socket")):
            with pytest.raises(OSError, match=f"it is {what}, and a report needs a file"):
                put(tmp_path / f"{name}.json", "text")
    assert stat.S_ISFIFO((tmp_path / "fifo.json").stat().st_mode)


def test_a_read_only_file_is_left_alone(tmp_path, monkeypatch):
    file = tmp_path / "report.json"
    file.write_text("old")
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write whatever the file says
    with pytest.raises(OSError, match="it is read-only"):
        put(file, "new")
    assert file.read_text() == "old"


def test_into_a_device_the_text_is_written_as_it_is(tmp_path):
    (tmp_path / "null.json").symlink_to("/dev/null")
    put(tmp_path / "null.json", "text")
    assert (tmp_path / "null.json").is_symlink()
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


def test_a_device_that_takes_nothing_is_an_error(tmp_path):
    (tmp_path / "full.json").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        put(tmp_path / "full.json", "text")
