"""Every framework, by every client that its users have: what blocks is red at its line, what is repaired is green."""

import json
import shutil
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
        name = metafunc.function.__name__
        if "client" in metafunc.fixturenames:
            metafunc.parametrize(("client", "path"), [(c, p) for c, paths in WANTED.items() if c != name for p in paths
                                                      if c.startswith("own")])
        else:
            metafunc.parametrize("path", WANTED[name])
"""
OWN = {
    "litestar": ("own_client", "own_async_client"),
    "quart": ("own_client",),
    "falcon": ("own_client", "own_conductor"),
    "django": ("own_client", "own_communicator"),
    "blacksheep": ("own_client",),
    "sanic": ("own_client", "own_server"),
}
"""By framework, its own clients. The first is asked for all kinds, every other client for a third of them."""
SOCKETS = {"litestar", "quart", "falcon", "django", "blacksheep"}
POOLS = {"litestar", "quart", "django"}
"""Frameworks that run a `def` endpoint in a worker by themselves."""
KINDS = """
    sleep requests urllib socket sqlite fifo loop derive lock future event join process dumps regex
""".split()


def lines() -> dict[str, set[int]]:
    """The lines of `kinds.py` that block, by kind."""
    found: dict[str, set[int]] = {}
    for number, text in enumerate((APPS / "kinds.py").read_text(encoding="utf-8").splitlines(), 1):
        _code, mark, kind = text.rpartition("  # ")
        if mark:
            found.setdefault(kind, set()).add(number)
    return found


def wanted(framework: str) -> dict[str, list[str]]:
    """By client: the paths that it asks for."""
    order = list(OWN).index(framework)
    clients = [*OWN[framework], "test_httpx", "test_fixture"]
    paths = {}
    for number, client in enumerate(clients):
        kinds = KINDS if number == 0 else KINDS[(order + number) % 3 :: 3]
        paths[client] = [f"/{kind}/{how}" for kind in kinds for how in ("blocks", "awaits")]
        paths[client] += ["/pool/pool/pool"] if framework in POOLS else []
    if framework in SOCKETS:
        paths["own_socket"] = ["/ws/blocks", "/ws/awaits"]
    return paths


def is_right(check: dict, framework: str) -> bool:
    """Whether it is red exactly where the path blocks, at a line that blocks so, with the names of its endpoint."""
    kind, how = check["request"].split("/")[1:3]
    kind = "sleep" if kind == "ws" else kind
    red = check["outcome"] == "failed"
    at = {each["line"] for each in check["findings"] if each["file"] == "kinds.py"}
    named = check["route"] and check["endpoint"] and check["endpoint"].startswith(f"{framework}_app.")
    return bool(named) and red == (how == "blocks") and (not red or bool(at & lines()[kind]))


@pytest.mark.parametrize("framework", OWN)
def test_a_framework_by_each_of_its_clients(pytester, monkeypatch, framework):
    for module in (framework, *("channels", "daphne") * (framework == "django"), "httpx2"):
        pytest.importorskip(module, reason='pip install -e ".[dev,frameworks]"')
    for file in APPS.glob("*.py"):
        shutil.copy(file, pytester.path / file.name.replace("suite", "test_suite"))
    pytester.makeconftest(CONFTEST)
    monkeypatch.setenv("NOBLOCK_FRAMEWORK", framework)
    monkeypatch.setenv("NOBLOCK_WANTED", json.dumps(wanted(framework)))
    options = (
        "--noblock",
        "--noblock-report=report.json",
        "-p",
        "no:randomly",
        "-W",
        "ignore",
        "-p",
        "no:cacheprovider",
    )
    result = pytester.runpytest_subprocess(*options)
    checks = json.loads((pytester.path / "report.json").read_text(encoding="utf-8"))["checks"]
    requests = [each for each in checks if each["request"] != "LIFESPAN"]
    wrong = [each for each in requests if not is_right(each, framework)]
    assert not wrong
    asked = [
        path for client, paths in wanted(framework).items() for path in paths * (2 if client == "test_httpx" else 1)
    ]
    assert sorted(each["request"].split()[1] for each in requests) == sorted(asked)
    result.stdout.no_fnmatch_line("nothing was seen in*")
