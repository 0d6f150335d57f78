"""Each trap of a background task is red at its own line, its repaired twins are green and do their work."""

import inspect
import linecache
import mailbox
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient

from example_app import background, background_traps, services
from example_app.main import TASKS, app
from pytest_noblock.judge.background import faults
from pytest_noblock.model.check import Check
from tests import readme_table

pytestmark = pytest.mark.one_python


class Twins(NamedTuple):
    trap: str
    where: Callable[..., Any]
    kind: str
    reason: str
    names: tuple[str, ...]
    repaired: tuple[tuple[str, tuple[str, ...]], ...]


SENT = ("/background/send-notification/me", ("write_log", "write_log", "write_log"))
TABLE = (
    Twins(
        trap="/trap/email/me",
        where=background_traps.send_email_blocking,
        kind="sync-network",
        reason="",
        names=("send_email_blocking",),
        repaired=(
            ("/background/email/me", ("send_email",)),
            ("/background/email-awaited/me", ("send_email_awaited",)),
        ),
    ),
    Twins(
        trap="/trap/slow-log/me",
        where=background_traps.write_slow_log_blocking,
        kind="sync-io",
        reason="",
        names=("write_slow_log_blocking",),
        repaired=(
            ("/background/slow-log/me", ("write_slow_log",)),
            ("/background/slow-log-awaited/me", ("write_slow_log_awaited",)),
        ),
    ),
    Twins(
        trap="/trap/awaited/me",
        where=background_traps.awaited,
        kind="background-early",
        reason="the endpoint waited for it at example_app/background_traps.py",
        names=("write_log",),
        repaired=(SENT,),
    ),
    Twins(
        trap="/trap/called/me",
        where=background_traps.called,
        kind="background-missing",
        reason="no request of this test added a task",
        names=("write_log",),
        repaired=(SENT,),
    ),
    Twins(
        trap="/trap/refused/me",
        where=background_traps.refused,
        kind="background-lost",
        reason="the endpoint raised HTTPException",
        names=("write_log",),
        repaired=(("/background/refused/me", ("write_log",)),),
    ),
    Twins(
        trap="/trap/own-background/me",
        where=background_traps.own_background,
        kind="background-lost",
        reason="the returned Response has a background of its own",
        names=("write_log", "send_email"),
        repaired=(("/background/both/me", ("write_log", "send_email")),),
    ),
    Twins(
        trap="/trap/no-mail-server/me",
        where=background_traps.first_raises,
        kind="background-lost",
        reason="send_email raised ConnectionRefusedError",
        names=("write_log",),
        repaired=(("/background/no-mail-server/me", ("send_email_if_possible", "write_log")),),
    ),
)
REPAIRED = sorted({twin for twins in TABLE for twin in twins.repaired} | {("/background/files/one", ("count_words",))})
ROUTES = [route for row in TASKS for route in row.routes if isinstance(route, APIRoute)]


def trap_lines(function: Callable[..., Any]) -> list[int]:
    """The lines that end with `# trap`."""
    source, first = inspect.getsourcelines(function)
    return [first + offset for offset, line in enumerate(source) if line.endswith("# trap\n")]


def from_here(file: str) -> str:
    return str(Path(file).relative_to(Path(__file__).parents[1]))


def found(check: Check, names: tuple[str, ...]) -> list[tuple[str, str | None, int | None]]:
    """Kind, reason and line of what is wrong: with the event loop, and with the tasks."""
    told = [
        (each.kind, each.reason, each.task and each.task.added_at and each.task.added_at.line)
        for each in faults([check.exchange], names, from_here)
    ]
    return [*((each.kind, "", each.line) for each in check.findings if each.phase == "background"), *told]


@pytest.fixture
def noblock_app():
    services.slow_mail_server()  # no request is to wait for its start: a POST is sent without a warm-up
    return app


@pytest.mark.parametrize("twins", TABLE, ids=lambda twins: twins.trap)
def test_the_trap_is_red_at_its_own_line(noblock, twins):
    check = noblock.check("POST", twins.trap, probe="/")
    result = found(check, twins.names)
    assert {kind for kind, _reason, _line in result} == {twins.kind}
    assert all(reason.startswith(twins.reason) for _kind, reason, _line in result)
    assert {line for _kind, _reason, line in result if line} == set(trap_lines(twins.where)[: len(result)])
    if check.findings:
        longest = max(check.findings, key=lambda finding: finding.blocked_ns)
        readme_table.compare(f"POST {twins.trap}", longest, [longest.line])


@pytest.mark.parametrize(("path", "names"), REPAIRED)
def test_the_repaired_twin_is_green(noblock, path, names):
    check = noblock.check("POST", path, probe="/", content=b"two words")
    assert (check.outcome, check.findings, faults([check.exchange], names, from_here)) == ("passed", (), []), check


def test_the_marker_says_so_with_any_client(pytester):
    cases = [(twins.trap, twins.names) for twins in TABLE] + REPAIRED
    pytester.makepyfile(
        f"""
        import pytest
        from example_app.main import app
        from fastapi.testclient import TestClient

        CASES = [pytest.param(path, marks=pytest.mark.noblock_background(*names)) for path, names in {cases!r}]

        @pytest.mark.parametrize("path", CASES)
        def test_it(path):
            with TestClient(app, raise_server_exceptions=False) as client:
                client.post(path)
        """
    )
    result = pytester.runpytest()
    result.assert_outcomes(failed=len(TABLE), passed=len(REPAIRED))
    result.stdout.fnmatch_lines(
        [
            "POST /trap/email/me blocked the event loop * ms in the background (limit 50 ms)",
            "  by      *example_app/background_traps.py:* in send_email_blocking",
            "POST /trap/slow-log/me blocked the event loop * ms in the background (limit 50 ms)",
            "  by      *example_app/background_traps.py:* in write_slow_log_blocking",
            "POST /trap/awaited/me: background task write_log began before the response was complete",
            "POST /trap/called/me: background task write_log was never added",
            "POST /trap/refused/me: background task write_log was added and never ran",
            "POST /trap/own-background/me: background task write_log was added and never ran",
            "POST /trap/no-mail-server/me: background task write_log was added and never ran",
        ]
    )


@pytest.mark.noblock_background("write_log", "write_log", "write_log")
def test_one_list_of_tasks_for_the_endpoint_and_its_dependencies(noblock):
    noblock.post("/background/send-notification/me?q=anvil")
    check = noblock.check("POST", "/background/send-notification/me?q=anvil")
    assert [code_at(each.added_at) for each in check.background] == [
        'tasks.add_task(write_log, folder, f"asked by {client}")',
        'tasks.add_task(write_log, folder, f"found query: {q}")',
        'tasks.add_task(write_log, folder, f"message to {email}")',
    ]


def code_at(place: str) -> str:
    file, _colon, line = place.rpartition(":")
    return linecache.getline(file, int(line)).strip()


@pytest.fixture
def client():
    with TestClient(app) as client:
        yield client


@pytest.fixture
def folder(client) -> Path:
    return client.app_state["folder"]


def test_the_log_is_written(client, folder):
    client.post("/background/send-notification/me", params={"q": "anvil"})
    assert (folder / "log.txt").read_text() == "asked by testclient\nfound query: anvil\nmessage to me\n"


@pytest.mark.parametrize("route", ["email", "email-awaited"])
@pytest.mark.noblock_background
def test_the_email_arrives(client, route):
    client.post(f"/background/{route}/me@{route}.example.org")
    _port, mails = services.slow_mail_server()
    (mail,) = (mail for mail in mailbox.Maildir(mails) if mail["To"] == f"me@{route}.example.org")
    assert mail["Subject"] == "Your order"
    assert mail.get_payload().strip() == "It is on its way."


@pytest.mark.noblock_background("count_words")
def test_an_accepted_file_is_processed_afterwards(client):
    assert client.get("/background/files/orders").status_code == 404
    answer = client.post("/background/files/orders", content=b"anvil rope anvil")
    assert answer.status_code == 202
    assert client.get(answer.json()).json() == {"words": 3}


def test_an_awaited_task_runs_twice(client, folder):
    client.post("/trap/awaited/me")
    assert (folder / "log.txt").read_text() == "message to me\n" * 2


def test_a_stream_left_unread_loses_the_task(pytester):
    pytester.makepyfile(
        """
        import pytest
        from example_app.main import app
        from fastapi.testclient import TestClient

        @pytest.mark.noblock_background("send_email")
        @pytest.mark.parametrize("read", [False, True])
        def test_it(read):
            with TestClient(app) as client, client.stream("POST", "/background/email/me") as response:
                response.read() if read else None
        """
    )
    result = pytester.runpytest()
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(
        [
            "POST /background/email/me: background task send_email was added and never ran",
            "  why     the app was cancelled, for the client left the response unread",
        ]
    )


def test_every_route_has_its_place_in_the_table():
    tested = {path for path, _names in REPAIRED} | {twins.trap for twins in TABLE}
    templates = {path.replace("/me", "/{email}").replace("/one", "/{name}") for path in tested}
    assert {route.path for route in ROUTES if "POST" in route.methods} == templates


def test_every_marked_line_has_its_place_in_the_table():
    text = Path(background_traps.__file__).read_text()
    assert text.count("  # trap\n") == sum(len(trap_lines(twins.where)) for twins in TABLE)
    assert "# trap\n" not in Path(background.__file__).read_text()


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.methods} {route.path}")
def test_the_docs_say_in_one_sentence_what_a_route_shows(route):
    assert route.description.startswith("Trap: " if route.path.startswith("/trap") else "Right: ")
    assert "\n" not in route.description


def test_the_first_page_lists_every_route(noblock):
    page = noblock.get("/").text
    assert all(route.path in page for route in ROUTES)
