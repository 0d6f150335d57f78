"""Who writes a report, and how it gets into its file."""

import pytest

from pytest_noblock.report import json_v1
from pytest_noblock.report.formats import REPORT_SUFFIXES, WRITERS, suffix_of, write, writer_of
from pytest_noblock.report.wire import Run
from tests.report.golden_checks import CHECKS, PASSED

ENVIRONMENT = {"python": "3.12.1", "platform": "linux", "meter": "full", "loop": "asyncio"}
RUN = Run(ENVIRONMENT, (CHECKS["sync-network"], PASSED))


def test_the_suffixes_are_the_writers():
    assert list(WRITERS) == list(REPORT_SUFFIXES)
    assert [writer_of(f"report{suffix}").suffix for suffix in REPORT_SUFFIXES] == list(REPORT_SUFFIXES)
    assert sorted(REPORT_SUFFIXES) == ".gitlab.json .html .json .md .sarif .trace.json".split()


@pytest.mark.parametrize(
    ("name", "suffix"),
    [("r.json", ".json"), ("r.gitlab.json", ".gitlab.json"), (".json", ".json"), ("r.xlsx", None), ("json", None)],
)
def test_the_longest_suffix_holds(name, suffix):
    for order in (REPORT_SUFFIXES, REPORT_SUFFIXES[::-1]):
        assert suffix_of(name, order) == suffix


def test_a_report_is_what_its_writer_renders(tmp_path):
    file = tmp_path / "new" / "folder" / "report.json"
    write(file, RUN)
    assert file.read_text(encoding="utf-8") == json_v1.render(RUN)
    assert [path.name for path in file.parent.iterdir()] == ["report.json"]


def test_a_name_without_a_writer_is_a_mistake_of_ours(tmp_path):
    with pytest.raises(ValueError, match="no writer"):
        write(tmp_path / "report.xlsx", RUN)
