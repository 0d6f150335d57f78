"""The methods that every call of a blocking client goes through, whoever answers it.

A call that a mock answers (responses, respx, moto, a transport of the test's own) does not sleep and uses no socket:
only its entry into such a method can be seen.
"""

import sys
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

_WEB = ("http://", "https://")


class EntryPoint(NamedTuple):
    """One method of a client's class."""

    owner: Any
    """The class; of a mock, `unittest.mock.CallableMixin`."""
    name: str
    counts: Callable[..., bool]
    """Whether a call with these positional arguments would leave this machine, or is a mock's."""


def entry_points() -> Iterator[EntryPoint]:
    """Of the clients that are imported. Their asynchronous twins have classes of their own."""
    for module, owner, name, counts in _ENTRY_POINTS:
        found = getattr(sys.modules.get(module), owner, None)
        if isinstance(found, type) and callable(getattr(found, name, None)):
            yield EntryPoint(found, name, counts)


def mock_entry_points() -> Iterator[EntryPoint]:
    """The one of `unittest.mock`. A mock may stand in for anything: the calling line tells for what.

    `_mock_call` is private (CPython 3.11 to 3.13); without it, calls of mocks are not seen.
    """
    mock = getattr(sys.modules.get("unittest.mock"), "CallableMixin", None)
    if mock is not None and hasattr(mock, "_mock_call"):
        yield EntryPoint(mock, "_mock_call", _answers_at_once)


def _answers_at_once(mock: object, *_: object) -> bool:
    return not isinstance(mock, sys.modules["unittest.mock"].AsyncMock)


def _to_the_web(_client: object, request: Any = "", *_: object) -> bool:
    """Whether the request goes to neither a file nor a Unix socket (`http+docker://`)."""
    url = request if isinstance(request, str) else getattr(request, "full_url", getattr(request, "url", ""))
    return isinstance(url, str) and url.lower().startswith(_WEB)


def _over_tcp(client: object, *_: object) -> bool:
    """httpx and httpx2 keep the path of a Unix socket in `_transport._pool._uds`; without it, every call counts."""
    pool = getattr(getattr(client, "_transport", None), "_pool", None)
    return getattr(pool, "_uds", None) is None


def _of_urllib3(pool: object, *_: object) -> bool:
    """The Docker client's subclass connects to a Unix socket; botocore's calls are seen before they come here."""
    return type(pool).__module__.startswith("urllib3.")


def _not_by_unix_socket(client: Any, *_: object) -> bool:
    kind = getattr(getattr(client, "connection_pool", None), "connection_class", None)
    return "Unix" not in getattr(kind, "__name__", "")


def _without_broker(task: Any, *_: object) -> bool:
    """Whether the settings name no real broker. A real one may take a task without an answer, as a mock does."""
    settings = task.app.conf
    return bool(settings.task_always_eager) or str(settings.broker_url).startswith("memory")


def _always(*_: object) -> bool:
    return True


_ENTRY_POINTS: tuple[tuple[str, str, str, Callable[..., bool]], ...] = (
    ("requests.sessions", "Session", "send", _to_the_web),
    ("httpx", "Client", "send", _over_tcp),
    ("httpx2", "Client", "send", _over_tcp),
    ("urllib.request", "OpenerDirector", "open", _to_the_web),
    ("urllib3.connectionpool", "HTTPConnectionPool", "urlopen", _of_urllib3),
    ("botocore.client", "BaseClient", "_make_api_call", _always),
    ("redis.client", "Redis", "execute_command", _not_by_unix_socket),
    ("redis.client", "Pipeline", "execute", _not_by_unix_socket),
    ("celery.app.task", "Task", "apply_async", _without_broker),
    ("celery.result", "EagerResult", "get", _always),
)
"""Module, class, method, and whether a call of it would leave this machine.

This table answers: where can a client's call be seen even if a mock answers it? See `known_calls` for the other two
tables of calls.
"""

MODULES = ("unittest.mock", *dict.fromkeys(module for module, *_ in _ENTRY_POINTS))
"""The modules of this table: once one more of them is imported, there is more to patch."""
