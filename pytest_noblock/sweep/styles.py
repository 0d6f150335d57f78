"""How a value of JSON stands in a path, a query, a header or a cookie: OpenAPI's `style` and `explode`."""

import json
from collections.abc import Mapping
from typing import Any

from pytest_noblock.sweep.schemas import Schema

_SEPARATORS = {"spaceDelimited": " ", "pipeDelimited": "|"}
"""Between the items of a list that is not exploded; else a comma."""


def plain(value: Any) -> str:
    """One value as text; a list or an object within another one as JSON."""
    if isinstance(value, bool) or value is None:
        return json.dumps(value) if value is not None else ""
    return json.dumps(value) if isinstance(value, list | Mapping) else str(value)


def in_path(name: str, value: Any, parameter: Schema) -> str:
    """In the styles `simple` (`7`), `label` (`.7`) and `matrix` (`;id=7`)."""
    style, explode = parameter.get("style", "simple"), parameter.get("explode", False) is True
    if style == "matrix":
        return _matrix(name, value, explode=explode)
    if style == "label":
        return "." + _joined(value, "." if explode else ",", explode=explode)
    return _joined(value, ",", explode=explode)


def _matrix(name: str, value: Any, *, explode: bool) -> str:
    if explode and isinstance(value, list):
        return "".join(f";{name}={plain(each)}" for each in value)
    if explode and isinstance(value, Mapping):
        return "".join(f";{key}={plain(each)}" for key, each in value.items())
    return f";{name}={_joined(value, ',', explode=False)}"


def in_query(name: str, value: Any, parameter: Schema) -> dict[str, str | list[str]]:
    """In the styles `form` (exploded where nothing else is said), `spaceDelimited`, `pipeDelimited`, `deepObject`."""
    style = parameter.get("style", "form")
    explode = parameter.get("explode", style == "form") is True
    if isinstance(value, Mapping):
        if style == "deepObject":
            return {f"{name}[{key}]": plain(each) for key, each in value.items()}
        if explode:
            return {key: _pairs(each) for key, each in value.items()}
    if isinstance(value, list) and explode:
        return {name: [plain(each) for each in value]}
    return {name: _joined(value, _SEPARATORS.get(style, ","), explode=False)}


def _pairs(value: Any) -> str | list[str]:
    return [plain(each) for each in value] if isinstance(value, list) else plain(value)


def in_header(value: Any, parameter: Schema) -> str:
    return _joined(value, ",", explode=parameter.get("explode", False) is True)


def _joined(value: Any, separator: str, *, explode: bool) -> str:
    if isinstance(value, list):
        return separator.join(map(plain, value))
    if isinstance(value, Mapping):
        between = "=" if explode else separator
        return separator.join(f"{key}{between}{plain(each)}" for key, each in value.items())
    return plain(value)
