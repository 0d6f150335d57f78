"""What is advised instead of a blocking call, and what never is."""

import copy
import csv
import difflib
import gzip
import hashlib
import pickle
import re
import zlib
from collections.abc import Callable
from typing import get_args
from xml.dom import minidom

import pytest

from pytest_noblock.calls.known import TABLE, entry_of, known, unpickled
from pytest_noblock.calls.tables import computations, threads, waits
from pytest_noblock.judge.advice import helps_plain_def, replacement
from pytest_noblock.model.frames import Frame
from pytest_noblock.model.kinds import Kind
from pytest_noblock.model.where import Used, Where

TABLES = (
    waits.NETWORK,
    waits.WAITING,
    computations.OUTSIDE_GIL,
    computations.INSIDE_GIL,
    computations.FRAMEWORK,
)
IN_A_THREAD = "asyncio.to_thread"
OWN_FILE = "opens, uses and closes the file"
OWN_SESSION = (
    "opens, uses and closes its own session, or sqlalchemy.ext.asyncio.AsyncSession with aiosqlite, where it is SQLite"
    " that computes, or less in one go (a page)"
)
OWN_CONNECTION = "opens, uses and closes its own connection"
IN_A_PROCESS = "anyio.to_process.run_sync"
SHORTER = "a pattern without nested quantifiers, or shorter input"
OWN_FUNCTION = "await anyio.to_process.run_sync(f, ...), where f, a def at the top of a module, returns "
LINE = Frame("shop.py", 7, "report", form="async def", user=True, qualname="report")
HERE = Where("path operation", LINE, LINE, LINE, held_by="path operation", plain_def=True)
SMALLER = ", or smaller pieces with await asyncio.sleep(0) between them"
IF_SMALL = ", if what it takes and returns is small"
IF_PICKLED = f"{IF_SMALL} and can be pickled"
SHARED = "httpx.AsyncClient().get of one client for all requests"
FOR_EACH = "one for each thing that it guards (a user, a row) in the place of one for all"
BEFORE = "move this await out of the block that holds the"
SMALLER_CALLS = ", or smaller pieces: the GIL is kept until each returns"
DUMPS = (
    "orjson.dumps (5 to 10 times as fast, though it keeps the GIL too), or fewer items at once (a page), or bytes that"
    " are made once and kept"
)
LIMITER = (
    "a limiter of its own, made once (LIMITER = anyio.CapacityLimiter(n)): in an async def"
    " await anyio.to_thread.run_sync(..., limiter=LIMITER)"
)


@pytest.mark.parametrize(
    ("call", "kind", "ways"),
    [
        (
            "requests.get",
            "sync-network",
            "httpx.AsyncClient().get, or await asyncio.to_thread(requests.get, ...)",
        ),
        (
            "requests.Session.post",
            "sync-network",
            "httpx.AsyncClient().post, or await asyncio.to_thread(session.post, ...)",
        ),
        ("time.sleep", "sync-io", "await asyncio.sleep(...)"),
        (
            "redis.Redis.get",
            "sync-network",
            "redis.asyncio.Redis().get, or await asyncio.to_thread(client.get, ...)",
        ),
        (
            "psycopg2.extensions.cursor.execute",
            "sync-network",
            "asyncpg, or psycopg.AsyncConnection, or await asyncio.to_thread(cursor.execute, ...)",
        ),
        (
            "subprocess.run",
            "sync-io",
            "await asyncio.create_subprocess_exec(...), or await asyncio.to_thread(subprocess.run, ...)",
        ),
        ("shutil.move", "sync-io", "await asyncio.to_thread(shutil.move, ...)"),
        ("concurrent.futures.Future.result", "sync-io", "await asyncio.wrap_future(...)"),
        ("celery.Task.delay", "sync-network", "await asyncio.to_thread(task.delay, ...)"),
        (
            "celery.Task.delay().get",
            "sync-network",
            f"an answer of 202 and a route that tells the task's state, or await {IN_A_THREAD}(task.delay().get, ...)",
        ),
        (
            "multiprocessing.pool.AsyncResult.get",
            "sync-io",
            "await anyio.to_process.run_sync(...)",
        ),
        ("queue.Queue.get", "sync-io", "asyncio.Queue, or await asyncio.to_thread(queue.get, ...)"),
        (
            "sqlalchemy.Engine.connect",
            "sync-network",
            f"sqlalchemy.ext.asyncio.AsyncEngine, or await {IN_A_THREAD}(...) around a function that {OWN_CONNECTION}",
        ),
        (
            "client.fetch",
            "sync-network",
            "an async client of that service, or await asyncio.to_thread(client.fetch, ...)",
        ),
        (None, "sync-network", "an async client of that service, or await asyncio.to_thread(...)"),
        (None, "sync-io", "await asyncio.to_thread(...)"),
        ("handlers().load", "sync-io", "await asyncio.to_thread(handlers().load, ...)"),
        ("handlers()", "sync-io", "await asyncio.to_thread(...)"),
        (
            "pymongo.MongoClient.shop.orders.find_one",
            "sync-network",
            "pymongo.AsyncMongoClient, or await asyncio.to_thread(client.shop.orders.find_one, ...)",
        ),
        (
            "openai.AsyncOpenAI.responses.create",
            "sync-network",
            "an async library that awaits all the way: this one blocks inside",
        ),
        ("MySQLdb.connect", "sync-network", "asyncmy (or aiomysql), or await asyncio.to_thread(MySQLdb.connect, ...)"),
        (
            "PIL.Image.open",
            "cpu",
            "await asyncio.to_thread(PIL.Image.open, ...), which lets go of the GIL",
        ),
        ("handlers().__call__", "sync-io", "await asyncio.to_thread(...)"),
        (
            "hashlib.pbkdf2_hmac",
            "cpu",
            "await asyncio.to_thread(hashlib.pbkdf2_hmac, ...), which lets go of the GIL",
        ),
        (
            "pickle.dumps",
            "cpu",
            SMALLER.removeprefix(", or "),
        ),
        (None, "cpu", f"a process: await anyio.to_process.run_sync(...){IF_PICKLED}{SMALLER}"),
        (
            "pathlib.Path.read_bytes",
            "cpu",
            "anyio.Path().read_bytes (or aiofiles.open), or await asyncio.to_thread(path.read_bytes, ...)",
        ),
        (
            "open().read",
            "cpu",
            f"aiofiles.open (or anyio.open_file), or await {IN_A_THREAD}(...) around a function that {OWN_FILE}",
        ),
        ("shutil.copytree", "cpu", "await asyncio.to_thread(shutil.copytree, ...)"),
        (
            "sqlalchemy.orm.Session.scalars",
            "cpu",
            f"await {IN_A_THREAD}(...) around a function that {OWN_SESSION}",
        ),
        (
            "openpyxl.load_workbook",
            "cpu",
            "await asyncio.to_thread(...) around a function that does all of it, which hands over the GIL",
        ),
        ("copy.deepcopy", "cpu", "await asyncio.to_thread(copy.deepcopy, ...), which hands over the GIL"),
        ("json.dumps", "gil", f"{DUMPS}{SMALLER_CALLS}"),
        ("open().read", "gil", SMALLER_CALLS.removeprefix(", or ")),
        ("anyio.to_process.run_sync", "cpu", computations.PICKLED),
        ("anyio.to_process.run_sync", "gil", computations.PICKLED),
        (
            "re.match",
            "gil",
            f"{SHORTER}, or a process, from a coroutine: {OWN_FUNCTION}bool(re.match(...)), which can be pickled",
        ),
        (
            "re.Pattern.finditer",
            "cpu",
            f"{SHORTER}, or a process: {OWN_FUNCTION}[each[0] for each in pattern.finditer(...)], which can be pickled",
        ),
        (
            "re.sub",
            "cpu",
            f"{SHORTER}, or a process: await anyio.to_process.run_sync(re.sub, ...){IF_SMALL}",
        ),
        ("ssl.create_default_context", "gil", "one context made at start-up and shared"),
        (
            "requests.get",
            "pool-starved",
            f"an async def with {SHARED}, which takes no thread of the pool, or {LIMITER}",
        ),
        ("bcrypt.hashpw", "pool-starved", LIMITER),
    ],
)
def test_replacement(call: str | None, kind: Kind, ways: str) -> None:
    assert replacement(call, kind) == ways


@pytest.mark.parametrize(
    ("call", "library"),
    [
        ("httpx.get", "httpx.AsyncClient().get"),
        ("httpx.Client.get", "httpx.AsyncClient().get"),
        ("httpx2.Client.get", "httpx2.AsyncClient().get"),
        ("urllib.request.urlopen", "httpx.AsyncClient"),
        ("http.client.HTTPConnection.getresponse", "httpx.AsyncClient"),
        ("botocore.client.S3.get_object", "aioboto3"),
        ("boto3.resources.factory.s3.Bucket.upload_file", "aioboto3"),
        ("psycopg.Connection.execute", "psycopg.AsyncConnection"),
        ("psycopg.connect", "psycopg.AsyncConnection"),
        ("psycopg2.connect", "asyncpg"),
        ("sqlalchemy.orm.Session.execute", "sqlalchemy.ext.asyncio.AsyncSession"),
        ("sqlalchemy.Connection.execute", "sqlalchemy.ext.asyncio.AsyncEngine"),
        ("pymysql.cursors.Cursor.execute", "asyncmy"),
        ("MySQLdb.connect", "asyncmy"),
        ("pymongo.collection.Collection.find_one", "pymongo.AsyncMongoClient"),
        ("smtplib.SMTP.sendmail", "aiosmtplib.send"),
        ("smtplib.SMTP", "aiosmtplib.send"),
        ("sqlalchemy.orm.Query.all", "sqlalchemy.ext.asyncio.AsyncSession"),
        ("openai.resources.chat.Completions.create", "openai.AsyncOpenAI"),
        ("openai.OpenAI().chat.completions.create", "openai.AsyncOpenAI"),
        ("MySQLdb.cursors.Cursor.execute", "asyncmy"),
        ("MySQLdb.connections.Connection.commit", "asyncmy"),
        ("sqlmodel.Session.exec", "sqlmodel.ext.asyncio.session.AsyncSession"),
        ("celery.Task.apply_async", "asyncio.to_thread(task.apply_async"),
        ("celery.Task.delay().get", "202"),
        ("google.cloud.firestore.Client.get_all", "google.cloud.firestore.AsyncClient"),
        ("supabase.create_client", "supabase.acreate_client"),
        ("anthropic.resources.messages.Messages.create", "anthropic.AsyncAnthropic"),
        ("google.genai.models.Models.generate_content", "client.aio"),
        ("langchain_core.runnables.RunnableSequence.invoke", "ainvoke"),
        ("litellm.completion", "litellm.acompletion"),
        ("celery.result.AsyncResult.get", "202"),
        ("docker.models.containers.ContainerCollection.run", "aiodocker"),
        ("elasticsearch.Elasticsearch.search", "elasticsearch.AsyncElasticsearch"),
        ("paramiko.SSHClient.connect", "asyncssh"),
        ("ftplib.FTP.retrbinary", "aioftp"),
        ("socket.create_connection", "asyncio.open_connection"),
        ("socket.socket.connect", "asyncio.open_connection"),
        ("socket.socket.recv", "of UDP: asyncio.get_running_loop().create_datagram_endpoint"),
        ("socket.socket.recv", "of a Unix socket: asyncio.open_unix_connection"),
        ("socket.socket.recvfrom", "create_datagram_endpoint, or await asyncio.to_thread(client.recvfrom, ...)"),
        ("socket.getaddrinfo", "asyncio.get_running_loop().getaddrinfo"),
    ],
)
def test_a_network_call_is_answered_with_the_async_library_of_its_kind(call: str, library: str) -> None:
    entry = known(call)

    assert entry is not None
    assert entry.network
    assert library in replacement(call, "sync-network")


@pytest.mark.parametrize(
    ("call", "instead"),
    [
        ("open", "aiofiles.open"),
        ("io.TextIOWrapper.read", "aiofiles.open"),
        (
            "subprocess.Popen.stdout.__next__",
            "await asyncio.create_subprocess_exec(...), or ",
        ),
        ("subprocess.Popen.stdout.read", "around a function that starts the child and uses its pipes"),
        ("pathlib.Path.read_text", "anyio.Path().read_text"),
        ("os.fsync", "await asyncio.to_thread(os.fsync, ...)"),
        ("os.system", "asyncio.create_subprocess_shell"),
        ("sqlite3.Connection.execute", "aiosqlite"),
        ("threading.Lock.acquire", "asyncio.Lock"),
        ("threading.Event.wait", "asyncio.Event"),
        ("queue.Queue.get", "asyncio.Queue"),
        ("logging.Logger.info", "logging.handlers.QueueHandler"),
        ("zipfile.ZipFile.extractall", "await asyncio.to_thread(file.extractall, ...)"),
        ("pandas.read_csv", "await asyncio.to_thread(pandas.read_csv, ...)"),
        ("shutil.rmtree", "await asyncio.to_thread(shutil.rmtree, ...)"),
        ("concurrent.futures.Future.result", "asyncio.wrap_future"),
        ("multiprocessing.pool.AsyncResult.get", "anyio.to_process.run_sync"),
    ],
)
def test_a_call_that_waits_on_this_machine_is_no_network_call(call: str, instead: str) -> None:
    entry = known(call)

    assert entry is not None
    assert not entry.network
    assert instead in replacement(call, "sync-io")


@pytest.mark.parametrize(
    "call",
    [
        None,
        "",
        "requestsx.get",
        "app.requests.get",
        "sum",
        "httpx.AsyncClient.get",
        "redis.asyncio.Redis.get",
        "sqlalchemy.ext.asyncio.AsyncSession.execute",
        "pymongo.asynchronous.collection.AsyncCollection.find_one",
        "sqlalchemy.select",
        "requests.Session",
        "httpx.Timeout",
        "requests.utils.quote",
        "redis.Redis.pipeline",
        "sqlite3.Connection.cursor",
        "logging.getLogger",
        "socket.socket",
        "io.BytesIO.read",
        "pathlib.Path.joinpath",
        "os.getenv",
        "os.path.join",
    ],
)
def test_what_does_not_block_is_not_known(call: str | None) -> None:
    assert known(call) is None


def test_a_call_in_the_middle_of_a_chain_is_known_by_its_root() -> None:
    entry = known("sqlite3.connect().execute")

    assert entry is not None
    assert entry.prefix == "sqlite3"


def test_the_longest_prefix_answers() -> None:
    assert [entry.prefix for call in ("redis.Redis.get", "redis.lock.Lock.acquire") if (entry := known(call))] == [
        "redis.Redis",
        "redis",
    ]


@pytest.mark.parametrize(
    ("kind", "call", "helps"),
    [
        ("sync-network", "requests.get", True),
        ("sync-io", "time.sleep", True),
        ("cpu", None, False),
        ("cpu", "json.dumps", False),
        ("cpu", "sorted", False),
        ("cpu", "bcrypt.hashpw", True),
        ("cpu", "hashlib.scrypt", True),
        ("cpu", "sqlite3.Connection.execute", True),
        ("cpu", "argon2.PasswordHasher.verify", True),
        ("cpu", "passlib.context.CryptContext.hash", True),
        ("cpu", "PIL.Image.Image.resize", True),
        ("cpu", "passlib.hash.sha512_crypt.hash", False),
        ("cpu", "pandas.DataFrame.merge", False),
        ("cpu", "pydantic.BaseModel.model_validate_json", False),
        ("cpu", "requests.get", True),
        ("cpu", "sqlalchemy.orm.Session.scalars", True),
        ("cpu", "pathlib.Path.read_text", True),
        ("cpu", "openpyxl.load_workbook", True),
        ("cpu", "json.dump", True),
        ("gil", "bcrypt.hashpw", False),
        ("gil", None, False),
        ("pool-starved", "requests.get", False),
        ("contention", None, False),
    ],
)
def test_a_plain_def_helps_where_a_thread_does(kind: Kind, call: str | None, helps: bool) -> None:
    assert helps_plain_def(kind, call) is helps


def test_gil_findings_never_advise_a_thread_of_this_process() -> None:
    for call in (None, "sum", *TABLE):
        text = replacement(call, "gil", where=HERE)

        assert IN_A_THREAD not in text, call
        assert "plain def" not in text, call


def test_gil_findings_advise_a_process_where_what_it_is_sent_may_be_small() -> None:
    entries = {call: entry_of(call) for call in (None, "sum", *TABLE)}
    sent = {call for call in entries if IN_A_PROCESS in replacement(call, "gil", where=HERE)}

    assert sent == {
        call
        for call, entry in entries.items()
        if entry is None or (entry.cpu and not (entry.of_data or entry.says_all or entry.only_here))
    }


@pytest.mark.parametrize(
    ("call", "answer"),
    [
        ("re.match", lambda: re.match("a", "a")),
        ("re.Pattern.search", lambda: re.compile("a").search("a")),
        ("re.finditer", lambda: re.finditer("a", "a")),
        ("re.sub", lambda: re.sub("a", "b", "a")),
        ("re.findall", lambda: re.findall("a", "a")),
        ("hashlib.sha256", hashlib.sha256),
        ("hashlib.pbkdf2_hmac", lambda: hashlib.pbkdf2_hmac("sha256", b"", b"", 1)),
        ("zlib.compress", lambda: zlib.compress(b"")),
        ("zlib.compressobj", zlib.compressobj),
        ("gzip.open", lambda: gzip.open(__file__)),  # noqa: SIM115
        ("difflib.ndiff", lambda: difflib.ndiff([], [])),
        ("difflib.get_close_matches", lambda: difflib.get_close_matches("a", ["a"])),
        ("csv.DictReader", lambda: csv.DictReader(["a", "1"])),
        ("xml.dom.minidom.parseString", lambda: minidom.parseString("<a/>")),
        ("pickle.dumps", lambda: pickle.dumps(1)),
        ("copy.deepcopy", lambda: copy.deepcopy([1])),
    ],
)
def test_no_process_is_told_to_return_what_cannot_be_pickled(call: str, answer: Callable[[], object]) -> None:
    try:
        pickle.dumps(answer())
        can_be = True
    except TypeError:
        can_be = False
    assert (unpickled(call) == "") == can_be
    assert ("run_sync(f, ...)" in replacement(call, "gil")) == ((not can_be) and "process" in replacement(call, "gil"))


def test_what_a_coroutine_awaits_is_not_told_to_be_awaited_from_one() -> None:
    assert "process, from a coroutine: await" in replacement("re.match", "gil", where=HERE._replace(coroutine=None))
    assert "a process: await" in replacement("re.match", "gil", where=HERE)


def test_a_match_is_made_by_the_pattern_that_the_line_names() -> None:
    text = replacement("re.Pattern.match", "cpu", where=HERE, code="return WORD.match(name)")
    assert "returns bool(WORD.match(...))" in text


def test_computing_inside_the_gil_is_sent_to_a_process_or_cut_in_pieces() -> None:
    for call in (prefix for row in computations.INSIDE_GIL for prefix in row.split()):
        text, entry = replacement(call, "cpu", where=HERE), TABLE[call]

        assert (IN_A_PROCESS in text) == (not entry.hands_over and not entry.of_data), call
        assert ("pieces" in text) == (not entry.hands_over), call
        assert ("plain def" in text) == entry.hands_over, call


@pytest.mark.parametrize(
    ("held", "ways"),
    [
        (
            "asyncio.Lock",
            f"{BEFORE} Lock, before or behind it, or {FOR_EACH}",
        ),
        ("asyncio.Semaphore", f"{BEFORE} Semaphore, before or behind it, or a Semaphore that lets more in"),
        (
            "anyio.CapacityLimiter",
            f"{BEFORE} CapacityLimiter, before or behind it, or a CapacityLimiter that lets more in",
        ),
        (
            "httpcore.AsyncConnectionPool",
            "give the connection back before this await, or take it after, or make the pool larger",
        ),
        ("a future", "let go of it sooner: await nothing else while others wait for it"),
    ],
)
def test_what_is_shared_is_let_go_of_sooner(held: str, ways: str) -> None:
    assert replacement(None, "contention", held=held) == ways


def test_what_is_an_async_def_already_is_not_told_to_become_one() -> None:
    in_plain = HERE._replace(coroutine=None, endpoint_is_async=False)
    in_async = HERE._replace(coroutine=None, endpoint_is_async=True)

    assert replacement("requests.get", "pool-starved", where=in_plain) == (
        f"an async def with {SHARED}, which takes no thread of the pool, or {LIMITER}"
    )
    for where in (in_async, HERE):
        assert replacement("requests.get", "pool-starved", where=where) == (
            f"{SHARED}, which takes no thread of the pool, or a limiter of its own, made once (LIMITER ="
            " anyio.CapacityLimiter(n)): await anyio.to_thread.run_sync(..., limiter=LIMITER)"
        )


@pytest.mark.parametrize("kind", ["cpu", "gil"])
@pytest.mark.parametrize(
    ("pickles", "code"), [(True, "await loop.run_in_executor(POOL, f)"), (False, "len(await to_process.run_sync(f))")]
)
def test_what_is_pickled_for_a_process_is_not_sent_to_a_process(kind: Kind, pickles: bool, code: str) -> None:
    assert replacement(None, kind, where=HERE._replace(pickles=pickles), code=code) == computations.PICKLED


@pytest.mark.parametrize("call", ["httpx.AsyncClient", "httpx.Client", "httpx.get", "boto3.client", "openai.OpenAI"])
def test_a_client_made_for_every_request_burns_cpu(call: str) -> None:
    assert replacement(call, "cpu").startswith("one client made at start-up (lifespan) and shared")


def test_the_line_that_makes_a_connection_is_advised_like_its_use() -> None:
    assert known("sqlalchemy.orm.Session") is None
    assert "sqlalchemy.ext.asyncio.AsyncSession" in replacement("sqlalchemy.orm.Session", "sync-network")


@pytest.mark.parametrize(
    ("call", "code", "made"),
    [
        ("redis.Redis.incr", "hits = cache.incr('hits')", "cache.incr"),
        (
            "openai.resources.chat.Completions.create",
            "self.ai.chat.completions.create(",
            "self.ai.chat.completions.create",
        ),
        ("time.time", "now = time.time()", "time.time"),
        ("requests.get", "requests.get(get(URL))", "requests.get"),
        ("redis.Redis.get", "redis.Redis().get('key')", "client.get"),
        ("redis.Redis.get", "clients[0].get('key')", "client.get"),
        ("redis.Redis.get", "(cache", "client.get"),
        ("requests.get", None, "requests.get"),
    ],
)
def test_a_client_is_called_as_it_is_in_the_code(call: str, code: str | None, made: str) -> None:
    assert f"asyncio.to_thread({made}, ...)" in replacement(call, "sync-network", code=code)


@pytest.mark.parametrize(
    ("used", "does"),
    [
        ("line", "f, ...), where f does all of this line"),
        ("awaiting line", "f, ...), where f makes the call and reads its answer"),
        ("loop", "f, ...), where f has the whole loop"),
        ("awaiting loop", "f, ...), where f returns list(s3.get_object(...))"),
        ("with", "f, ...), where f has the whole with block"),
        ("part", "s3.get_object, ...), where s3 is what stands before .get_object"),
        (None, "s3.get_object, ...)"),
    ],
)
def test_a_thread_has_what_waits_again_as_well(used: Used | None, does: str) -> None:
    where = HERE._replace(used=used, plain_def=False)
    text = replacement("botocore.client.S3.get_object", "sync-network", where=where)
    assert text == f"aioboto3.Session().client, or await asyncio.to_thread({does}"


def test_what_a_coroutine_calls_is_moved_as_it_was() -> None:
    """The function `load` has the whole line already."""
    inner = LINE._replace(function="load", form="def", qualname="load", line=3)
    below = HERE._replace(line=inner, thing=LINE, called="load", between=("load",), used="line")
    text = replacement("botocore.client.S3.get_object", "sync-network", where=below)
    assert "await asyncio.to_thread(load, ...) at shop.py:7" in text
    assert "f, ..." not in text


def test_what_runs_in_a_thread_where_it_is_a_plain_def_may_become_one() -> None:
    assert replacement("smtplib.SMTP.sendmail", "sync-network", where=HERE) == (
        "aiosmtplib.send, or await asyncio.to_thread(...) around a function that connects, uses and closes it, "
        "or make the endpoint a plain def"
    )
    assert "plain def" not in replacement("sum", "cpu", where=HERE)
    assert "plain def" not in replacement("smtplib.SMTP.sendmail", "sync-network", where=None)


@pytest.mark.parametrize("kind", get_args(Kind))
def test_there_is_a_sentence_for_every_kind_and_call(kind: Kind) -> None:
    for call in (None, "client.fetch", *TABLE, *(f"{prefix}.Client.fetch" for prefix in TABLE)):
        text = replacement(call, kind)

        assert text, call
        assert "{" not in text, call
        assert "  " not in text, call
        assert text[0] not in ",.", call


def test_no_prefix_stands_in_two_rows() -> None:
    prefixes = [prefix for table in TABLES for row in table for prefix in row.split()]

    assert sorted(set(prefixes)) == sorted(prefixes)
    assert set(TABLE) == set(prefixes)


def test_every_word_about_threads_is_about_a_row() -> None:
    for prefix in (prefix for row in threads.THREADS for prefix in row.split()):
        assert any(f"{known_prefix}.".startswith(f"{prefix}.") for known_prefix in TABLE), prefix


@pytest.mark.parametrize(
    ("call", "by_framework", "part"),
    [
        ("fastapi.encoders.jsonable_encoder", True, "or Response(orjson.dumps(items), media_type="),
        ("fastapi.encoders.jsonable_encoder", False, "or Response(orjson.dumps(items), media_type="),
        ("fastapi.dependencies.utils.request_body_to_args", True, "fewer items in one request"),
        (
            "pydantic.TypeAdapter.validate_python",
            True,
            "response_model=None, so that nobody validates, and Response(orjson.dumps(",
        ),
        ("pydantic.TypeAdapter.dump_python", True, "fewer items in one answer (a page)"),
        ("pydantic.TypeAdapter.validate_python", False, "smaller pieces"),
        ("jinja2.Template.render", False, "make the endpoint a plain def"),
        (
            "prometheus_client.generate_latest",
            True,
            "a plain def route that returns Response(generate_latest(registry))",
        ),
        ("gc.collect", False, "gc.freeze()"),
        (None, True, "a process"),
    ],
)
def test_what_a_framework_computes_has_a_remedy_of_its_own(call, by_framework, part):
    text = replacement(call, "cpu", where=HERE, by_framework=by_framework)
    assert part in text
    assert ("a process" in text) == (part == "a process")


def test_gzip_is_answered_for_any_starlette():
    """Starlette 1.10's GZipMiddleware compresses what is smaller than `thread_minimum_size` on the loop."""
    text = replacement("starlette.middleware.gzip.GZipResponder", "cpu", by_framework=True)
    smaller = "or a smaller thread_minimum_size of GZipMiddleware, which takes what is as large to a thread"
    assert text.endswith(f"{smaller} (Starlette 1.10 has it: 128 KiB; the pieces of a FileResponse have 64)")


def test_what_a_thread_has_the_loop_call_is_answered_though_no_line_was_seen():
    """A plain `def` awaits nothing: `anyio.from_thread.run_sync(urllib.request.urlopen, URL)`."""
    place = Where(role="call from a thread", endpoint="report")
    text = replacement("urllib.request.urlopen", "sync-network", where=place, by_framework=True)
    assert text.startswith("urllib.request.urlopen in the thread itself, without anyio.from_thread.run_sync")
    assert "await " not in text
