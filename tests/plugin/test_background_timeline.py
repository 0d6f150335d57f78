"""What a test can read of its background tasks, and what a failure tells of them."""

import json
import textwrap
from pathlib import Path

import fastapi.testclient  # noqa: F401  imported here, inner runs need not import it again and again
import pytest

from tests.plugin import trap_app


@pytest.fixture
def traps(shop: pytest.Pytester) -> pytest.Pytester:
    shop.makepyfile(trap_app=Path(trap_app.__file__).read_text(encoding="utf-8"))
    return shop


@pytest.fixture
def run_traps(run, traps):
    return lambda tests, *options: run(tests, *options, app="trap_app:app")


def test_a_check_has_every_task_with_its_times(run_traps):
    result = run_traps("""
        from pathlib import Path
        import trap_app

        def test_it(noblock):
            check = noblock.check("POST", "/dependencies")
            assert check.outcome == "passed"
            first, second, third = check.background
            assert [first.name, second.name, third.name] == ["write_log", "book", "send_email"]
            assert [first.arguments, second.arguments, third.arguments] == ["str", "int", "str"]
            moments = [first.response_complete_ms]
            for each in check.background:
                assert each.error is None
                assert each.response_complete_ms == first.response_complete_ms
                moments += [each.began_ms, each.ended_ms]
            assert moments == sorted(moments) and moments[0] > 0
            assert trap_app.log[-3:] == ["seen", "1", "me"]

        def test_where_they_were_added(noblock):
            lines = [each.added_at.partition(":") for each in noblock.check("POST", "/dependencies").background]
            source = Path(trap_app.__file__).read_text().splitlines()
            assert {file for file, _, _line in lines} == {"trap_app.py"}
            assert [source[int(line) - 1].strip() for _file, _, line in lines] == [
                'tasks.add_task(write_log, "seen")',
                "tasks.add_task(Ledger.book, 1)",
                'tasks.add_task(send_email, "me")',
            ]
    """)
    result.assert_outcomes(passed=2)


@pytest.mark.one_python
def test_a_check_has_what_became_of_lost_and_failed_tasks(run_traps):
    result = run_traps("""
        def test_it(noblock):
            first, second = noblock.check("POST", "/first-raises").background
            assert first.error == "ConnectionError('the stock is away')"
            assert first.response_complete_ms < first.began_ms <= first.ended_ms
            assert (second.name, second.began_ms, second.ended_ms, second.error) == ("write_log", None, None, None)
            assert second.response_complete_ms > 0

        def test_awaited(noblock):
            (task,) = noblock.check("POST", "/awaited").background
            assert task.began_ms < task.ended_ms < task.response_complete_ms

        def test_none(noblock):
            assert noblock.check("POST", "/adds-nothing").background == ()
    """)
    result.assert_outcomes(passed=3)


@pytest.mark.one_python
def test_of_arguments_the_types_alone_are_told(run, shop):
    shop.makepyfile(
        api="""
        import functools
        from fastapi import BackgroundTasks, FastAPI

        app = FastAPI()

        class Unwilling:
            def __repr__(self):
                raise ValueError("no")

        class Callable:
            async def __call__(self, *args, **kwargs):
                pass

            def method(self):
                pass

        async def named(*args, **kwargs):
            pass

        @app.post("/")
        async def adds(tasks: BackgroundTasks):
            tasks.add_task(named, "x" * 1000, 1, key=[1] * 1000)
            tasks.add_task(named, Unwilling())
            tasks.add_task(functools.partial(named, 1), 2)
            tasks.add_task(Callable())
            tasks.add_task(Callable().method)
            tasks.add_task(lambda: None)
        """
    )
    result = run(
        """
        import pytest

        @pytest.mark.noblock_background("named", "api.named", "named", "Callable", "Callable.method", "<lambda>")
        def test_it(noblock):
            long, unwilling, partial, instance, method, nameless = noblock.check("POST", "/").background
            assert long.name == "named" and long.arguments == "str, int, key=list"
            assert unwilling.arguments == "Unwilling"
            assert (partial.name, partial.arguments) == ("named", "int")
            assert (instance.name, method.name, nameless.name) == ("Callable", "method", "<lambda>")
        """,
        app="api:app",
    )
    result.assert_outcomes(passed=1)


@pytest.mark.one_python
def test_a_failure_shows_line_reason_and_times(run_traps):
    result = run_traps("""
        import pytest
        from fastapi.testclient import TestClient
        from trap_app import app

        @pytest.mark.noblock_background("send_email", "write_log")
        def test_it():
            TestClient(app).post("/own-background")
    """)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "POST /own-background: background task write_log was added and never ran",
            "",
            "  by      trap_app.py:* in own_background",
            '              tasks.add_task(write_log, "ordered")',
            "  why     the returned Response has a background of its own; then FastAPI drops the injected tasks",
            "  when    write_log(str) never began; response complete * ms",
            "  when    send_email(str) began * ms, ended * ms; response complete * ms",
            "  instead *",
        ],
        consecutive=True,
    )


@pytest.mark.one_python
def test_the_report_has_findings_and_tasks(run_traps, pytester):
    result = run_traps(
        """
        import pytest

        @pytest.mark.noblock_background
        def test_it(noblock):
            noblock.check("POST", "/first-raises")
        """,
        "--noblock-report=report.json",
    )
    result.assert_outcomes(failed=1)
    checks = json.loads((pytester.path / "report.json").read_text())["checks"]
    found = {each["kind"]: each for check in checks for each in check["findings"]}
    assert set(found) == {"background-failed", "background-lost"}
    lost = found["background-lost"]
    assert (lost["phase"], lost["file"], lost["function"]) == ("background", "trap_app.py", "first_raises")
    assert (lost["code"], lost["call"]) == ('tasks.add_task(write_log, "ordered")', "write_log")
    first, second = checks[-1]["background"]
    assert second["added_at"].startswith("trap_app.py:")
    assert first["error"] == "ConnectionError('the stock is away')"
    assert first["response_complete_ms"] < first["began_ms"] <= first["ended_ms"]
    assert {**second, "response_complete_ms": 0} == {
        "name": "write_log",
        "response_complete_ms": 0,
        "began_ms": None,
        "ended_ms": None,
        "error": None,
        "arguments": "str",
        "added_at": second["added_at"],
    }


@pytest.mark.one_python
def test_an_unread_stream_loses_the_tasks_a_read_one_does_not(run_traps):
    """Starlette >= 1.9: who leaves the block is gone, and the app's call with it."""
    result = run_traps("""
        import pytest
        from fastapi.testclient import TestClient
        from trap_app import app

        @pytest.mark.noblock_background("write_log")
        @pytest.mark.parametrize("path", ["/streamed", "/handed-over"])
        def test_unread(path):
            with TestClient(app).stream("POST", path):
                pass

        @pytest.mark.noblock_background("write_log")
        @pytest.mark.parametrize("path", ["/streamed", "/handed-over"])
        def test_read(path):
            with TestClient(app).stream("POST", path) as response:
                response.read()
    """)
    result.assert_outcomes(failed=2, passed=2)
    result.stdout.fnmatch_lines(
        [
            "POST /streamed: background task write_log was added and never ran",
            "  why     the app was cancelled, for the client left the response unread",
            "POST /handed-over: background task write_log was added and never ran",
            "  why     the app was cancelled, for the client left the response unread",
        ]
    )


@pytest.mark.parametrize("kind", ["async def", "def"])
def test_a_task_that_never_ends_is_named_at_the_limit(run, shop, kind):
    shop.makepyfile(
        api=f"""
        import asyncio
        import threading
        from fastapi import BackgroundTasks, FastAPI

        app = FastAPI()
        stop = threading.Event()

        {"async def" if kind == "async def" else "def"} waits_for_ever():
            {"await asyncio.sleep(60)" if kind == "async def" else "stop.wait(60)"}

        @app.post("/")
        async def adds(tasks: BackgroundTasks):
            tasks.add_task(waits_for_ever)
        """
    )
    result = run(
        """
        import api
        import pytest

        @pytest.fixture(autouse=True)
        def stopped(noblock):
            yield
            api.stop.set()

        @pytest.mark.noblock_background("waits_for_ever")
        def test_it(noblock):
            noblock.post("/", timeout=0.2)
        """,
        app="api:app",
    )
    result.assert_outcomes(failed=1)
    (line,) = [line for line in result.outlines if line.startswith("POST / answered, but its background task")]
    assert "did not end within 0.2 s (timeout=0.2)" in line
    assert "waits_for_ever" in line


def test_an_exception_of_a_task_that_reaches_the_test_is_explained_in_a_section(run_traps):
    result = run_traps("""
        import pytest
        from fastapi.testclient import TestClient
        from trap_app import app

        @pytest.mark.noblock_background
        def test_it():
            TestClient(app).post("/first-raises")
    """)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "E   *ConnectionError: the stock is away",
            "*noblock*",
            "POST /first-raises: background task update_stock raised",
            "POST /first-raises: background task write_log was added and never ran",
        ]
    )


def test_classes_of_tasks_are_their_own_again_after_the_test(run_traps):
    result = run_traps("""
        import pytest
        import trap_app
        from fastapi.testclient import TestClient
        from starlette.background import BackgroundTask, BackgroundTasks

        CLASSES = BackgroundTask, BackgroundTasks, trap_app.Counted, trap_app.CountedTwice

        def own():
            return [{name: value for name, value in vars(each).items() if callable(value)} for each in CLASSES]

        before = own()

        @pytest.mark.noblock_background
        def test_it():
            TestClient(trap_app.app).post("/own-classes")
            assert trap_app.log == ["counted", "a", "counted", "b", "counted", "1"]
            assert own() != before

        def test_after():
            assert own() == before
    """)
    result.assert_outcomes(passed=2)


# --- both places of a task are told the same way

PLACES = """
    import pathlib
    import trap_app

    def test_it(noblock):
        check = noblock.check("POST", "/awaited")
        (task,) = check.exchange.tasks
        assert task.{name}.file == trap_app.__file__
        source = pathlib.Path(trap_app.__file__).read_text().splitlines()
        assert source[task.{name}.line - 1].strip() == {code!r}
        assert check.background[0].added_at == f"trap_app.py:{{task.added_at.line}}"
"""


@pytest.mark.one_python
@pytest.mark.parametrize(
    ("name", "code"),
    [("added_at", 'tasks.add_task(write_log, "ordered")'), ("called_at", "await tasks()")],
    ids=["added", "called"],
)
def test_where_a_task_was_added_and_awaited_is_absolute_as_recorded_and_relative_as_told(run, shop, name, code):
    shop.makepyfile(trap_app=Path(trap_app.__file__).read_text(encoding="utf-8"))
    run(PLACES.format(name=name, code=code), app="trap_app:app").assert_outcomes(passed=1)


EARLY = """
    import pytest

    @pytest.mark.noblock_background
    def test_it(noblock):
        noblock.check("POST", "/awaited")
"""


@pytest.mark.one_python
def test_the_line_that_added_a_task_is_shown_from_any_folder(shop, monkeypatch):
    """The code is read by the absolute path: one relative to rootdir opens from nowhere else."""
    shop.makepyfile(
        trap_app=Path(trap_app.__file__).read_text(encoding="utf-8"),
        test_shop=textwrap.dedent(EARLY),
    )
    shop.makeini("[pytest]\npythonpath = .\n")
    monkeypatch.chdir(shop.mkdir("elsewhere"))
    result = shop.runpytest("--noblock-app=trap_app:app", f"--rootdir={shop.path}", "-c", "../tox.ini", "..")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "POST /awaited: background task write_log began before the response was complete",
            "  by      trap_app.py:* in awaited",
            '              tasks.add_task(write_log, "ordered")',
            "  why     the endpoint waited for it at trap_app.py:*",
        ]
    )
