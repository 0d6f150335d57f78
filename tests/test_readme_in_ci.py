"""The README section "In CI": its YAML is read, and the commands in it run in a small project, as a CI runs them."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.test_readme import README

yaml = pytest.importorskip("yaml")
pytestmark = [pytest.mark.one_python, pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")]

SNIPPETS = dict(re.findall(r"<!-- job: (\w+) -->\n```\w+\n(.*?)```", README, re.DOTALL))
APP = """
import time
from fastapi import FastAPI

app = FastAPI()


@app.get("/orders")
async def orders():
    time.sleep(0.08)


@app.get("/users")
async def users():
    return []
"""
NEW = """

@app.get("/new")
async def new():
    time.sleep(0.08)
"""
TEST = """
from fastapi.testclient import TestClient
from app.main import app

def test_{name}():
    assert TestClient(app).get("/{name}").status_code == 200
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "app").mkdir()
    (tmp_path / "app/main.py").write_text(APP)
    for name in ("orders", "users"):
        (tmp_path / "tests" / name).mkdir(parents=True)
        (tmp_path / "tests" / name / f"test_{name}.py").write_text(TEST.format(name=name))
    _bash("git init -q", tmp_path)
    return tmp_path


def _bash(command: str, folder: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """As a CI does: the first command that fails ends the step."""
    outside = {name: value for name, value in os.environ.items() if not name.startswith(("GITHUB_", "CI", "PYTEST_"))}
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-e", "-c", command],
        cwd=folder,
        env={**outside, "PATH": path, "PYTHONDONTWRITEBYTECODE": "1", **environ},
        capture_output=True,
        text=True,
        check=False,
    )


def _commands(steps: list[Any]) -> list[str]:
    """Those of the steps that run one, without what installs."""
    told = [each if isinstance(each, str) else each.get("run", "") for each in steps]
    assert any(each.startswith("pip install ") and each.endswith("pytest-noblock") for each in told)
    return [each for each in told if each and not each.startswith("pip install ")]


def _job(snippet: str, name: str) -> dict[str, Any]:
    told: dict[str, Any] = yaml.safe_load(SNIPPETS[snippet])
    job: dict[str, Any] = told[name] if name in told else told["jobs"][name]
    return job


def _parts(job: dict[str, Any], command: str) -> list[str]:
    """The command of each job that the matrix makes."""
    [(name, values)] = job["strategy"]["matrix"].items()
    return [command.replace(f"${{{{ matrix.{name} }}}}", value) for value in values]


def test_the_snippets_do_what_the_section_says(project: Path) -> None:
    first = _bash(SNIPPETS["first"], project)
    assert first.returncode == 0, first.stdout + first.stderr
    assert (project / ".gitattributes").read_text() == "noblock.jsonl merge=union\n"
    assert _bash("git diff --cached --name-only", project).stdout.split() == [".gitattributes", "noblock.jsonl"]
    assert '"call": "time.sleep"' in (project / "noblock.jsonl").read_text()
    _a_job_is_green_until_there_is_a_new_one(project)
    _jobs_are_judged_as_one_run(project)


def _a_job_is_green_until_there_is_a_new_one(project: Path) -> None:
    (project / "pytest.ini").write_text("[pytest]\nnoblock_baseline = noblock.jsonl\n")
    [command] = _commands(_job("github", "noblock")["steps"])
    green = _bash(command, project, CI="true", GITHUB_ACTIONS="true")
    assert green.returncode == 0, green.stdout + green.stderr
    assert "baseline noblock.jsonl: 0 new, 1 known, 0 fixed, 0 not measured" in green.stdout
    upload = _job("github", "noblock")["steps"][-1]["with"]
    assert json.loads((project / upload["sarif_file"]).read_text())["version"] == "2.1.0"
    (project / "app/main.py").write_text(APP + NEW)
    job = _job("gitlab", "noblock")
    [command] = _commands(job["script"])
    red = _bash(command, project, CI="true")
    assert red.returncode == 1, red.stdout + red.stderr
    assert "1 new, 1 known" in red.stdout
    reports = job["artifacts"]["reports"]
    assert any(
        each["location"]["path"] == "app/main.py" for each in json.loads((project / reports["codequality"]).read_text())
    )
    assert "<testsuite" in (project / reports["junit"]).read_text()
    (project / "app/main.py").write_text(APP)


def _jobs_are_judged_as_one_run(project: Path) -> None:
    tests, last = _job("sharded", "tests"), _job("sharded", "noblock")
    assert last["needs"] == "tests"
    [command] = _commands(tests["steps"])
    for part in _parts(tests, command):
        shard = _bash(part, project, CI="true")
        assert shard.returncode == 0, shard.stdout + shard.stderr
    [command] = _commands(last["steps"])
    green = _bash(command, project, CI="true")
    assert green.returncode == 0, green.stdout + green.stderr
    assert "2 requests in 2 tests, 2 of 2 routes measured" in green.stdout
    (project / "noblock.jsonl").write_text('{"noblock_baseline": 1}\n')
    assert _bash(command, project, CI="true").returncode == 1
    assert (project / "noblock.html").read_text().startswith("<!DOCTYPE html>")
