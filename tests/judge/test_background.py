"""What background tasks must do, and what is said of those that do not: tables of literals; no loop, no clock."""

from dataclasses import replace
from pathlib import Path

import pytest

from pytest_noblock.judge.background import faults, judged, shared_out, task_runs
from pytest_noblock.model.check import Check, TaskRun
from pytest_noblock.model.frames import Frame
from pytest_noblock.model.observation import Exchange, Task

ADDED = Frame("/project/app/main.py", 3, "order", user=True)
LATE = "tasks run only after the endpoint's response"
NAMELESS = "the app is not Starlette's, so its background work has no names"
WAITED = Frame("/project/app/main.py", 4, "order", user=True)


def shown(file):
    return file.removeprefix("/project/")


def task(name="write_log", began=11, ended=12, error=None, **more):
    """Ran after the response, to its end, unless told otherwise."""
    return Task(
        name=name,
        module=more.pop("module", "app.main"),
        qualname=more.pop("qualname", name),
        arguments="",
        added_at=ADDED,
        began=began,
        ended=ended,
        error=error,
        called_at=more.pop("called_at", None),
        batch=more.pop("batch", 1),
        raised_at=more.pop("raised_at", None),
    )


def lost(name="write_log", **more):
    return task(name, began=None, ended=None, **more)


def exchange(*tasks, completed=10, returned=20, framework="1.10.0", **more):
    """A request of a Starlette app, complete at 10 ns."""
    return Exchange(
        1, "POST", "/orders", 0, completed=completed, returned=returned, tasks=tasks, framework=framework, **more
    )


def told(exchanges, *names):
    """Kind without its prefix, name and reason."""
    return [
        (fault.kind.removeprefix("background-"), fault.name, fault.reason)
        for fault in faults([exchanges] if isinstance(exchanges, Exchange) else exchanges, names, shown)
    ]


@pytest.mark.parametrize(
    ("tasks", "names"),
    [
        ([task()], []),
        ([task()], ["write_log"]),
        ([task(began=10, ended=10)], ["write_log"]),
        ([task("write_log"), task("send_email", 12, 13)], []),
        ([task("write_log"), task("send_email", 12, 13)], ["write_log", "send_email"]),
        ([task("send_email", 12, 13)], ["send_email"]),
        ([task(), task(began=12, ended=13)], ["write_log", "write_log"]),
        ([task(), task(began=12, ended=13)], ["write_log"]),
        ([task("a", 11), task("b", 12, 13), task("c", 13, 14)], ["a", "c"]),
        ([task("a"), lost("b")], ["a"]),  # nobody asked for the other
        ([task("b"), task("a", 12, 13), task("b", 13, 14)], ["a"]),
    ],
    ids="all named at-once two two-named one-of-two twice more-than-asked gap not-asked between".split(),
)
def test_what_ran_after_the_response_in_order_and_to_its_end_is_green(tasks, names):
    assert told(exchange(*tasks), *names) == []


@pytest.mark.parametrize(
    ("name", "same"),
    [
        ("book", True),
        ("Ledger.book", True),
        ("app.main.Ledger.book", True),
        ("main.Ledger.book", False),
        ("app.main.book", False),
        ("Ledger", False),
        ("boo", False),
        ("Book", False),
    ],
)
def test_a_task_answers_to_its_name_its_qualified_name_and_that_of_its_module(name, same):
    missing = [("missing", name, "the tasks that were added: book")]
    assert told(exchange(task("book", qualname="Ledger.book")), name) == ([] if same else missing)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (exchange(task(began=9)), [("early", "the framework began it before the last part of the body was sent")]),
        (
            exchange(task(began=9), framework="1.6.0"),
            [("early", "Starlette 1.6.0 runs it before the body behind BaseHTTPMiddleware; 1.7 does not")],
        ),
        (
            exchange(task(began=9), framework="0.52.1"),
            [("early", "Starlette 0.52.1 runs it before the body behind BaseHTTPMiddleware; 1.7 does not")],
        ),
        (
            exchange(task(began=9), framework="1.7.0"),
            [("early", "the framework began it before the last part of the body was sent")],
        ),
        (
            exchange(task(began=9, called_at=WAITED), framework="1.6.0"),
            [("early", "the endpoint waited for it at app/main.py:4")],
        ),
        (
            exchange(task(began=5), completed=None),
            [("early", "the framework began it before the last part of the body was sent")],
        ),
        (exchange(task(error="ValueError('no')")), [("failed", "it raised ValueError('no')")]),
        (
            exchange(task(began=9, error="ValueError('no')", called_at=WAITED)),
            [("early", "the endpoint waited for it at app/main.py:4"), ("failed", "it raised ValueError('no')")],
        ),
        (exchange(task(ended=None)), [("lost", "it began, and had not ended when the test did")]),
        (
            exchange(lost(), raised="HTTPException(409) at app/main.py:5"),
            [("lost", f"the endpoint raised HTTPException(409) at app/main.py:5 after it was added; {LATE}")],
        ),
        (
            exchange(lost(), error="OSError() at app/main.py:5"),
            [("lost", f"the endpoint raised OSError() at app/main.py:5 after it was added; {LATE}")],
        ),
        (
            exchange(lost(), own_background=True),
            [("lost", "the returned Response has a background of its own; then FastAPI drops the injected tasks")],
        ),
        (
            exchange(lost(), cancelled=True),
            [("lost", "the app was cancelled, for the client left the response unread")],
        ),
        (
            exchange(lost(), cancelled=True, completed=None, error="CancelledError()"),
            [("lost", "the app was cancelled, for the client left the response unread")],
        ),
        (exchange(lost(), returned=None), [("lost", "the test ended before the app's call did")]),
        (
            exchange(lost(), entered=False, status=401),
            [("lost", f"the request was answered 401 before its endpoint was called; {LATE}")],
        ),
        (exchange(lost()), [("lost", "its Response was not the one that was sent")]),
        (exchange(lost(), entered=True), [("lost", "its Response was not the one that was sent")]),
    ],
    ids=(
        "early old older fixed old-but-awaited never-complete failed both unended "
        "raised app-raised own cancelled unread test-ended unentered dropped entered"
    ).split(),
)
def test_what_went_wrong_has_its_kind_and_its_reason(found, expected):
    wanted = [(kind, "write_log", reason) for kind, reason in expected]
    assert told(found) == wanted
    assert told(found, "write_log") == wanted


def test_a_task_that_raises_takes_those_after_it_along():
    at = "app/main.py:12 in first"
    found = exchange(task("first", error="ValueError('no')", raised_at=at), lost("second"), lost("third"))
    after = f"first raised ValueError('no') at {at} before it; the tasks after one that raises never run"
    assert told(found) == [
        ("failed", "first", f"it raised ValueError('no') at {at}"),
        ("lost", "second", after),
        ("lost", "third", after),
    ]
    assert told(found, "third") == [("lost", "third", after)]


def test_what_raised_in_another_object_is_not_to_blame():
    found = exchange(task("first", error="ValueError('no')", batch=1), lost("second", batch=2))
    assert told(found, "second") == [("lost", "second", "its Response was not the one that was sent")]
    alone = exchange(task("first", error="ValueError('no')", batch=None), lost("second", batch=None))
    assert told(alone, "second") == [("lost", "second", "its Response was not the one that was sent")]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["a", "b", "c"], []),
        (["b", "a"], [("order", "a", "it began before b")]),
        (["a", "c", "b"], [("order", "b", "it began before c")]),
        (["c", "b", "a"], [("order", "b", "it began before c"), ("order", "a", "it began before b")]),
    ],
)
def test_the_order_of_the_names_is_the_order_in_which_they_begin(names, expected):
    assert told(exchange(task("a", 11), task("b", 13, 14), task("c", 15, 16)), *names) == expected


def test_tasks_of_several_requests_are_those_of_the_test():
    one, two = exchange(task("a", 11)), exchange(task("b", 30, 31), completed=29, returned=40)
    assert told([one, two], "a", "b") == []
    assert told([one, two], "b", "a") == [("order", "a", "it began before b")]
    assert told([one, exchange()]) == []
    assert told([two, exchange(lost("a"), cancelled=True)], "b") == []


def test_one_name_asks_for_every_task_of_that_name():
    """Two requests of which the second loses its task: the first must not hide it."""
    found = [exchange(task()), exchange(lost(), own_background=True)]
    assert [kind for kind, _name, _reason in told(found, "write_log")] == ["lost"]


def test_a_name_given_twice_needs_two_tasks():
    assert told(exchange(task()), "write_log", "write_log") == [
        ("missing", "write_log", "the tasks that were added: write_log")
    ]


def test_each_missing_name_is_told_beside_what_is_wrong_with_the_others():
    assert told(exchange(task(began=9, called_at=WAITED)), "a", "write_log", "b") == [
        ("missing", "a", "the tasks that were added: write_log"),
        ("missing", "b", "the tasks that were added: write_log"),
        ("early", "write_log", "the endpoint waited for it at app/main.py:4"),
    ]


@pytest.mark.parametrize("names", [[], ["write_log"]])
@pytest.mark.parametrize(
    ("exchanges", "reason"),
    [
        ([], "the test made no request"),
        ([exchange()], "no request of this test added a task"),
        ([exchange(), exchange(framework=None)], "no request of this test added a task"),
        (
            [exchange(framework=None, completed=1_000_000, returned=3_500_000)],
            f"{NAMELESS}: it returned 2.5 ms after the response was complete",
        ),
        (
            [exchange(framework=None, completed=None)],
            f"{NAMELESS}: its response was not completed",
        ),
        (
            [exchange(framework=None, returned=None)],
            f"{NAMELESS}: its response was not completed",
        ),
    ],
    ids="no-request none-added mixed bare bare-incomplete bare-under-way".split(),
)
def test_where_no_task_was_added_it_says_why(exchanges, reason, names):
    assert told(exchanges, *names) == [("missing", "".join(names), reason)]


DEFINED = Frame("/project/app/main.py", 1, "order", user=True)
FRAMEWORKS = Frame("/site/fastapi/applications.py", 1153, "openapi", user=False)


@pytest.mark.parametrize(
    ("defined", "place"),
    [
        ([DEFINED], " (app/main.py:1)"),
        ([DEFINED, FRAMEWORKS, None, DEFINED], " (app/main.py:1)"),
        ([DEFINED, WAITED], " (app/main.py:1, app/main.py:4)"),
        ([FRAMEWORKS], ""),
        ([DEFINED._replace(line=line) for line in range(4)], ""),
    ],
    ids="one again two nobody's many".split(),
)
def test_where_no_task_was_added_it_says_where_one_can_be(defined, place):
    (fault,) = faults([exchange(defined=each) for each in defined], ["write_log"], shown)
    assert fault.instead == f"tasks.add_task(write_log, ...) in the path operation{place} or in a dependency"


def test_a_fault_knows_its_task_and_its_request():
    found = exchange(task(), task("send_email", error="OSError()"))
    (fault,) = faults([exchange(task("other")), found], [], shown)
    assert fault.task is found.tasks[1]
    assert fault.exchange is found


MS = 1_000_000
CHECK = Check("test_order", "POST /orders", None, None, "passed", 0, 50 * MS, "full")


def checked(exchange):
    return replace(CHECK, exchange=exchange, exchanges=(exchange,))


def test_a_check_tells_a_task_in_ms_since_the_request_was_sent():
    ran = task(began=1_010 * MS, ended=1_012 * MS)._replace(arguments="str")
    found = exchange(ran, lost("b")._replace(added_at=None), completed=1_009 * MS)._replace(sent=1_000 * MS)
    assert task_runs(found, shown) == (
        TaskRun("write_log", 9.0, 10.0, 12.0, None, "str", "app/main.py:3"),
        TaskRun("b", 9.0, None, None, None, "", None),
    )


def test_a_fault_is_a_finding_at_the_line_that_added_the_task():
    found = exchange(task(began=12 * MS, ended=14 * MS, error="OSError()"), completed=11 * MS)
    check = judged(checked(found), faults([found], [], shown), shown)
    (finding,) = check.findings
    assert (check.outcome, check.reason) == ("failed", None)
    assert (finding.kind, finding.file, finding.line, finding.call) == (
        "background-failed",
        "app/main.py",
        3,
        "write_log",
    )
    assert (finding.blocked_ns, finding.reason, finding.rule) == (2 * MS, "it raised OSError()", None)
    assert finding.replacement == "handle OSError in write_log: the client has its response already"


def test_the_code_is_read_by_the_absolute_path():
    source = Path(__file__).read_text(encoding="utf-8").splitlines()
    line = source.index("MS = 1_000_000") + 1
    found = exchange(task(error="OSError()")._replace(added_at=ADDED._replace(file=__file__, line=line)))
    (finding,) = judged(checked(found), faults([found], [], shown), lambda _file: "nowhere/app.py").findings
    assert (finding.file, finding.code) == ("nowhere/app.py", "MS = 1_000_000")


def test_a_check_without_faults_stays_as_it_is():
    check = checked(exchange(task()))
    assert judged(check, [], shown) is check


def test_each_fault_goes_to_the_check_of_its_request_and_strays_to_the_last():
    one, two = exchange(task(error="OSError()")), exchange(task("b"))
    stray = exchange(lost("c"))
    found = faults([one, two, stray], [], shown)
    first, last = shared_out([checked(one), checked(two)], found, shown)
    assert [finding.kind for finding in first.findings] == ["background-failed"]
    assert [(finding.kind, finding.call) for finding in last.findings] == [("background-lost", "c")]
    missing = faults([one], ["nobody"], shown)
    first, last = shared_out([checked(one), checked(two)], missing, shown)
    assert (first.outcome, last.outcome) == ("passed", "failed")


@pytest.mark.parametrize(
    ("found", "names", "instead"),
    [
        (exchange(), ["app.write_log"], "tasks.add_task(write_log, ...) in the path operation or in a dependency"),
        (exchange(), [], "tasks.add_task(...) in the path operation or in a dependency"),
        (
            exchange(task("a")),
            ["write_log"],
            "tasks.add_task(write_log, ...), or in the marker the name of one that is",
        ),
        (exchange(framework=None), [], "test what the task leaves behind"),
        (exchange(task(began=5, called_at=WAITED)), [], "hand the task to the response and return; do not await it"),
        (exchange(task(began=5), framework="1.6.0"), [], "Starlette 1.7 or newer, or a pure ASGI middleware"),
        (exchange(task(began=5)), [], "background= of the Response that is returned"),
        (exchange(task(error="ValueError('no') at a.py:1 in f")), [], "handle ValueError in write_log: the client has"),
        (exchange(task(error="<odd repr>")), [], "handle the exception in write_log"),
        (exchange(task("a", error="OSError()"), lost("b")), ["b"], "handle OSError in a, or add b before it"),
        (exchange(lost(), cancelled=True), [], "read the response to its end in the test"),
        (exchange(lost(), returned=None), [], "leave the client's `with` block"),
        (exchange(task(ended=None)), [], "leave the client's `with` block"),
        (exchange(lost(), raised="HTTPException(404)"), [], "return the error as a Response that has the task"),
        (exchange(lost(), own_background=True), [], "add all tasks to one object"),
        (exchange(lost(), entered=False, status=401), [], "add the task where the answer is made"),
        (exchange(lost()), [], "add the task to the Response that is sent"),
        (exchange(task("b"), task("a", began=12, ended=13)), ["a", "b"], "add a before b, or name them in the order"),
    ],
)
def test_each_reason_has_its_own_remedy(found, names, instead):
    (fault,) = faults([found], names, shown)
    assert fault.instead.startswith(instead) or instead in fault.instead
    (finding,) = judged(checked(found), [fault], shown).findings
    assert finding.replacement == fault.instead


def test_a_test_without_a_request_is_told_to_make_one():
    (fault,) = faults([], [], shown)
    assert fault.instead == "send the request that adds the task within the test's call"
