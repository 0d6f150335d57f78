"""A uvicorn server in a thread of the test's process, on a free port of 127.0.0.1.

Read of uvicorn (0.30 to 0.54): `Server.started`, `should_exit`, `force_exit`; `run(sockets=...)` leaves by SystemExit
where the app's lifespan fails, and why that was stands in the log `uvicorn.error` alone.
"""

import logging
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pytest_noblock.engine.asgi.lifespan import LIMIT_S, LifespanFailed, sits_at
from pytest_noblock.engine.current_frames import current_frames
from pytest_noblock.engine.errors import shown
from pytest_noblock.engine.exchange import ASGIApp
from pytest_noblock.engine.now import now, sleep
from pytest_noblock.engine.raw_stacks import capture
from pytest_noblock.engine.usercode import UserCode

if TYPE_CHECKING:
    import uvicorn

_EVERY_S = 0.005
_LET_END_S = 3
"""Seconds that open connections and requests have to end when the server stops; then their tasks are cancelled."""
_LOG = "uvicorn.error"


class NoServer(Exception):
    """uvicorn is not installed; the message is a whole sentence."""


class ServerThread:
    """`start`, then `stop`; both raise LifespanFailed. What cannot be stopped is left a daemon."""

    def __init__(self, app: ASGIApp, user: UserCode) -> None:
        """Raises NoServer."""
        self.app = app
        self._user = user
        self._server = _server(app)
        self._socket = socket.socket()
        self._thread = threading.Thread(target=self._run, name="noblock server", daemon=True)
        self._ended_by: BaseException | None = None

    @property
    def port(self) -> int:
        port: int = self._socket.getsockname()[1]
        return port

    @property
    def usable(self) -> bool:
        return self._thread.is_alive() and not self._server.should_exit

    def start(self) -> None:
        self._socket.bind(("127.0.0.1", 0))
        with _errors_logged() as errors:
            self._thread.start()
            if not self._until(lambda: self._server.started or not self._thread.is_alive()):
                self._server.should_exit = True
                raise LifespanFailed(f"the app did not start under uvicorn within {LIMIT_S} s{self._sits()}")
        if not self._server.started:
            self._socket.close()
            raise LifespanFailed(f"the app did not start under uvicorn: {self._why(errors)}")

    def stop(self) -> None:
        with _errors_logged() as errors:
            self._server.should_exit = True
            if not self._until(lambda: not self._thread.is_alive()):
                self._server.force_exit = True
                raise LifespanFailed(f"the server could not be stopped within {LIMIT_S} s{self._sits()}")
        self._socket.close()
        if self._server.lifespan.shutdown_failed or self._ended_by is not None:
            raise LifespanFailed(f"the app did not stop under uvicorn: {self._why(errors)}")

    def _run(self) -> None:
        try:
            self._server.run(sockets=[self._socket])
        except BaseException as error:  # noqa: BLE001  # told to whoever starts or stops it
            self._ended_by = error

    def _until(self, holds: Callable[[], bool]) -> bool:
        until = now() + LIMIT_S * 10**9
        while not holds():
            if now() > until:
                return False
            sleep(_EVERY_S)
        return True

    def _why(self, errors: list[str]) -> str:
        if errors:
            return errors[0]
        return "its log says why" if self._ended_by is None else shown(self._ended_by)

    def _sits(self) -> str:
        return sits_at(capture(current_frames().get(self._thread.ident or 0)), self._user)


def _server(app: ASGIApp) -> "uvicorn.Server":
    try:
        import uvicorn
    except ImportError as error:
        raise NoServer(f"noblock_server needs uvicorn ({error}): pip install 'pytest-noblock[server]'") from None
    config = uvicorn.Config(
        app,
        interface="asgi3",
        loop="asyncio",  # whose turns are counted
        log_config=None,  # the test's own logging stays as it is
        access_log=False,
        timeout_graceful_shutdown=_LET_END_S,
    )
    return uvicorn.Server(config)


@contextmanager
def _errors_logged() -> Iterator[list[str]]:
    """What uvicorn logs as an error in the block: of an exception, or of a traceback in words, the last line."""
    errors: list[str] = []

    class Listening(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            error = record.exc_info[1] if record.exc_info else None
            lines = record.getMessage().strip().splitlines() or [""]
            errors.append(lines[-1] if error is None else shown(error))

    handler = Listening(logging.ERROR)
    log = logging.getLogger(_LOG)
    log.addHandler(handler)
    try:
        yield errors
    finally:
        log.removeHandler(handler)
