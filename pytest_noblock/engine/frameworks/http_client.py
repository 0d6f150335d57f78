"""The `httpx` of the project: what `noblock.get` sends with, and whose responses it returns.

That is `httpx2` where it is installed and Starlette's test client prefers it (seen in 1.6 to 1.10), else `httpx`. A
suite then has one kind of response, whichever client sent the request. What is named `httpx` in this package is this.
"""

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

__all__ = ["BUILT", "adopted", "httpx"]

BUILT = ("content", "data", "files", "json", "params", "headers", "cookies", "extensions")
"""The arguments that httpx reads when it builds a request; the others it reads when it sends one."""


def _of_the_project() -> Any:
    if _starlette_prefers_httpx2():
        try:
            import httpx2
        except ImportError:
            pass
        else:
            return httpx2
    import httpx

    return httpx


def _starlette_prefers_httpx2() -> bool:
    """Asked of its file: to import the test client warns where `httpx2` is missing."""
    loaded = sys.modules.get("starlette.testclient")
    if loaded is not None:
        return getattr(getattr(loaded, "httpx", None), "__name__", "") == "httpx2"
    try:
        spec = find_spec("starlette")
        file = Path((spec and spec.origin) or "").with_name("testclient.py")
        return b"import httpx2" in file.read_bytes()
    except (ImportError, ValueError, OSError):  # there is no Starlette, or none that has files
        return False


if TYPE_CHECKING:
    import httpx
else:
    httpx = _of_the_project()


def adopted(value: Any) -> Any:
    """The value as the client takes it: a test may have an object of `httpx` where the client is of `httpx2`."""
    kinds = {
        kind.__name__
        for kind in type(value).__mro__
        if (package := kind.__module__.partition(".")[0]) in ("httpx", "httpx2") and package != httpx.__name__
    }
    if "Timeout" in kinds:
        return httpx.Timeout(**value.as_dict())
    if "URL" in kinds:
        return httpx.URL(str(value))
    if "Cookies" in kinds:
        return httpx.Cookies(value.jar)
    return _Auth(value) if "Auth" in kinds else value


class _Auth(httpx.Auth):
    """An `Auth` of the other package: it reads and changes a request, whosever that is."""

    def __init__(self, given: Any) -> None:
        self._given = given

    def sync_auth_flow(self, request: Any) -> Any:
        return self._given.sync_auth_flow(request)

    def async_auth_flow(self, request: Any) -> Any:
        return self._given.async_auth_flow(request)
