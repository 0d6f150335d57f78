"""Every row of the example app again and again, quiet and beside CPU hogs: always the same answer.

NOBLOCK_SOAK_EXAMPLE (default 50) times each; NOBLOCK_SOAK_HOGS (default 4) hogs.
"""

import os
from collections import Counter

import pytest

from example_app.main import app
from tests.example_rows import REPAIRED, TABLE, needed, wrong
from tests.soak.servers import hogs

pytestmark = pytest.mark.slow

TIMES = int(os.environ.get("NOBLOCK_SOAK_EXAMPLE", "50"))
HOGS = int(os.environ.get("NOBLOCK_SOAK_HOGS", "4"))
CASES = [(twins, twins.blocks) for twins in TABLE] + list(REPAIRED)


@pytest.fixture(scope="module", params=[0, HOGS], ids=["quiet", "hogs"])
def load(request):
    with hogs(request.param):
        yield request.param


@pytest.fixture
def noblock_app():
    return app


def answer(check, twins, path) -> str:
    """In a word, where it is the right one."""
    if path != twins.blocks:
        return "green" if (check.outcome, check.findings) == ("passed", ()) else f"red: {told(check)}"
    if check.outcome != "failed":
        return f"{check.outcome}: {check.reason}"
    differs = wrong(twins, check, every_line=True)
    return f"wrong {differs}: {told(check)}" if differs else "found"


def told(check) -> str:
    shown = [
        f"{each.kind} {each.blocked_ns / 1e6:.1f} ms at {each.file}:{each.line} {each.call}" for each in check.findings
    ]
    return "; ".join((check.outcome, check.reason or "", *shown))


@pytest.mark.parametrize(("twins", "path"), CASES, ids=[twins.id_of(path) for twins, path in CASES])
def test_the_answer_is_always_the_same(noblock, figure, load, twins, path):
    needed(twins)
    answers = Counter(
        answer(noblock.check(twins.method, path, probe="/", confirm=True), twins, path) for _ in range(TIMES)
    )
    counted = ", ".join(f"{count} {text}" for text, count in answers.most_common())
    figure(f"{twins.id_of(path)}, {load} hogs, load {os.getloadavg()[0]:.1f}", counted)
    assert answers == {"found" if path == twins.blocks else "green": TIMES}
