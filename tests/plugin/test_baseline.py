"""A list of known findings: made once, green from then on, red for what is new, and it only shrinks."""

import json

import pytest

pytest.importorskip("fastapi")
pytestmark = pytest.mark.one_python

APP = """
import asyncio
import time
from fastapi import FastAPI

app = FastAPI()
repaired = set()
broken = set()

def sleeps():
    time.sleep(0.02)

def route(number):
    async def endpoint():
        if number not in repaired:
            time.sleep(0.02)
        if number in broken:
            await asyncio.sleep(0)
            sleeps()
        return {}
    app.get(f"/r{number:02}")(endpoint)

for number in range(40):
    route(number)
"""
TESTS = """
import many, pytest
from fastapi.testclient import TestClient

many.repaired = {repaired}
many.broken = {broken}
client = TestClient(many.app)

@pytest.mark.parametrize("number", range(40))
def test_route(number):
    assert client.get(f"/r{{number:02}}").status_code == 200
"""
FILE = "known.jsonl"


@pytest.fixture(autouse=True)
def no_ci(monkeypatch):
    monkeypatch.delenv("CI", raising=False)


@pytest.fixture
def listed(pytester, monkeypatch):
    """Runs 40 tests, each of which blocks at 20 ms (limit 10 ms), with the list."""
    pytester.makepyfile(many=APP)

    def listed(*options, repaired=(), broken=(), ci=False, test=TESTS):
        monkeypatch.setenv("CI", "true" if ci else "")
        pytester.makepyfile(test_many=test.format(repaired=set(repaired), broken=set(broken)))
        return pytester.runpytest(
            "--noblock", "--noblock-max-block=10ms", f"--noblock-baseline={FILE}", "-p", "no:randomly", *options
        )

    return listed


def entries(pytester):
    first, *others = pytester.path.joinpath(FILE).read_text(encoding="utf-8").splitlines()
    assert json.loads(first) == {"noblock_baseline": 1}
    assert others == sorted(others, key=lambda line: list(map(str, json.loads(line).values())))
    return [json.loads(line) for line in others]


def edit(pytester, route, **fields):
    lines = pytester.path.joinpath(FILE).read_text(encoding="utf-8").splitlines()
    changed = [json.dumps({**json.loads(line), **fields}) if f'"{route}"' in line else line for line in lines]
    pytester.path.joinpath(FILE).write_text("\n".join(changed) + "\n", encoding="utf-8")


def test_the_life_of_a_list(listed, pytester):
    """40 findings: made, green; one new is red; what is repaired is one line here, red under CI, and mended."""
    refused = listed()
    assert refused.ret == pytest.ExitCode.USAGE_ERROR
    refused.stderr.fnmatch_lines([f"ERROR: --noblock-baseline: {FILE} does not exist; --noblock-update-baseline *"])
    assert not pytester.path.joinpath(FILE).exists()

    made = listed("--noblock-update-baseline")
    made.assert_outcomes(passed=40)
    made.stdout.fnmatch_lines(
        [f"baseline {FILE}: 40 new, 0 known, 0 fixed, 0 not measured", f"  {FILE} is written: 40 added, 0 taken out, *"]
    )
    assert entries(pytester)[7] == {
        "kind": "sync-io",
        "route": "GET /r07",
        "file": "many.py",
        "function": "endpoint",
        "call": "time.sleep",
    }

    edit(pytester, "GET /r01", reason="ticket 1", owner="me")
    green = listed("--noblock-report=all.json", ci=True)
    green.assert_outcomes(passed=40)
    green.stdout.fnmatch_lines(["40 requests watched in 40 tests", f"baseline {FILE}: 0 new, 40 known, 0 fixed, *"])
    green.stdout.no_fnmatch_line("*many.py:*")
    checks = json.loads(pytester.path.joinpath("all.json").read_text(encoding="utf-8"))["checks"]
    assert {each["outcome"] for each in checks} == {"accepted"}
    assert {each["accepted"] for check in checks for each in check["findings"]} == {"baseline"}

    red = listed(broken=[5])
    red.assert_outcomes(passed=39, failed=1)
    red.stdout.fnmatch_lines(
        [
            "GET /r05 blocked the event loop * ms (limit 10 ms)",
            "  by      many.py:10 in sleeps",
            '  accept  @pytest.mark.noblock_allow("reason", call="time.sleep")',
            "  or      --noblock-update-baseline, which makes it a known finding",
            "GET /r05 blocked the event loop * ms (limit 10 ms), sync-io by many.py:*: accepted, baseline",
            f"baseline {FILE}: 1 new, 40 known, 0 fixed, 0 not measured",
        ]
    )

    here = listed(repaired=[1, 3])
    here.assert_outcomes(passed=40)
    assert here.ret == pytest.ExitCode.OK
    here.stdout.fnmatch_lines(
        [
            f"baseline {FILE}: 0 new, 38 known, 2 fixed, 0 not measured",
            "  fixed: sync-io of GET /r01 in many.py endpoint (time.sleep), sync-io of GET /r03 *; *takes them out",
        ]
    )
    there = listed("-n1", repaired=[1, 3], ci=True)
    there.assert_outcomes(passed=40)
    assert there.ret == pytest.ExitCode.TESTS_FAILED
    there.stdout.fnmatch_lines(
        [f"fixed findings still stand in {FILE}: run --noblock-update-baseline on your machine*"]
    )

    before = pytester.path.joinpath(FILE).read_bytes()
    refused = listed("--noblock-update-baseline", repaired=[1, 3], ci=True)
    assert refused.ret == pytest.ExitCode.USAGE_ERROR
    refused.stderr.fnmatch_lines(["ERROR: --noblock-update-baseline is refused where CI is set: *"])
    assert pytester.path.joinpath(FILE).read_bytes() == before

    part = listed("-k", "9", "--noblock-update-baseline", repaired=[1, 3])
    part.stdout.fnmatch_lines([f"baseline {FILE}: 0 new, 4 known, 0 fixed, 36 not measured"])
    assert pytester.path.joinpath(FILE).read_bytes() == before
    part = listed("test_many.py::test_route[3]", "--noblock-update-baseline", repaired=[1, 3])
    part.stdout.fnmatch_lines([f"baseline {FILE}: 0 new, 0 known, 1 fixed, 39 not measured"])
    assert {"reason": "ticket 1", "owner": "me"}.items() <= entries(pytester)[1].items()

    mended = listed("--noblock-update-baseline", repaired=[1, 3])
    mended.stdout.fnmatch_lines([f"  {FILE} is written: 0 added, 1 taken out, 38 in all"])
    assert [each["route"] for each in entries(pytester)[:3]] == ["GET /r00", "GET /r02", "GET /r04"]
    assert listed(repaired=[1, 3], ci=True).ret == pytest.ExitCode.OK


ONE_ROUTE = """
import asyncio, time
from fastapi import FastAPI

app = FastAPI()

@app.get("/blocks")
async def blocks():
    time.sleep(0.03)
    return {}

@app.get("/free")
async def free():
    return {}
"""
THREE_WAYS = """
from fastapi.testclient import TestClient
from one import app

def test_watched():
    TestClient(app).get("/blocks")

def test_fixture(noblock):
    noblock.get("/blocks")
"""
ALL = ("test_one.py", "--noblock", "--noblock-sweep=one:app", "--noblock-app=one:app", f"--noblock-baseline={FILE}")


@pytest.fixture
def three_ways(pytester):
    """Watches a test, asks the fixture, sweeps: the same line, three times."""
    pytester.makepyfile(one=ONE_ROUTE, test_one=THREE_WAYS)

    def three_ways(*options, limit="10ms"):
        return pytester.runpytest(*ALL, f"--noblock-max-block={limit}", "-p", "no:randomly", *options)

    return three_ways


def test_one_entry_holds_for_watched_tests_the_fixture_and_the_sweep(three_ways, pytester):
    three_ways("--noblock-update-baseline").assert_outcomes(passed=4)
    assert [each["route"] for each in entries(pytester)] == ["GET /blocks"]
    green = three_ways()
    green.assert_outcomes(passed=4)
    green.stdout.fnmatch_lines([f"baseline {FILE}: 0 new, 1 known, 0 fixed, 0 not measured"])

    near = three_ways(limit="50ms")  # 30 ms is no finding, and over half of the limit
    near.stdout.fnmatch_lines([f"baseline {FILE}: 0 new, 1 known, 0 fixed, 0 not measured"])
    for alone in (["-k", "watched"], ["-k", "fixture"], ["-k", "GET and blocks"]):
        part = three_ways(*alone, limit="50ms")
        part.assert_outcomes(passed=1, deselected=3)
        part.stdout.fnmatch_lines([f"baseline {FILE}: 0 new, 1 known, 0 fixed, 0 not measured"])
    far = three_ways(limit="100ms")
    far.stdout.fnmatch_lines([f"baseline {FILE}: 0 new, 0 known, 1 fixed, 0 not measured"])
    other = three_ways("-k", "free", limit="100ms")
    other.stdout.fnmatch_lines([f"baseline {FILE}: 0 new, 0 known, 0 fixed, 1 not measured"])

    edit(pytester, "GET /blocks", expires="2020-02-29")
    late = three_ways()
    late.assert_outcomes(passed=1, failed=3)
    late.stdout.fnmatch_lines(
        [
            "  expired the baseline accepted it up to 2020-02-29",
            f"baseline {FILE}: 0 new, 0 known, 0 fixed, 0 not measured, 1 expired",
            "  expired: sync-io of GET /blocks in one.py blocks (time.sleep)",
        ]
    )
    three_ways("--noblock-update-baseline").assert_outcomes(passed=1, failed=3)
    assert entries(pytester)[0]["expires"] == "2020-02-29"

    warned = three_ways("--noblock-action=warn")
    warned.assert_outcomes(passed=4, warnings=3)
    warned.stdout.fnmatch_lines(["*, 1 expired"])


def test_what_cannot_be_used_is_refused_before_a_test_runs(three_ways, pytester):
    pytester.path.joinpath(FILE).write_text('{"noblock_baseline": 2}\n', encoding="utf-8")
    for text, sentence in (
        ('{"noblock_baseline": 2}\n', f"--noblock-baseline: {FILE} is of version 2, and this *: update it"),
        ('{"noblock_baseline": 1}\n{"kind"', f"--noblock-baseline: {FILE} cannot be read: line 2 is no JSON: *"),
        (b"\xff", f"--noblock-baseline: {FILE} cannot be read: it is not UTF-8"),
    ):
        content = text if isinstance(text, bytes) else text.encode()
        pytester.path.joinpath(FILE).write_bytes(content)
        refused = three_ways("--noblock-update-baseline")
        assert refused.ret == pytest.ExitCode.USAGE_ERROR
        refused.stderr.fnmatch_lines([f"ERROR: {sentence}"])
        assert pytester.path.joinpath(FILE).read_bytes() == content
    refused = pytester.runpytest("--noblock-update-baseline")
    assert refused.ret == pytest.ExitCode.USAGE_ERROR
    refused.stderr.fnmatch_lines(["ERROR: --noblock-update-baseline does not know the file: add --noblock-baseline=*"])
    pytester.makeini("[pytest]\nnoblock_baseline = gone/known.jsonl\n")
    refused = pytester.runpytest()
    refused.stderr.fnmatch_lines(["ERROR: noblock_baseline: gone/known.jsonl does not exist; *"])


def test_what_cannot_be_written_is_told_and_the_run_is_red(three_ways, pytester):
    pytester.path.joinpath("a_file").write_text("", encoding="utf-8")
    result = three_ways("--noblock-update-baseline", "--noblock-baseline=a_file/known.jsonl", "-k", "watched")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    pytester.mkdir("folder")
    pytester.makeconftest(
        f"import os\n\ndef pytest_runtest_teardown():\n    os.path.isdir({FILE!r}) or os.mkdir({FILE!r})\n"
    )
    result = three_ways("--noblock-update-baseline", "-k", "watched")
    result.assert_outcomes(passed=1, deselected=3)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines([f"the baseline {FILE} cannot be written: it is a folder, and a report needs a file"])


def test_a_run_that_does_not_come_to_its_end_writes_nothing(three_ways, pytester):
    ends = "\ndef test_ends():\n    import pytest\n    pytest.exit('enough')\n"
    pytester.makepyfile(test_one=THREE_WAYS + ends)
    result = three_ways("--noblock-update-baseline", "-k", "watched or ends")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines([f"the run did not come to its end: the baseline {FILE} stays as it was"])
    assert not pytester.path.joinpath(FILE).exists()


def test_a_run_that_measures_nothing_says_nothing_of_its_baseline(pytester):
    pytester.path.joinpath(FILE).write_text('{"noblock_baseline": 1}\n', encoding="utf-8")
    pytester.makeini(f"[pytest]\nnoblock_baseline = {FILE}\n")
    pytester.makepyfile("def test_it():\n    pass\n")
    result = pytester.runpytest()
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line(f"*baseline {FILE}*")


BESIDE = """
import os, time
from fastapi import FastAPI

app = FastAPI()

def known():
    time.sleep(0.1)

def other():
    time.sleep(float(os.environ["OTHER"]))

@app.get("/")
async def both():
    known()
    other()
"""


def test_a_new_line_in_the_step_of_a_known_one_is_red_and_named(pytester, monkeypatch):
    pytester.makepyfile(api=BESIDE, test_it="def test_it(noblock): noblock.get('/')")
    options = "--noblock-app=api:app", f"--noblock-baseline={FILE}"
    monkeypatch.setenv("OTHER", "0.001")
    pytester.runpytest(*options, "--noblock-update-baseline").assert_outcomes(passed=1)
    assert [each["function"] for each in entries(pytester)] == ["known"]
    monkeypatch.setenv("OTHER", "0.09")
    result = pytester.runpytest(*options)
    result.assert_outcomes(failed=1)
    line = BESIDE.strip().splitlines().index('    time.sleep(float(os.environ["OTHER"]))') + 1
    result.stdout.fnmatch_lines(
        [
            f"  new     *ms of it by api.py:{line} in other, which the baseline does not know",
            "*1 new, 1 known, 0 fixed*",
        ]
    )
    pytester.runpytest(*options, "--noblock-update-baseline").assert_outcomes(passed=1)
    assert [each["function"] for each in entries(pytester)] == ["known", "other"]
    pytester.runpytest(*options).assert_outcomes(passed=1)
