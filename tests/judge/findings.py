"""Findings of literals."""

from pytest_noblock.model.finding import Finding
from pytest_noblock.model.observation import Phase

MS = 1_000_000


def finding(kind="sync-io", line=7, ms=80, *, function="report", evidence="line counters", file="app.py", **more):
    values = {"cpu": ms * MS if kind == "cpu" else 0, "asleep": 0 if kind == "cpu" else ms * MS, "count": 1}
    return Finding(
        kind=kind,
        phase=more.pop("phase", Phase.HANDLER),
        blocked_ns=ms * MS,
        file=file if line else None,
        line=line,
        function=function if line else None,
        code=more.pop("code", None),
        call=more.pop("call", None),
        replacement="",
        confirmed=False,
        evidence=evidence,
        **{**values, **more},
    )
