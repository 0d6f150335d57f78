"""Whether this is a CI, where nobody can mend a list of known findings."""

from collections.abc import Mapping

_NOT_SET = ("", "0", "false")
"""What the environment variable `CI` says where it says that this is no CI."""


def in_ci(environ: Mapping[str, str]) -> bool:
    return environ.get("CI", "").lower() not in _NOT_SET
