"""The trace, by a reader of the format: what Perfetto and speedscope ask of it."""

import json
from dataclasses import replace
from itertools import groupby

import pytest

from pytest_noblock.model.observation import Probe
from pytest_noblock.report.trace import render
from pytest_noblock.report.wire import Run
from tests.report.runs import ALL, EMPTY, ENVIRONMENT, GREEN, ROUTED, hostile

pytestmark = pytest.mark.one_python


FIELDS = {"M": set("name ph pid tid ts args".split()), "X": set("name cat ph pid tid ts dur args".split())}
"""Of the sorts of event that we write: metadata, and a span with its length. No viewer knows other fields."""


def read(run):
    """The tracks of a trace: (process, thread) to spans. Fails where the format is not kept."""
    trace = json.loads(render(run), parse_constant=pytest.fail)
    assert set(trace) == {"traceEvents", "displayTimeUnit", "otherData"}
    assert trace["displayTimeUnit"] in {"ms", "ns"}
    names, tracks = {}, {}
    for event in trace["traceEvents"]:
        assert {type(event[key]) for key in ("pid", "tid")} == {int}
        assert type(event["ts"]) in (int, float)
        assert 0 <= event["ts"] < 2**53 / 1000  # a viewer keeps ns in a double
        assert isinstance(event["name"], str)
        assert event["name"]
        assert isinstance(event.get("args", {}), dict)
        assert set(event) <= FIELDS[event["ph"]]
        key = event["pid"], event["tid"]
        if event["ph"] == "M":
            assert event["name"] in {"process_name", "process_sort_index", "thread_name", "thread_sort_index"}
            names.setdefault(key, []).append(event["args"].get("name"))
        else:
            assert type(event["dur"]) in (int, float)
            assert event["dur"] >= 0
            assert isinstance(event["cat"], str)
            assert key in names  # a track is named before its spans: else speedscope shows a number
            tracks.setdefault(key, []).append((event["ts"], event["ts"] + event["dur"], event["name"]))
    for spans in tracks.values():
        nest(spans)
    return {names[key][0]: spans for key, spans in tracks.items()}, names


def nest(spans):
    """Each span lies in the one that is open, or begins when that has ended: others no viewer shows right."""
    open_ = []
    for began, ended, name in spans:
        while open_ and open_[-1] <= began and ended > open_[-1]:
            open_.pop()
        assert not open_ or ended <= open_[-1], name
        open_.append(ended)


@pytest.mark.parametrize("run", [ALL, GREEN, EMPTY, hostile()], ids="all green empty hostile".split())
def test_a_reader_of_the_format_takes_it(run):
    read(run)


def test_a_request_has_its_stall_with_its_stack_and_its_probes():
    tracks, names = read(Run(ENVIRONMENT, (ROUTED["sync-network"],)))
    assert names[1, 0][0] == "GET /report (failed) in tests/test_api.py::test_report"
    assert tracks["request"][0] == (0, 320_000, "GET /report")
    assert [name for *_, name in tracks["event loop held"]] == [
        "sync-network app/main.py:44",
        "report (app/main.py:44)",
        "get (requests/api.py:73)",
    ]
    assert tracks["event loop held"][0][:2] == (10_000, 311_000)
    assert tracks["probes of /health"] == [(25_000, 313_000, "/health waits")]
    assert tracks["probes of /health (2)"] == [(50_000, 314_000, "/health waits")]  # they waited at the same time


def test_of_many_probes_that_wait_at_once_the_first_are_shown():
    red = ROUTED["sync-network"]
    at = red.exchange.sent
    runs = tuple(Probe("/health", at + each, at + 10_000_000) for each in range(9))
    tracks, _ = read(Run(ENVIRONMENT, (replace(red, probe_runs=runs),)))
    shown = [name for name in tracks if name.startswith("probes")]
    assert shown == ["probes of /health", "probes of /health (2)", "probes of /health (3)"]
    assert tracks["probes of /health"][0][0] == 0


def test_each_request_is_a_process_of_its_own():
    _, names = read(ALL)
    processes = [process for (process, thread), _ in names.items() if thread == 0]
    assert len(processes) == len(set(processes)) == sum(each.exchange is not None for each in ALL.checks)
    assert all(len(list(group)) == 1 for _, group in groupby(sorted(processes)))
