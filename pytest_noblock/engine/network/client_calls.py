"""Where the calls of blocking clients pass through, whoever answers them.

One that a mock answers (responses, respx, moto, a transport of the test's own) sleeps
nowhere and uses no socket: that it was made is all there is to see.
"""

import sys
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

_WEB = ("http://", "https://")


class EntryPoint(NamedTuple):
    """A method that every call of a client goes through; `counts` looks at the arguments."""

    owner: Any
    name: str
    counts: Callable[..., bool]


def entry_points() -> Iterator[EntryPoint]:
    """Those of the clients that are imported. Their asynchronous twins have classes of their own."""
    for module, owner, name, counts in _PASSAGES:
        found = getattr(sys.modules.get(module), owner, None)
        if isinstance(found, type) and callable(getattr(found, name, None)):
            yield EntryPoint(found, name, counts)


def mock_entry_points() -> Iterator[EntryPoint]:
    """What `unittest.mock` puts in the place of anything at all: the line that calls it tells of what."""
    mock = getattr(sys.modules.get("unittest.mock"), "CallableMixin", None)
    if mock is not None and hasattr(mock, "_mock_call"):
        yield EntryPoint(mock, "_mock_call", _answers_at_once)


def _answers_at_once(mock: object, *_: object) -> bool:
    return not isinstance(mock, sys.modules["unittest.mock"].AsyncMock)


def _to_the_web(_client: object, request: Any = "", *_: object) -> bool:
    """Not to a file, nor to a socket of this machine (`http+docker://`)."""
    url = request if isinstance(request, str) else getattr(request, "full_url", getattr(request, "url", ""))
    return isinstance(url, str) and url.lower().startswith(_WEB)


def _over_tcp(client: object, *_: object) -> bool:
    pool = getattr(getattr(client, "_transport", None), "_pool", None)
    return getattr(pool, "_uds", None) is None


def _of_urllib3(pool: object, *_: object) -> bool:
    """Docker's own connects to a socket of this machine; botocore's is seen before."""
    return type(pool).__module__.startswith("urllib3.")


def _not_on_this_machine(client: Any, *_: object) -> bool:
    kind = getattr(getattr(client, "connection_pool", None), "connection_class", None)
    return "Unix" not in getattr(kind, "__name__", "")


def _without_broker(task: Any, *_: object) -> bool:
    """A publishing without an answer looks the same: only where no broker can be meant."""
    settings = task.app.conf
    return bool(settings.task_always_eager) or str(settings.broker_url).startswith("memory")


def _always(*_: object) -> bool:
    return True


_PASSAGES: tuple[tuple[str, str, str, Callable[..., bool]], ...] = (
    ("requests.sessions", "Session", "send", _to_the_web),
    ("httpx", "Client", "send", _over_tcp),
    ("httpx2", "Client", "send", _over_tcp),
    ("urllib.request", "OpenerDirector", "open", _to_the_web),
    ("urllib3.connectionpool", "HTTPConnectionPool", "urlopen", _of_urllib3),
    ("botocore.client", "BaseClient", "_make_api_call", _always),
    ("redis.client", "Redis", "execute_command", _not_on_this_machine),
    ("redis.client", "Pipeline", "execute", _not_on_this_machine),
    ("celery.app.task", "Task", "apply_async", _without_broker),
    ("celery.result", "EagerResult", "get", _always),
)
"""Module, class, method, and whether a call of it would leave this machine."""

MODULES = ("unittest.mock", *dict.fromkeys(module for module, *_ in _PASSAGES))
"""Which these functions look for."""
