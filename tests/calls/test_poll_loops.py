"""Which loops wait, by how they are written: pairs of sources, of which the second waits for nobody."""

import textwrap

import pytest

from pytest_noblock.calls.poll_loops import is_in_loop, poll_loop


@pytest.fixture
def asked(tmp_path):
    """The loop around the line of a source that ends with `# here`."""

    def asked(body, *, ask=poll_loop, before=""):
        source = f"{before}\ndef report(rows, end):\n" + textwrap.indent(textwrap.dedent(body).strip("\n"), "    ")
        file = tmp_path / f"app_{len(list(tmp_path.iterdir()))}.py"
        file.write_text(source)
        lines = source.splitlines()
        line = next(number for number, text in enumerate(lines, 1) if text.endswith("# here"))
        return ask(str(file), line)

    return asked


WAITS = {
    "clock": "while time.monotonic() < end:\n    pass  # here",
    "clock-in-ns": "while time.monotonic_ns() < end:\n    pass  # here",
    "clock-read-in-the-body": "while True:\n    now = loop.time()\n    if now > end:  # here\n        break",
    "clock-in-a-walrus": "while (now := time.time()) < end:\n    pass  # here",
    "returns-by-the-clock": "while True:\n    if time.perf_counter() > end:  # here\n        return",
    "nothing-to-do": "while not job.done():\n    pass  # here",
    "asks-and-works": "while not job.done():\n    rows.append(1)  # here",
    "event": "while not event.wait(0.002):\n    pass  # here",
    "queue": "while True:\n    try:\n        return items.get(timeout=0.002)  # here\n    except Empty:\n        pass",
    "queue-by-position": "while rows:\n    items.get(True, 0.002)  # here",
    "future": "while rows:\n    job.result(timeout=0.002)  # here",
    "lock": "while not lock.acquire(timeout=0.002):  # here\n    pass",
    "thread": "while thread.is_alive():\n    thread.join(0.002)  # here",
    "select": "while rows:\n    select.select([], [], [], 0.002)  # here",
    "yield": "while rows:\n    os.sched_yield()  # here",
    "tries-with-a-way-out": "for _ in range(1000):\n    if event.wait(0.002):  # here\n        break",
    "outer-loop": "while time.monotonic() < end:\n    for row in rows:\n        row.sum()  # here",
}
WORKS = {
    "computes": "while rows:\n    rows.pop().sum()  # here",
    "times-each-row": "for row in rows:\n    began = time.perf_counter()\n    row.sum()  # here\n"
    "    seen.observe(time.perf_counter() - began)",
    "raises-by-the-clock": "while rows:\n    rows.pop().sum()  # here\n    if time.monotonic() > end:\n"
    "        raise TimeoutError",
    "cpu-clock": "while time.process_time() < end:\n    rows.append(1)  # here",
    "counted": "for _ in range(20):\n    event.wait(0.001)  # here",
    "no-timeout": "while rows:\n    items.get()  # here",
    "a-dictionary": "while rows:\n    rows.pop().get('name', 0.5)  # here",
    "a-text": "while rows:\n    ', '.join(rows.pop())  # here",
    "endless": "while True:\n    rows.pop()  # here",
    "another-function": "while time.monotonic() < end:\n    def inner():\n        rows.sum()  # here\n    inner()",
    "after-the-loop": "while time.monotonic() < end:\n    pass\nrows.sum()  # here",
}


@pytest.mark.parametrize("body", WAITS.values(), ids=WAITS)
def test_a_loop_that_waits(asked, body):
    assert asked(body).line == 3


@pytest.mark.parametrize("body", WORKS.values(), ids=WORKS)
def test_a_loop_that_works(asked, body):
    assert asked(body) is None


def test_a_loop_that_awaits_lets_others_have_their_turn(tmp_path):
    file = tmp_path / "app.py"
    file.write_text("async def report(end):\n    while time.monotonic() < end:\n        await asyncio.sleep(0.002)\n")
    assert poll_loop(str(file), 3) is None


def test_a_clock_by_another_name(asked):
    body = "while now_s() < end:\n    rows.append(1)  # here"
    assert asked(body, before="from time import monotonic as now_s") is not None
    assert asked(body) is None


@pytest.mark.parametrize(
    ("body", "only"),
    [
        (WAITS["clock"], True),
        (WAITS["clock-read-in-the-body"], True),
        (WAITS["returns-by-the-clock"], True),
        ("while time.monotonic() < end:\n    time.sleep(0)  # here", True),
        ("while time.monotonic() < end:\n    select.select([], [], [], 0.002)  # here", True),
        ("while time.monotonic() < end:\n    time.sleep(0.02)  # here", False),  # it may be over long before it wakes
        ("while time.monotonic() < end:\n    rows.sum()  # here", False),
        ("while time.monotonic() < end and rows:\n    pass  # here", False),
        ("while time.monotonic() < end:\n    left -= 1  # here", False),
        ("while time.monotonic() < end:\n    if not rows:  # here\n        break", False),
        ("for row in rows:\n    while time.monotonic() < row:\n        pass  # here", False),  # begun anew
        (WAITS["nothing-to-do"], False),
        (WAITS["event"], False),
    ],
)
def test_a_loop_that_only_the_clock_ends(asked, body, only):
    assert asked(body).only_clock is only


def test_whether_a_line_is_in_a_loop(asked):
    assert asked("for row in rows:\n    row.wait()  # here", ask=is_in_loop)
    assert not asked("rows.wait()  # here", ask=is_in_loop)
