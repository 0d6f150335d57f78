"""Every framework, by every client that its users have: what blocks is red at its line, what is repaired is green."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

APPS = Path(__file__).parent / "apps"
CONFTEST = """
    import json, os
    import pytest
    from wanted import prepared

    WANTED = json.loads(os.environ["NOBLOCK_WANTED"])

    @pytest.fixture
    def noblock_app():
        return prepared()

    def pytest_generate_tests(metafunc):
        name = metafunc.function.__name__.replace("test_own", "own")
        wanted = [(client, path) for client, paths in WANTED.items() if client.startswith(name) for path in paths]
        metafunc.parametrize(("client", "path"), wanted)
"""
OWN = {
    "fastapi": {
        "own_client": ("`TestClient`", "asyncio uvloop trio"),
        "own_socket": ("`websocket_connect`", "asyncio"),
    },
    "litestar": {
        "own_client": ("`TestClient`", "asyncio uvloop trio"),
        "own_async_client": ("`AsyncTestClient`", "asyncio uvloop trio"),
        "own_socket": ("`websocket_connect`", "asyncio"),
    },
    "quart": {
        "own_client": ("`test_client()`", "asyncio uvloop"),
        "own_socket": ("its `websocket()`", "asyncio uvloop"),
    },
    "falcon": {
        "own_client": ("`testing.TestClient`", "asyncio"),
        "own_conductor": ("`ASGIConductor`", "asyncio uvloop"),
        "own_socket": ("its `simulate_ws`", "asyncio uvloop"),
    },
    "django": {
        "own_client": ("`AsyncClient`", "asyncio uvloop"),
        "own_communicator": ("Channels' `HttpCommunicator`", "asyncio uvloop"),
        "own_socket": ("`WebsocketCommunicator`", "asyncio uvloop"),
    },
    "blacksheep": {
        "own_client": ("`TestClient`", "asyncio uvloop"),
        "own_socket": ("its `websocket_connect`", "asyncio uvloop"),
    },
    "sanic": {
        "own_client": ("`asgi_client`", "asyncio uvloop"),
        "own_server": ("`test_client`, a server", "asyncio uvloop"),
    },
}
"""By framework, its own clients: what the README calls each, and the loops that it runs on."""
ANY = {"test_httpx": ("`ASGITransport`", "asyncio uvloop"), "test_fixture": ("`noblock`", "asyncio")}
"""Clients of every framework."""
TRIO = {"fastapi", "litestar"}
"""Frameworks that run on trio."""
POOLS = {"fastapi", "litestar", "quart", "django"}
"""Frameworks that run a `def` endpoint in a worker by themselves."""
TASKS = {"fastapi", "litestar", "falcon"}
"""Frameworks that run a task after the response."""
LOOPS = ("asyncio", "uvloop", "trio")
KINDS = """
    sleep requests urllib socket sqlite fifo loop derive lock future event join process dumps regex
    task callback gil stream middleware
""".split()


SLEEP = {"ws", "task", "callback", "stream", "middleware", "background"}
"""What blocks there is a `time.sleep`."""


def lines() -> dict[str, set[int]]:
    """The lines of `kinds.py` that block, by kind."""
    found: dict[str, set[int]] = {}
    for number, text in enumerate((APPS / "kinds.py").read_text(encoding="utf-8").splitlines(), 1):
        _code, mark, kind = text.rpartition("  # ")
        if mark:
            found.setdefault(kind, set()).add(number)
    return found


def clients(framework: str) -> dict[str, str]:
    """The loops of each client."""
    loops = {client: loops for client, (_name, loops) in (OWN[framework] | ANY).items()}
    return loops | ({"test_httpx": "asyncio uvloop trio"} if framework in TRIO else {})


def wanted(framework: str, kinds: Callable[[int], list[str]]) -> dict[str, list[str]]:
    """By client and loop: the paths that it asks for. `kinds`: of the client with this number, on its first loop."""
    paths = {}
    for number, (client, loops) in enumerate(clients(framework).items()):
        first, *others = loops.split()
        paths |= {f"{client}@{loop}": ["ws" if client == "own_socket" else "sleep"] for loop in others}
        paths[f"{client}@{first}"] = ["ws"] if client == "own_socket" else kinds(number)
    asked = {
        client: [f"/{kind}/{how}" for kind in each for how in ("blocks", "awaits")] for client, each in paths.items()
    }
    if framework in POOLS:
        asked["own_client@asyncio"].append("/pool/pool/pool")
    if framework in TASKS:
        asked["own_client@asyncio"] += ["/background/blocks", "/background/awaits"]
    return asked


def some_kinds(framework: str) -> Callable[[int], list[str]]:
    """A third for the first client, one for each other: three frameworks together ask for every kind."""
    order = list(OWN).index(framework)
    return lambda number: KINDS[order % 3 :: 3] if number == 0 else [KINDS[(5 * order + number) % len(KINDS)]]


def every_kind(framework: str) -> Callable[[int], list[str]]:
    """For the first client, for httpx and for the fixture; one for others of the framework's own."""
    others = range(1, len(OWN[framework]))
    return lambda number: ["sleep"] if number in others else KINDS


def is_right(check: dict, framework: str) -> bool:
    """Whether it is red exactly where the path blocks, at a line that blocks so, with the names of its endpoint."""
    kind, how = check["request"].split("/")[1:3]
    kinds = ("dumps", "gil") if kind == "gil" else ("sleep",) if kind in SLEEP else (kind,)
    blocking = {line for each in kinds for line in lines().get(each, ())}  # none of /pool: it runs in a worker
    red = check["outcome"] == "failed"
    at = {each["line"] for each in check["findings"] if each["file"] == "kinds.py"}
    named = check["route"] and check["endpoint"] and check["endpoint"].startswith(f"{framework}_app.")
    return bool(named) and red == (how == "blocks") and (not red or bool(at & blocking))


TITLES = {"fastapi": "FastAPI, Starlette", "litestar": "Litestar", "django": "Django", "blacksheep": "BlackSheep"}
README = Path(__file__).parents[2] / "README.md"


def rows(framework: str) -> list[str]:
    """The framework's rows of the README's table."""
    names = {client: name for client, (name, _loops) in (OWN[framework] | ANY).items()}
    title = TITLES.get(framework, framework.title())
    return [
        f"| {title} | {names[client]} | {' | '.join('yes' if loop in loops.split() else '' for loop in LOOPS)} |"
        for client, loops in clients(framework).items()
    ]


@pytest.mark.one_python
def test_the_readme_says_what_is_tested():
    text = README.read_text(encoding="utf-8")
    table = text.partition("<!-- table: frameworks and clients -->\n")[2].partition("\n\n")[0]
    told = [" | ".join(part.strip() for part in line.split("|")[1:-1]) for line in table.splitlines()[2:]]
    asked = [row for framework in OWN for row in rows(framework)]
    assert told == [" | ".join(part.strip() for part in row.split("|")[1:-1]) for row in asked]


def told_of(check: dict) -> tuple:
    """What a failure needs to say of a request."""
    at = [(each["kind"], each["file"], each["line"]) for each in check["findings"]]
    return check["id"], check["outcome"], check["endpoint"], at, check["notes"]


@pytest.mark.parametrize("framework", OWN)
def test_a_framework_by_each_of_its_clients(pytester, monkeypatch, framework):
    asked(pytester, monkeypatch, framework, wanted(framework, some_kinds(framework)))


@pytest.mark.slow
@pytest.mark.parametrize("framework", OWN)
def test_a_framework_with_every_kind_of_call(pytester, monkeypatch, framework):
    asked(pytester, monkeypatch, framework, wanted(framework, every_kind(framework)))


def asked(pytester, monkeypatch, framework, paths):
    for module in (framework, *("channels", "daphne") * (framework == "django"), "httpx2"):
        pytest.importorskip(module, reason='pip install -e ".[dev,frameworks]"')
    for file in APPS.glob("*.py"):
        shutil.copy(file, pytester.path / file.name.replace("suite", "test_suite"))
    pytester.makeconftest(CONFTEST)
    monkeypatch.setenv("NOBLOCK_FRAMEWORK", framework)
    monkeypatch.setenv("NOBLOCK_WANTED", json.dumps(paths))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # all that is installed may take seconds
    plain = ("-p", "pytest_noblock.plugin", "-p", "no:cacheprovider", "-W", "ignore")
    result = pytester.runpytest_subprocess("--noblock", "--noblock-report=report.json", *plain)
    checks = json.loads((pytester.path / "report.json").read_text(encoding="utf-8"))["checks"]
    requests = [each for each in checks if each["request"] != "LIFESPAN"]
    wrong = [told_of(each) for each in requests if not is_right(each, framework)]
    assert not wrong, "\n".join(map(str, wrong))
    twice = ("test_httpx@asyncio", "test_httpx@uvloop", "test_httpx@trio")  # by httpx, and by httpx2
    sent = [path for client, each in paths.items() for path in each * (2 if client in twice else 1)]
    assert sorted(each["request"].split()[1] for each in requests) == sorted(sent)
    result.stdout.no_fnmatch_line("nothing was seen in*")
