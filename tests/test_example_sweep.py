"""The example app is swept by one command, without a line of test code."""

import json
import sys
from pathlib import Path

import pytest

from tests.example_rows import REPAIRED, TABLE, blocking_lines

ROOT = Path(__file__).parent.parent


@pytest.mark.one_python
def test_each_blocking_get_is_red_at_its_line_and_no_repaired_one(pytester):
    """Services that are not there are said: their routes are not exercised."""
    file = pytester.path / "sweep.json"
    options = ["--noblock-sweep=example_app.main:app", f"--noblock-report={file}", "-p", "no:cacheprovider", "-q"]
    result = pytester.run(sys.executable, "-m", "pytest", f"--rootdir={ROOT}", "-c", ROOT / "pyproject.toml", *options)
    checks = {each["id"].removeprefix("noblock::"): each for each in json.loads(file.read_text("utf-8"))["checks"]}
    missing = [name for name, each in checks.items() if each["outcome"] == "not-exercised"]
    said = {checks[name]["reason"] for name in missing}
    assert said <= {"failed", "not-found", "unsafe-method"}, result.stdout.str()

    blocking = [twins for twins in TABLE if twins.method == "GET" and f"GET {twins.blocks}" not in missing]
    assert len(blocking) >= 8
    wrong = {twins.blocks: checks[f"GET {twins.blocks}"]["findings"] for twins in blocking if not _red(twins, checks)}
    assert wrong == {}
    repaired = {f"GET {path}" for _twins, path in REPAIRED if f"GET {path}" in checks} - set(missing)
    assert len(repaired) >= 8
    assert {name: checks[name] for name in repaired if checks[name]["outcome"] != "passed"} == {}


def _red(twins, checks) -> bool:
    check = checks[f"GET {twins.blocks}"]
    lines = {(found["kind"], found["line"]) for found in check["findings"]}
    expected = {(twins.kind, line) for line in blocking_lines(twins.where)}
    return check["outcome"] == "failed" and bool(lines & expected)
