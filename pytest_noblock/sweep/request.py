"""The request that a route is sent. A conftest.py may change anything of it before it is sent."""

from dataclasses import dataclass, field
from typing import Any

File = tuple[str | None, str | bytes, str] | tuple[str | None, str | bytes]
"""Name, content and media type of one part of a multipart form; a part without a file name is a plain field."""


@dataclass(slots=True)
class Request:
    """What httpx is given, under httpx's names. At most one of `json`, `content` and `data`/`files` is set."""

    url: str
    """The path, with all of its variables filled in and quoted: `/users/7`."""
    params: dict[str, str | list[str]] = field(default_factory=dict)
    """The query; a list is sent as one pair for each of its values."""
    headers: dict[str, str] = field(default_factory=dict)
    cookies: dict[str, str] = field(default_factory=dict)
    json: Any = None
    data: dict[str, Any] | None = None
    files: dict[str, File] | list[tuple[str, File]] | None = None
    """A list where one name comes more than once."""
    content: bytes | None = None

    def __repr__(self) -> str:
        """Only the names: a header, a cookie, a variable of the path may be secret."""
        named: dict[str, dict[str, Any]] = {"params": self.params, "headers": self.headers, "cookies": self.cookies}
        given = [f"{name}: {', '.join(values)}" for name, values in named.items() if values]
        bodies = {"json": self.json, "data": self.data, "files": self.files, "content": self.content}
        given += [name for name, body in bodies.items() if body is not None]
        return f"<Request: {'; '.join(given) or 'nothing but its path'}>"
