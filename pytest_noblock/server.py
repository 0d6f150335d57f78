"""The value of the `noblock_server` fixture: where the app is served."""

from typing import Protocol


class _Served(Protocol):
    @property
    def port(self) -> int: ...


class NoblockServer:
    """The app under uvicorn, in a thread of this process. Any client may talk to it: a browser, a websocket, curl."""

    host = "127.0.0.1"

    def __init__(self, served: _Served) -> None:
        self.port = served.port

    @property
    def url(self) -> str:
        """`http://127.0.0.1:54321`, without a slash at the end."""
        return f"http://{self.host}:{self.port}"

    def __repr__(self) -> str:
        return f"<noblock_server at {self.url}>"
