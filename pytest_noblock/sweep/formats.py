"""Texts of a format: `date-time`, `uuid`, `email`. The n-th of each is always the same one."""

import base64
import datetime as dt
import ipaddress
import re
import uuid
from collections.abc import Callable, Mapping

_DAY = dt.date(2024, 1, 2)


def _uuid(version: int) -> Callable[[int], str]:
    return lambda n: f"00000000-0000-{version}000-8000-{n + 1:012d}"


def _base64(n: int) -> str:
    return base64.b64encode(f"text{n or ''}".encode()).decode()


def _duration(n: int) -> str:
    return f"P{n + 1}D"


_MAKE: Mapping[str, Callable[[int], str]] = {
    "date-time": lambda n: f"{_DAY + dt.timedelta(n)}T03:04:05Z",
    "date": lambda n: f"{_DAY + dt.timedelta(n)}",
    "time": lambda n: f"03:{n // 60 % 60:02d}:{n % 60:02d}Z",
    "duration": _duration,
    "timedelta": _duration,
    "email": lambda n: f"user{n or ''}@example.com",
    "idn-email": lambda n: f"user{n or ''}@example.com",
    "name-email": lambda n: f"User <user{n or ''}@example.com>",
    "hostname": lambda n: f"host{n or ''}.example.com",
    "idn-hostname": lambda n: f"host{n or ''}.example.com",
    "uri": lambda n: f"https://example.com/{n or ''}",
    "url": lambda n: f"https://example.com/{n or ''}",
    "iri": lambda n: f"https://example.com/{n or ''}",
    "uri-reference": lambda n: f"/text{n or ''}",
    "iri-reference": lambda n: f"/text{n or ''}",
    "uri-template": lambda n: f"/text{n or ''}/{{id}}",
    "multi-host-uri": lambda n: f"postgresql://user@example.com:5432/text{n or ''}",
    "ipv4": lambda n: f"192.0.2.{n % 254 + 1}",
    "ipv6": lambda n: f"2001:db8::{n + 1:x}",
    "ipvanyaddress": lambda n: f"192.0.2.{n % 254 + 1}",
    "ipv4interface": lambda n: f"192.0.2.{n % 254 + 1}/24",
    "ipv6interface": lambda n: f"2001:db8::{n + 1:x}/64",
    "ipvanyinterface": lambda n: f"192.0.2.{n % 254 + 1}/24",
    "ipv4network": lambda n: f"192.0.{n % 255}.0/24",
    "ipv6network": lambda n: f"2001:db8:{n:x}::/48",
    "ipvanynetwork": lambda n: f"192.0.{n % 255}.0/24",
    "byte": _base64,
    "base64": _base64,
    "base64url": _base64,
    "json-string": lambda n: f"{n + 1}",
    "json-pointer": lambda n: f"/text{n or ''}",
    "relative-json-pointer": lambda n: f"{n}",
    "regex": lambda n: f"text{n or ''}",
    "color": lambda n: f"#{n % 0x1000000:06x}",
    "decimal": lambda n: f"{n + 1}",
    "directory-path": lambda _: "/",
    "uuid": _uuid(4),
    "uuid1": _uuid(1),
    "uuid3": _uuid(3),
    "uuid4": _uuid(4),
    "uuid5": _uuid(5),
    "uuid6": _uuid(6),
    "uuid7": _uuid(7),
    "uuid8": _uuid(8),
}


def text_of(name: object, n: int) -> str | None:
    """The n-th text of the format; None for a format that says nothing of the text, as `password`."""
    make = _MAKE.get(name) if isinstance(name, str) else None
    return None if make is None else make(n)


_CALLED: Mapping[str, str] = {
    **dict.fromkeys(("id", "ids", "pk"), "1"),
    **dict.fromkeys(("email", "mail"), "email"),
    **dict.fromkeys(("url", "uri", "link", "website", "homepage"), "uri"),
    **dict.fromkeys(("uuid", "guid"), "uuid"),
    **dict.fromkeys(("date", "day", "birthday"), "date"),
    **dict.fromkeys(("datetime", "timestamp", "at"), "date-time"),
    **dict.fromkeys(("hostname", "domain"), "hostname"),
    **dict.fromkeys(("phone", "telephone"), "+12025550123"),
    "ip": "ipv4",
}
"""What a text is, most likely, by the last word of its name, where its schema says no more than that it is a text: the
name of a format, or the text itself."""


def text_called(name: object) -> str | None:
    """`1` for `user_id` and `userId`, an address for `email`; None for a name that says nothing."""
    words = re.findall(r"[a-z]+|[A-Z]+[a-z]*", name) if isinstance(name, str) else []
    meant = _CALLED.get(words[-1].lower()) if words else None
    return None if meant is None else text_of(meant, 0) or meant


_READ: Mapping[str, Callable[[str], object]] = {
    "date-time": dt.datetime.fromisoformat,
    "date": dt.date.fromisoformat,
    "time": dt.time.fromisoformat,
    "email": lambda text: text.index("@"),
    "uri": lambda text: text.index(":"),
    "ipv4": ipaddress.IPv4Address,
    "ipv6": ipaddress.IPv6Address,
    "uuid": uuid.UUID,
}


def has_format(text: str, name: object) -> bool:
    """Whether the text is of the format, as far as the standard library tells. It keeps out the example "string"."""
    read = _READ.get(name) if isinstance(name, str) else None
    if read is None:
        return True
    try:
        read(text)
    except ValueError:
        return False
    return True
