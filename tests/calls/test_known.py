"""What is known of a call by its name."""

import pytest

from pytest_noblock.calls.known import IN_THREAD, KNOWN_MODULES, TABLE, entry_of, is_async, known


@pytest.mark.parametrize(
    ("call", "prefix"),
    [
        ("requests.get", "requests"),
        ("requests.Session.get", "requests"),
        ("requests.Response.json", "requests.Response"),
        ("requests.get().json", "requests"),
        ("sqlalchemy.orm.Session.execute", "sqlalchemy.orm.Session"),
        ("time.sleep", "time.sleep"),
        ("smtplib.SMTP", "smtplib"),  # it connects
        ("json.dumps", "json.dumps"),
        ("json.tool", "json"),
        ("celery.result.AsyncResult.get", "celery.result"),  # asynchronous by its name only
    ],
)
def test_a_call_that_blocks(call, prefix):
    entry = known(call)
    assert entry is not None
    assert entry.prefix == prefix


@pytest.mark.parametrize(
    "call",
    [
        None,
        "",
        "requestsx.get",  # whole components only
        "time.time",
        "httpx.AsyncClient.get",
        "redis.asyncio.Redis.get",
        "requests.Session",  # a constructor
        "requests.utils.quote",
        "sqlite3.Connection.cursor",  # prepares
        "re.compile",
        "sqlalchemy.orm.Session.query",
    ],
)
def test_a_call_that_blocks_nobody(call):
    assert known(call) is None


def test_what_makes_the_object_has_an_entry_and_does_not_block():
    """The twin of the constructors: advice is given by it."""
    assert known("requests.Session") is None
    assert entry_of("requests.Session") == TABLE["requests"]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("redis.asyncio.Redis", True),
        ("httpx.AsyncClient", True),
        ("aiohttp.ClientSession", True),
        ("httpx.Client", False),
    ],
)
def test_asynchronous_by_name(path, expected):
    assert is_async(path) is expected


@pytest.mark.parametrize(
    ("call", "network", "cpu", "frees_gil", "anywhere"),
    [
        ("requests.get", True, False, False, True),
        ("time.sleep", False, False, False, True),
        ("open", False, False, False, False),
        ("sqlite3.connect", False, False, True, False),
        ("hashlib.sha256", False, True, True, False),
        ("json.loads", False, True, False, False),
    ],
)
def test_how_it_blocks(call, network, cpu, frees_gil, anywhere):
    entry = known(call)
    assert (entry.network, entry.cpu, entry.frees_gil, entry.blocks_anywhere) == (network, cpu, frees_gil, anywhere)


@pytest.mark.parametrize(
    ("call", "way"),
    [
        ("requests.get", IN_THREAD),
        ("time.sleep", ""),
        ("sqlalchemy.orm.Session.execute", TABLE["sqlalchemy.orm.Session"].thread),
    ],
)
def test_how_it_is_moved_to_a_thread(call, way):
    assert known(call).thread == way


def test_a_row_is_inherited_by_whole_components():
    assert "its own session" in TABLE["sqlalchemy.orm.Session"].thread
    assert "its own connection" in TABLE["sqlalchemy.Engine"].thread


def test_no_prefix_repeats_what_a_shorter_one_says():
    for prefix, entry in TABLE.items():
        parts = prefix.split(".")
        shorter = (TABLE.get(".".join(parts[:length])) for length in range(len(parts) - 1, 0, -1))
        around = next((each for each in shorter if each is not None), None)
        assert around is None or around._replace(prefix="") != entry._replace(prefix=""), prefix


def test_modules_that_look_like_classes():
    assert all(entry_of(name) for name in KNOWN_MODULES)
