"""Which findings of two runs are the same to the user: kind, route and place, and nothing that changes by itself.

No line number, no time, no count: whatever keeps a finding in a file (a baseline, a fingerprint of SARIF or GitLab)
keeps this.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

_INSTALLED = ("site-packages/", "dist-packages/")
"""Folders whose own path differs from machine to machine, and from Python to Python: `.tox/py312/lib/...`."""


class FindingIdentity(NamedTuple):
    """The part of a finding that stays the same from run to run."""

    kind: str
    route: str
    """Method and template, `GET /users/{id}`; the test's id where the request has no route."""
    file: str | None
    """As in `Finding.file`; of an installed package the part behind `site-packages/`."""
    function: str | None
    call: str | None

    @property
    def fingerprint(self) -> str:
        """64 hex digits, the same for the same identity on every machine."""
        from hashlib import sha256  # most runs ask for none

        return sha256("\0".join(each or "" for each in self).encode(errors="backslashreplace")).hexdigest()


def identity(kind: str, route: str, file: str | None, function: str | None, call: str | None) -> FindingIdentity:
    """The one place that makes an identity."""
    return FindingIdentity(kind, route, _portable(file), function, call)


def identity_of(check: Mapping[str, Any], finding: Mapping[str, Any]) -> FindingIdentity:
    """Of one entry of a JSON report's `findings`; `check`: the entry of `checks` that has it."""
    route = route_name(check["id"], check["request"], check["route"])
    return identity(finding["kind"], route, finding["file"], finding["function"], finding["call"])


def route_name(test: str, request: str, template: str | None) -> str:
    """`GET /users/{id}` of the request `GET /users/7`; the test's id where the request has no route."""
    return test if template is None else f"{request.partition(' ')[0]} {template}"


def _portable(file: str | None) -> str | None:
    if file is None:
        return None
    slashed = file.replace("\\", "/")
    return min((slashed.rpartition(folder)[2] for folder in _INSTALLED), key=len)
