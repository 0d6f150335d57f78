"""What the command line and the ini file say of a sweep, read before anything runs."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

import pytest

from pytest_noblock.model.required import Required
from pytest_noblock.plugin import options

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_noblock.sweep.given import Values

_METHODS = "GET,HEAD"
_KNOWN = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE")


class SweepOptions(NamedTuple):
    """What is swept, and with what."""

    app: object
    """The app itself, or `pkg.mod:app`."""
    methods: tuple[str, ...]
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    values: "Values"
    openapi: str | None
    """A file, or a path of the app."""


def read(config: pytest.Config) -> SweepOptions:
    """Raises UsageError."""
    required(config)
    return SweepOptions(
        _app(config),
        _methods(options.value_of(config, "methods") or _METHODS),
        _several(config, "include"),
        _several(config, "exclude"),
        _values(config),
        cast("str | None", options.value_of(config, "openapi")),
    )


def required(config: pytest.Config) -> Required:
    """Raises UsageError."""
    given = options.value_of(config, "require")
    if given is None:
        return Required(None, "at least one")
    text = str(given)
    try:
        return Required.read(text)
    except ValueError as problem:
        raise pytest.UsageError(f"--noblock-require: {text.strip()!r} {problem}") from None


def document(given: str | None, folder: Path) -> "Mapping[str, object] | None":
    """The OpenAPI document in this file; None where no file is named. Raises UsageError."""
    if given is None or _is_path_of_app(given, folder):
        return None
    from pytest_noblock.sweep.openapi import Unreadable, load

    try:
        return load(folder / given)
    except Unreadable as problem:
        raise pytest.UsageError(f"--noblock-openapi: {problem}") from None


def path_of_document(given: str | None, folder: Path) -> str | None:
    """The path at which the app itself answers its document; None where no such path is named."""
    return given if given is not None and _is_path_of_app(given, folder) else None


def _is_path_of_app(given: str, folder: Path) -> bool:
    return given.startswith("/") and not (folder / given).exists()


def _app(config: pytest.Config) -> object:
    named = options.value_of(config, "sweep") or options.of_run(config).app
    if named is None:
        raise pytest.UsageError(
            "--noblock-sweep does not know the app: write --noblock-sweep=pkg.mod:app, or set the ini option "
            'noblock_app = "pkg.mod:app"'
        )
    return named


def _methods(given: object) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(each.strip().upper() for each in str(given).split(",") if each.strip()))
    wrong = [each for each in names if each not in _KNOWN]
    if wrong or not names:
        raise pytest.UsageError(
            f"--noblock-methods: {', '.join(wrong) or 'nothing'} is not a list of methods, as GET,HEAD,POST"
        )
    return names


def _several(config: pytest.Config, name: str) -> tuple[str, ...]:
    given = cast("list[str]", options.value_of(config, name) or [])
    return tuple(glob.strip() for each in given for glob in each.split(",") if glob.strip())


def _values(config: pytest.Config) -> "Values":
    from pytest_noblock.sweep.given import Values, WrongValue

    def both(name: str) -> list[str]:
        """The command line adds to the ini file, and holds where both name one."""
        given = cast("list[str] | None", config.getoption(f"noblock_{name}"))
        return [*cast("list[str]", config.getini(f"noblock_{name}")), *(given or [])]

    try:
        return Values.read(both("param"), both("header"), os.environ)
    except WrongValue as mistake:
        raise pytest.UsageError(str(mistake)) from None
