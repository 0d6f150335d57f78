"""Never executed: mypy checks that the public values have the types that users read in them."""

from typing import Literal, assert_type

import httpx

from pytest_noblock import Check, Finding, Kind, Noblock, NoblockWarning, Outcome, ProbeWaits, TaskRun


def a_check(check: Check) -> None:
    assert_type(check.id, str)
    assert_type(check.request, str)
    assert_type(check.outcome, Outcome)
    assert_type(check.duration_ms, float)
    assert_type(check.findings, tuple[Finding, ...])
    assert_type(check.probes, tuple[ProbeWaits, ...])
    assert_type(check.background, tuple[TaskRun, ...])
    assert_type(check.notes, tuple[str, ...])
    if check.response is not None:
        assert_type(check.response.status_code, int)


def a_finding(finding: Finding) -> None:
    assert_type(finding.kind, Kind)
    assert_type(finding.ms, float)
    assert_type(finding.file, str | None)
    assert_type(finding.line, int | None)
    assert_type(finding.call, str | None)
    assert_type(finding.replacement, str)
    assert_type(finding.confirmed, bool)
    assert_type(finding.accepted, str | None)


def probes_and_tasks(probe: ProbeWaits, task: TaskRun) -> None:
    assert_type(probe.path, str)
    assert_type(probe.worst_ms, float)
    assert_type(task.name, str)
    assert_type(task.error, str | None)


def values_are_frozen(check: Check, finding: Finding) -> None:
    check.outcome = "passed"  # type: ignore[misc]
    finding.line = 1  # type: ignore[misc]


def outcomes_are_closed(outcome: Outcome) -> Literal["green", "red"]:
    match outcome:
        case "passed" | "accepted":
            return "green"
        case "failed" | "inconclusive" | "not-exercised":
            return "red"


def a_fixture(noblock: Noblock) -> None:
    assert_type(noblock.get("/", max_block="20 ms", probe="/health", headers={"a": "b"}), httpx.Response)
    assert_type(noblock.post("/", json={}, concurrency=4), httpx.Response)
    assert_type(noblock.put("/", content=b"", timeout=2.5), httpx.Response)
    assert_type(noblock.patch("/", data={"a": 1}, auth=("me", "secret")), httpx.Response)
    assert_type(noblock.delete("/", params={"a": [1, 2]}, cookies={"a": "b"}), httpx.Response)
    assert_type(noblock.head("/", follow_redirects=True), httpx.Response)
    assert_type(noblock.options("/", timeout=httpx.Timeout(1.0)), httpx.Response)
    assert_type(noblock.request("PROPFIND", "/", files={"a": b"x"}, extensions={}), httpx.Response)
    assert_type(noblock.check("GET", "/", probe=["/a", "/b"], warmup=False, confirm=True), Check)
    assert_type(noblock.client, httpx.AsyncClient)


def what_nobody_knows_is_refused(noblock: Noblock) -> None:
    noblock.get("/", header={"a": "b"})  # type: ignore[call-arg]
    noblock.post("/", max_blok="20 ms")  # type: ignore[call-arg]
    noblock.check("GET", "/", timeout="soon")  # type: ignore[arg-type]
    noblock.request("GET", "/", max_block=20)  # type: ignore[arg-type]
    noblock.delete("/", concurrency="4")  # type: ignore[arg-type]
    noblock.get("/", follow_redirects="yes")  # type: ignore[arg-type]


def a_warning() -> type[UserWarning]:
    return NoblockWarning
