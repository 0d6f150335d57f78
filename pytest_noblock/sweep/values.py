"""A value for a JSON schema: always the same one, and valid by the schema, or none.

What somebody wrote comes first: `examples`, `example`, `default`, `enum`. An object has what it must have, and what has
an example. Every value is checked before it is given: an example that is invalid is passed over.
"""

import itertools
from collections.abc import Mapping
from typing import Any

from pytest_noblock.sweep.candidates import valid_values, written_in
from pytest_noblock.sweep.schemas import Impossible, Schema, Schemas, TooMuch, as_schema
from pytest_noblock.sweep.valid import is_valid


class NoValue(Exception):
    """No value can be made. The message says why; it follows the name of what is missing."""


def value_for(schema: object, document: Mapping[str, Any], *, filled: bool = False) -> Any:
    """A value that is valid by the schema; `document` has what its references name. Raises NoValue.

    `filled`: an empty text, which no path can hold, is no value.
    """
    schemas = Schemas(document, as_schema(schema))
    try:
        for value in valid_values(schema, schemas, ()):
            if not filled or value not in ("", None):
                return value
    except TooMuch:
        raise NoValue("its schema is too intricate to make a value of") from None
    except (TypeError, ValueError, AttributeError, KeyError, OverflowError, ArithmeticError) as error:
        raise NoValue(f"its schema cannot be read: {type(error).__name__}") from error
    raise NoValue(_why(schema, schemas))


def written(schema: object, document: Mapping[str, Any]) -> bool:
    """Whether somebody wrote a value that is valid by the schema: an example, a default, an enumeration."""
    schemas = Schemas(document, as_schema(schema))
    try:
        return any(
            is_valid(value, schema, schemas)
            for flat, _ in schemas.flattened(schema)
            for value in itertools.chain(written_in(flat), flat.get("enum") or ())
        )
    except (TooMuch, Impossible, TypeError, ValueError, AttributeError, KeyError):
        return False


def accepts(value: object, schema: object, document: Mapping[str, Any]) -> bool:
    """Whether the value is valid by the schema."""
    try:
        return is_valid(value, schema, Schemas(document, as_schema(schema)))
    except (TooMuch, TypeError, ValueError, AttributeError, KeyError, ArithmeticError):
        return False


def property_of(schema: object, name: str, document: Mapping[str, Any]) -> Schema | None:
    """The schema of the object's property, where it names one."""
    schemas = Schemas(document, as_schema(schema))
    try:
        for flat, _ in schemas.flattened(schema):
            if name in (flat.get("properties") or {}):
                return as_schema(flat["properties"][name])
    except (TooMuch, Impossible):
        return None
    return None


def _why(schema: object, schemas: Schemas) -> str:
    try:
        flat = next(iter(schemas.flattened(schema)), ({}, ()))[0]
    except (TooMuch, Impossible) as problem:
        return f"its schema cannot be followed: {problem}" if str(problem) else "its schema cannot be followed"
    for word in ("pattern", "format"):
        if word in flat:
            return f"no text is known for its {word} {flat[word]!r}"
    return "no value is valid by its schema"
