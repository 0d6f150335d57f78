"""Runs that the tests of all formats render."""

from dataclasses import replace

from pytest_noblock.model.frames import Frame
from pytest_noblock.report.wire import Run
from tests.report.golden_checks import CHECKS, PASSED, REQUESTS, check, exchange, finding

ENVIRONMENT = {
    "version": "0.1.0",
    "root": "api",
    "folder": "services/api",
    "python": "3.12.1",
    "platform": "linux",
    "meter": "full",
    "loop": "asyncio",
}
ROUTED = {
    name: replace(each, findings=tuple(replace(one, route="GET /report") for one in each.findings))
    for name, each in CHECKS.items()
}
LEFT_OUT = replace(
    PASSED, id="noblock::GET /me", request="GET /me", route="/me", outcome="not-exercised", reason="needs-auth",
    exchange=None, exchanges=(), probes=(), probe_runs=(), notes=(),
)  # fmt: skip
ALL = Run(ENVIRONMENT, (*ROUTED.values(), PASSED, LEFT_OUT))
GREEN = Run(ENVIRONMENT, (PASSED,))
EMPTY = Run(ENVIRONMENT, ())

HOSTILE = "<script>alert(1)</script> `a` | [x](y) ::error:: %0A \x1b[31m\n\u202e\ud800 ]]> --> & \"'"
"""What a terminal, a page, Markdown, a table, a workflow command and XML obey, as far as a name can have it."""


def hostile():
    """A run in which every text of the user's is hostile."""
    bad = finding(
        "sync-io",
        ms=80,
        cpu=1,
        asleep=79,
        at=(f"app/{HOSTILE}.py", 3, HOSTILE, HOSTILE),
        call=HOSTILE,
        replacement=HOSTILE,
        evidence="call",
        stalls=[(1, 81)],
        stack=(Frame(HOSTILE, 3, HOSTILE),),
        reason=HOSTILE,
        route=f"GET {HOSTILE}",
    )
    red = check(bad, request=f"GET /{HOSTILE}", route=HOSTILE, exchange=exchange(), notes=(HOSTILE,))
    missed = replace(CHECKS["inconclusive"], reason=HOSTILE, id=HOSTILE)
    accepted = replace(red, id=HOSTILE, findings=(replace(bad, line=4, accepted=HOSTILE),), outcome="accepted")
    return Run(ENVIRONMENT, (red, missed, accepted))


def many(number):
    """So many requests, each red at a line of its own, with a picture."""
    return Run(
        ENVIRONMENT,
        tuple(
            replace(
                CHECKS["sync-network"],
                id=f"tests/api/test_orders.py::test_order_number_{each}",
                request=f"GET /orders/{each}",
                route=f"/orders{each}/{{order_id}}",
                findings=(
                    finding(
                        "sync-network",
                        ms=300 + each / 10,
                        cpu=2,
                        asleep=298,
                        evidence="line counters",
                        stalls=[(10, 310)],
                        route=f"GET /orders{each}/{{order_id}}",
                        **{**REQUESTS, "at": (f"app/api/orders/handlers_{each}.py", 44, "read", "requests.get(URL)")},
                    ),
                ),
            )
            for each in range(number)
        ),
    )
