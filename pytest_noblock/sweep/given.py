"""What the user gives the sweep's requests: `--noblock-param` and `--noblock-header`, and their ini options."""

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from pytest_noblock.model import shown
from pytest_noblock.sweep.route import variables as variables_of

_VARIABLE = re.compile(r"\$(?:\{([A-Za-z_]\w*)\}|([A-Za-z_]\w*))")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""RFC 9110, 5.6.2: a token."""


class WrongValue(ValueError):
    """An option is written wrong. The message is a whole sentence for the user."""


@dataclass(frozen=True, slots=True)
class Values:
    """Values by the name of a parameter, and headers. Its `repr` shows names only: the values may be secret."""

    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    """The value of each variable of the environment that was used, by the variable's name."""
    in_queries: frozenset[str] = frozenset()
    """The names of `params` that go into the query of a route whose parameters nobody describes."""

    def for_routes(self, paths: Iterable[str]) -> "Values":
        """Of all routes of the app. What is a variable of one path is meant for that path, and for no query."""
        variables = {name for path in paths for name in variables_of(path)}
        return replace(self, in_queries=frozenset(self.params) - variables)

    @classmethod
    def read(
        cls, params: Iterable[str] = (), headers: Iterable[str] = (), environment: Mapping[str, str] | None = None
    ) -> "Values":
        """Of options such as `user_id=1` and `Authorization: Bearer $TOKEN`; the last one of a name holds.

        Raises WrongValue.
        """
        reader = _Reader(os.environ if environment is None else environment)
        return cls(
            dict(reader.param(each) for each in params),
            dict(reader.header(each) for each in headers),
            reader.used,
        )

    def hidden(self, text: str) -> str:
        """The text, with `$NAME` where the value of a variable of the environment stood: fit to be printed."""
        for name, value in sorted(self.secrets.items(), key=lambda each: -len(each[1])):
            text = text.replace(value, f"${name}") if value else text
        return text

    def __repr__(self) -> str:
        return f"<Values: {', '.join((*self.params, *self.headers)) or 'none'}>"


class _Reader:
    """Reads options, and keeps which variables of the environment they name."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self.used: dict[str, str] = {}

    def param(self, text: str) -> tuple[str, str]:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise WrongValue(
                f"--noblock-param={shown.one_line(name or text, 80)} is not of the form NAME=VALUE, as in user_id=1"
            )
        return name.strip(), self._filled(value, f"--noblock-param={name.strip()}=...")

    def header(self, text: str) -> tuple[str, str]:
        name, colon, value = text.partition(":")
        if not colon or not _HEADER_NAME.fullmatch(name.strip()):
            raise WrongValue(
                f'--noblock-header="{shown.one_line(name, 80)}" is not of the form NAME: VALUE, '
                f'as in "Authorization: Bearer $TOKEN"'
            )
        filled = self._filled(value.strip(), f'--noblock-header="{name.strip()}: ..."')
        if not filled.isprintable():
            raise WrongValue(
                f'--noblock-header="{name.strip()}: ...": its value holds a line break, or another '
                "character that no header can hold"
            )
        return name.strip(), filled

    def _filled(self, value: str, option: str) -> str:
        """The value, with each `$NAME` and `${NAME}` taken from the environment."""

        def of_environment(found: re.Match[str]) -> str:
            name = found[1] or found[2]
            if name not in self._environment:
                raise WrongValue(f"{option}: the environment has no variable {name}")
            self.used[name] = self._environment[name]
            return self.used[name]

        return _VARIABLE.sub(of_environment, value)
