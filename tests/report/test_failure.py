"""The exact text of a failure, from literal values."""

import textwrap
from dataclasses import replace

import pytest

from pytest_noblock.model.check import Check, ProbeWaits
from pytest_noblock.model.finding import Finding
from pytest_noblock.model.frames import Frame
from pytest_noblock.model.observation import Exchange, Phase, Probe
from pytest_noblock.model.rules import Readings
from pytest_noblock.model.segment import SocketExchange
from pytest_noblock.report.failure import failure

MS = 1_000_000
FINDING = Finding(
    kind="sync-network",
    phase=Phase.HANDLER,
    blocked_ns=301_200_000,
    cpu=2_100_000,
    asleep=299 * MS,
    count=1,
    file="app/main.py",
    line=44,
    function="report",
    code="rates = requests.get(URL).json()",
    call="requests.get",
    replacement="httpx.AsyncClient().get, or asyncio.to_thread(requests.get, ...), or make the endpoint a plain def",
    confirmed=True,
    evidence="line counters",
    stalls=((1010 * MS, 1311 * MS),),
    stack=(Frame("requests/api.py", 73, "get"), Frame("app/main.py", 44, "report", user=True)),
)
CHECK = Check(
    id="t",
    request="GET /report",
    route="/report",
    endpoint="app.main.report",
    outcome="failed",
    duration=312 * MS,
    limit=50 * MS,
    meter="full",
    findings=(FINDING,),
    probes=(
        ProbeWaits("the event loop", sent=60, waited=58, worst=300 * MS, alone=10_000),
        ProbeWaits("/health", sent=7, waited=7, worst=296 * MS, alone=1_100_000),
    ),
    exchange=Exchange(
        1, "GET", "/report", sent=1000 * MS, started=1311 * MS, completed=1312 * MS, returned=1320 * MS, status=200
    ),
    probe_runs=(Probe("/health", 1025 * MS, 1313 * MS, 200), Probe("/health", 1050 * MS, 1314 * MS, 200)),
)


def text(check, verbosity=0):
    return "\n".join(line.rstrip() for line in failure(check, verbosity).splitlines()).strip()


def expected(block):
    return textwrap.dedent(block).strip()


def changed(**values):
    return replace(CHECK, findings=(replace(FINDING, **values),))


def test_the_failure_reads_as_the_design_says():
    assert text(CHECK) == expected("""
        GET /report blocked the event loop 301 ms (limit 50 ms)

          by      app/main.py:44 in report
                      rates = requests.get(URL).json()
          why     waiting for the network: asleep 299 ms, CPU 2.1 ms
          harm    7 of 7 probes of GET /health waited, worst 296 ms (alone 1.1 ms)
          instead httpx.AsyncClient().get, or asyncio.to_thread(requests.get, ...), or make the endpoint a plain def
          accept  @pytest.mark.noblock_allow("reason", call="requests.get")
    """)


def test_quiet_is_the_first_line():
    assert failure(CHECK, -1) == "GET /report blocked the event loop 301 ms (limit 50 ms)"


def test_verbose_adds_the_exchange_in_order():
    order = [line.split("ms  ")[1] for line in failure(CHECK, 1).splitlines() if "ms  " in line]
    assert "  timeline, from when the request was sent" in failure(CHECK, 1).splitlines()
    assert order == [
        "the loop is held, by app/main.py:44",
        "the loop turns again",
        "the response started",
        "the response was complete",
        "the app returned",
    ]


def test_very_verbose_adds_the_stack_and_the_probes():
    lines = [line.strip() for line in failure(CHECK, 2).splitlines()]
    stack = lines.index("stack   innermost first")
    assert lines[stack + 1 : stack + 3] == ["requests/api.py:73 in get", "app/main.py:44 in report"]
    assert lines[-2:] == ["25 ms  /health  288 ms", "50 ms  /health  264 ms"]


@pytest.mark.parametrize(
    ("check", "line"),
    [
        (changed(blocked_ns=MS), "GET /report blocked the event loop 1.0 ms (no synchronous network call allowed)"),
        (changed(phase=Phase.BACKGROUND), "GET /report blocked the event loop 301 ms in the background (limit 50 ms)"),
        (
            changed(phase=Phase.BACKGROUND, role="dependency teardown"),
            "GET /report blocked the event loop 301 ms after the response (limit 50 ms)",
        ),
        (changed(kind="gil", phase=Phase.BACKGROUND), "GET /report held the GIL 301 ms (limit 50 ms)"),
        (changed(kind="cpu", blocked_ns=60 * MS), "GET /report blocked the event loop 60 ms (limit 50 ms)"),
        (replace(CHECK, limit=9_500_000), "GET /report blocked the event loop 301 ms (limit 9.5 ms)"),
    ],
)
def test_the_first_line_says_what_happened_and_what_is_allowed(check, line):
    assert failure(check, -1) == line


def test_while_the_app_starts_no_request_waits():
    line = "  harm    the worker serves nobody until that is over: it starts, or it stops"
    assert line in failure(changed(phase=Phase.LIFESPAN)).splitlines()


def test_a_round_trip_that_nobody_slept_for_says_how_long_it_took():
    line = "  why     a round trip by requests.get: over in 1.4 ms here"
    assert line in failure(changed(blocked_ns=1_400_000, cpu=1_400_000, asleep=0)).splitlines()


EXCHANGED = (SocketExchange("127.0.0.1:5432", 38, 120), SocketExchange(None, 1, 2), SocketExchange("x", 3, 4))


CARRIED = "38 bytes to 127.0.0.1:5432, 120 back; 1 bytes to a closed socket, 2 back"


@pytest.mark.parametrize(
    ("values", "lines"),
    [
        (
            {"blocked_ns": 230_000, "asleep": 0, "readings": Readings(wall=MS, exchanged=EXCHANGED)},
            [
                "GET /report made a synchronous network call (none allowed)",
                f"  why     waiting for the network: {CARRIED}; over in 0.23 ms here",
            ],
        ),
        (
            {"blocked_ns": 0, "cpu": 0, "asleep": 0, "count": 3},
            [
                "GET /report made 3 synchronous network calls (none allowed)",
                "  why     a round trip by requests.get: over at once here, 3 times",
            ],
        ),
        (
            {"blocked_ns": 4 * MS, "cpu": MS, "asleep": 3 * MS, "readings": Readings(wall=MS, exchanged=EXCHANGED)},
            [
                "GET /report blocked the event loop 4.0 ms (no synchronous network call allowed)",
                f"  why     waiting for the network: asleep 3.0 ms, CPU 1.0 ms; {CARRIED}",
            ],
        ),
    ],
)
def test_a_round_trip_that_is_over_at_once_says_what_was_exchanged(values, lines):
    """Its time on one machine says nothing of its time in production, and reads like a mistake."""
    text = failure(replace(changed(**values), probes=()))
    assert all(line in text.splitlines() for line in lines), text
    assert "  harm    in production the server is a network away, and every other request waits for it" in text


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({"kind": "cpu", "cpu": 80 * MS, "asleep": 0}, "why     computing: asleep 0 ms, CPU 80 ms"),
        (
            {"kind": "cpu", "cpu": 80 * MS, "asleep": 0, "readings": Readings(wall=170 * MS, collected=90 * MS)},
            "why     computing: asleep 0 ms, CPU 80 ms; garbage collection took 90 ms more, which is not counted",
        ),
        (
            {"kind": "cpu", "cpu": 80 * MS, "asleep": 0, "readings": Readings(wall=83 * MS, collected=3 * MS)},
            "why     computing: asleep 0 ms, CPU 80 ms",
        ),
        (
            {"kind": "cpu", "cpu": 80 * MS, "asleep": 0, "call": "fastapi.encoders.jsonable_encoder"}
            | {"evidence": "endpoint", "code": "async def report():"},
            "why     computing in fastapi.encoders.jsonable_encoder: asleep 0 ms, CPU 80 ms",
        ),
        ({"count": 3}, "why     waiting for the network: asleep 299 ms, CPU 2.1 ms, 3 times"),
        (
            {"kind": "sync-io", "call": None, "syscall": "fsync"},
            "why     waiting for the disk: asleep 299 ms, CPU 2.1 ms",
        ),
        (
            {"kind": "sync-io", "call": None, "syscall": "futex"},
            "why     waiting for a lock: asleep 299 ms, CPU 2.1 ms",
        ),
        (
            {"kind": "sync-io", "call": None, "syscall": "wait4"},
            "why     waiting for a process: asleep 299 ms, CPU 2.1 ms",
        ),
        ({"kind": "sync-io", "call": None}, "why     waiting in the kernel: asleep 299 ms, CPU 2.1 ms"),
        ({"call": None}, 'accept  @pytest.mark.noblock_allow("reason", kinds=["sync-network"])'),
        ({"file": None, "line": None, "function": None, "code": None}, "by      requests.get in the request"),
    ],
)
def test_each_row_follows_from_the_finding(values, line):
    assert f"  {line}" in failure(changed(**values)).splitlines()


def test_the_advice_is_that_of_the_finding_whatever_its_kind_and_phase():
    """What the JSON report says of it, to the letter."""
    for values in ({}, {"kind": "cpu"}, {"kind": "gil"}, {"phase": Phase.BACKGROUND}):
        assert "  instead await it" in failure(changed(replacement="await it", **values)).splitlines()


@pytest.mark.parametrize("confirmed", [True, False])
def test_a_finding_of_one_run_says_what_it_rests_on(confirmed):
    assert ("  seen    once" in failure(changed(confirmed=confirmed))) is not confirmed


def test_the_built_in_probe_speaks_where_there_is_no_other():
    check = replace(CHECK, probes=CHECK.probes[:1])
    assert "  harm    58 of 60 turns of the event loop waited, worst 300 ms (alone 0.01 ms)" in failure(check)


def test_a_stall_that_met_no_probe_says_who_waited_and_counts_none():
    """`0 of 3 probes waited` beside 301 ms would say that it did no harm."""
    check = replace(CHECK, probes=(ProbeWaits("/health", sent=3, waited=0, worst=2 * MS, alone=MS),))
    assert "  harm    every other request of this worker waited meanwhile" in failure(check)
    assert "0 of 3" not in failure(check)


def test_several_findings_follow_one_another():
    check = replace(CHECK, findings=(FINDING, replace(FINDING, line=50, blocked_ns=60 * MS)))
    headlines = [line for line in failure(check).splitlines() if "blocked the event loop" in line]
    assert headlines == [
        "GET /report blocked the event loop 301 ms (limit 50 ms)",
        "GET /report blocked the event loop 60 ms (limit 50 ms)",
    ]


def test_without_a_finding_the_reason_is_told():
    check = replace(CHECK, findings=(), outcome="inconclusive", reason="GET /report matched no route of the app")
    assert failure(check).startswith("GET /report matched no route of the app")
    assert "nothing was measured" in failure(check)


def test_a_loop_that_stood_still_was_measured():
    held = "GET /report took the event loop and did not give it back (timeout=5)"
    harm = "  harm    every other request of this worker waited as long"
    check = replace(CHECK, findings=(), outcome="inconclusive", reason=f"{held}, no line of the user's code is waiting")
    assert failure(check) == f"{held}, no line of the user's code is waiting\n\n{harm}"
    at = f"{held}, it sits at app.py:7 in report"
    assert failure(replace(check, reason=at)) == f"{held}\n\n  by      app.py:7 in report\n{harm}"
    locked = replace(check, reason=f"{at}; a deadlock: nobody lets go of it (an asyncio.Lock instead)")
    assert failure(locked).splitlines()[2:] == [
        "  by      app.py:7 in report",
        "  why     a deadlock: nobody lets go of it",
        harm,
        "  instead an asyncio.Lock",
    ]


def test_the_first_45_columns_hold_verb_route_and_what_happened():
    """What pytest leaves of it in an 80 column short summary."""
    assert failure(CHECK)[:45] == "GET /report blocked the event loop 301 ms (li"
