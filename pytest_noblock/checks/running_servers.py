"""The servers that `noblock_server` runs, until the fixture's scope ends."""

from pytest_noblock.engine.asgi.lifespan import LifespanFailed
from pytest_noblock.engine.asgi.server_thread import ServerThread
from pytest_noblock.engine.exchange import ASGIApp
from pytest_noblock.engine.frameworks import starlette
from pytest_noblock.engine.usercode import UserCode


class RunningServers:
    """Starts a server for an app when the first test asks for it."""

    def __init__(self, root: str) -> None:
        """`root` is pytest's rootdir: files below it are shown relative to it."""
        self._root = root
        self._running: dict[int, ServerThread] = {}

    def server(self, app: ASGIApp) -> ServerThread:
        """Raises LifespanFailed, and NoServer where uvicorn is not installed."""
        running = self._running.get(id(app))  # the server keeps the app, so nothing else gets its id
        if running is None or not running.usable:
            running = ServerThread(app, UserCode(self._root, starlette.packages_of(app)))
            running.start()
            self._running[id(app)] = running
        return running

    def stop(self) -> list[str]:
        """Stops every server. Returns one sentence for each that could not be stopped, or whose app failed."""
        failures = []
        for running in self._running.values():
            try:
                running.stop()
            except LifespanFailed as error:
                failures.append(str(error))
        self._running.clear()
        return failures
