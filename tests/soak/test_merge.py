"""What it takes to merge the reports of very many jobs: 200 of them, 5,000 checks each."""

import json
import subprocess
import sys
from dataclasses import replace

import pytest

from pytest_noblock.report.json_v1 import document, route, uneventful
from pytest_noblock.report.routes import rows
from pytest_noblock.report.whole import whole
from tests.report.runs import ENVIRONMENT, ROUTED

pytestmark = pytest.mark.slow

SHARDS, CHECKS = 200, 5_000
MOST_SECONDS, MOST_MEGABYTES = 30, 500
TIMED = """
import resource, sys, time
from pytest_noblock.merge.command import main

code = main(sys.argv[1:])
print("took", time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, code)
"""


def report_of(number):
    red = [replace(each, id=f"tests/test_{number}.py::{name}") for name, each in ROUTED.items()]
    quiet = [
        uneventful(f"tests/t{number}.py::test_{each}", f"GET /items{each % 300}/{each}", f"/items{each % 300}/{{id}}", "app.read", 3.1)
        for each in range(CHECKS - len(red))
    ]  # fmt: skip
    routes = [route(each) for each in rows(red)]
    entries = [whole(each, {each.id}) for each in red]
    return json.dumps(document(ENVIRONMENT, [*entries, *quiet], routes), indent=2)


def test_a_million_checks_take_half_a_minute_and_half_a_gigabyte(tmp_path):
    files = [tmp_path / f"shard-{number}.json" for number in range(SHARDS)]
    for number, file in enumerate(files):
        file.write_text(report_of(number), encoding="utf-8")
    reports = [f"--report={tmp_path / 'all'}{suffix}" for suffix in (".html", ".sarif", ".json")]
    command = [sys.executable, "-c", TIMED, "merge", *map(str, files), *reports]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds, megabytes, code = ended.stdout.splitlines()[-1].split()[1:]
    print(f"{SHARDS} reports of {CHECKS} checks: {seconds} s of CPU, {megabytes} MB")
    assert code == "1"
    assert ended.stdout.startswith("1,000,000 requests in ")
    assert float(seconds) < MOST_SECONDS
    assert int(megabytes) < MOST_MEGABYTES
