"""The methods that every call of a blocking client goes through, whoever answers it.

A call that a mock answers (responses, respx, moto, a transport of the test's own) does not sleep and uses no socket:
only its entry into such a method can be seen.
"""

import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

_WEB = ("http://", "https://", "http+docker://", "http+unix://")
"""The last two go to a server of this machine, by a Unix socket."""


class Sent:
    """How many requests the clients of one thread have sent, by the client's method: an independent count.

    It needs no app, so it tells where a request went that nobody saw enter one.
    """

    def __init__(self) -> None:
        self._thread = 0
        self._counts: Counter[str] = Counter()

    def begin(self) -> None:
        """Count anew, on the calling thread."""
        self._thread = threading.get_ident()
        self._counts.clear()

    def note(self, owner: type, name: str) -> None:
        """A request is sent; on any thread."""
        if threading.get_ident() == self._thread:
            self._counts[f"{owner.__module__.partition('.')[0]}.{owner.__name__}.{name}"] += 1

    def most(self) -> tuple[str, int] | None:
        """The method that was called most often, the outermost of several; None where nothing was sent."""
        return max(self._counts.items(), key=lambda each: each[1], default=None)


SENT = Sent()
"""Of the thread that runs the watched test."""


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
    """Whether the request goes to a server, and not to a file."""
    url = request if isinstance(request, str) else getattr(request, "full_url", getattr(request, "url", ""))
    return isinstance(url, str) and url.lower().startswith(_WEB)


def _of_urllib3(pool: object, *_: object) -> bool:
    """The calls of the Docker client and of botocore are seen before they come here."""
    return type(pool).__module__.startswith("urllib3.")


def _without_broker(task: Any, *_: object) -> bool:
    """Whether the settings name no real broker. A real one may take a task without an answer, as a mock does."""
    settings = task.app.conf
    return bool(settings.task_always_eager) or str(settings.broker_url).startswith("memory")


def _always(*_: object) -> bool:
    return True


_ENTRY_POINTS: tuple[tuple[str, str, str, Callable[..., bool]], ...] = (
    ("requests.sessions", "Session", "send", _to_the_web),
    ("httpx", "Client", "send", _always),
    ("httpx2", "Client", "send", _always),
    ("urllib.request", "OpenerDirector", "open", _to_the_web),
    ("urllib3.connectionpool", "HTTPConnectionPool", "urlopen", _of_urllib3),
    ("botocore.client", "BaseClient", "_make_api_call", _always),
    ("redis.client", "Redis", "execute_command", _always),
    ("redis.client", "Pipeline", "execute", _always),
    ("celery.app.task", "Task", "apply_async", _without_broker),
    ("celery.result", "EagerResult", "get", _always),
)
"""Module, class, method, and whether a call of it would leave this machine.

This table answers: where can a client's call be seen even if a mock answers it? See `known_calls` for the other
tables of calls.
"""

MODULES = ("unittest.mock", *dict.fromkeys(module for module, *_ in _ENTRY_POINTS))
"""The modules of this table: once one more of them is imported, there is more to patch."""
