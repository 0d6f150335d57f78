"""Does a value satisfy a schema? The check of a made value, and of an example that somebody wrote."""

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

from pytest_noblock.sweep.formats import has_format
from pytest_noblock.sweep.patterns import compiled
from pytest_noblock.sweep.schemas import Impossible, Schema, Schemas, as_schema, same


def is_valid(value: Any, schema: object, schemas: Schemas) -> bool:
    """Whether the value satisfies the schema. Raises TooMuch for one that goes round in circles."""
    schemas.spend()
    plain = as_schema(schema)
    if value is None and plain.get("nullable") is True:
        return True
    if not (_COMPOSED.isdisjoint(plain) or _is_composed_of(value, plain, schemas)):
        return False
    if not _has_type(value, plain.get("type")):
        return False
    if "enum" in plain and not any(same(value, each) for each in plain["enum"]):
        return False
    if "const" in plain and not same(value, plain["const"]):
        return False
    check = next((check for kind, check in _BY_TYPE if isinstance(value, kind)), None)
    return check is None or isinstance(value, bool) or check(value, plain, schemas)


_COMPOSED = {"$ref", "allOf", "anyOf", "oneOf", "not", "if"}


def _is_composed_of(value: Any, plain: Schema, schemas: Schemas) -> bool:
    """`$ref`, `allOf`, `anyOf`, `oneOf`, `not` and `if`."""
    reference = plain.get("$ref")
    if isinstance(reference, str):
        try:
            if not is_valid(value, schemas.target(reference), schemas):
                return False
        except Impossible:
            return False
    valid = [is_valid(value, each, schemas) for each in plain.get("allOf") or ()]
    if "anyOf" in plain:
        valid.append(any(is_valid(value, each, schemas) for each in plain["anyOf"]))
    if "oneOf" in plain:
        fitting = sum(is_valid(value, each, schemas) for each in plain["oneOf"])
        valid.append(fitting == 1 or (fitting > 1 and "discriminator" in plain))  # it says which of them is meant
    if "not" in plain:
        valid.append(not is_valid(value, plain["not"], schemas))
    if "if" in plain:
        branch = "then" if is_valid(value, plain["if"], schemas) else "else"
        valid.append(is_valid(value, plain.get(branch, True), schemas))
    return all(valid)


def _has_type(value: Any, wanted: object) -> bool:
    names = [wanted] if isinstance(wanted, str) else wanted if isinstance(wanted, list) else None
    return names is None or any(_is_of(value, name) for name in names)


def _is_of(value: Any, name: object) -> bool:
    if name == "null":
        return value is None
    if isinstance(value, bool):
        return name == "boolean"
    if name == "integer":
        return isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    return isinstance(value, _CLASSES.get(str(name), ()))


_CLASSES: Mapping[str, Any] = {"number": (int, float), "string": str, "array": list, "object": Mapping}


def _is_number(value: Any, plain: Schema, _schemas: Schemas) -> bool:
    step = plain.get("multipleOf")
    return (
        value >= plain.get("minimum", value)
        and value <= plain.get("maximum", value)
        and ("exclusiveMinimum" not in plain or value > plain["exclusiveMinimum"])
        and ("exclusiveMaximum" not in plain or value < plain["exclusiveMaximum"])
        and (not step or Fraction(str(value)) % Fraction(str(step)) == 0)
    )


def _is_text(value: str, plain: Schema, _schemas: Schemas) -> bool:
    if not plain.get("minLength", 0) <= len(value) <= plain.get("maxLength", len(value)):
        return False
    if "pattern" in plain:
        pattern = compiled(plain["pattern"])
        if pattern is None or not pattern.search(value):
            return False
    return has_format(value, plain.get("format"))


def _is_array(value: list[Any], plain: Schema, schemas: Schemas) -> bool:
    if not plain.get("minItems", 0) <= len(value) <= plain.get("maxItems", len(value)):
        return False
    first, rest = tuple_of(plain)
    expected = [*first[: len(value)], *([rest] * (len(value) - len(first)))]
    if not all(is_valid(each, schema, schemas) for each, schema in zip(value, expected, strict=True)):
        return False
    if plain.get("uniqueItems") and any(same(*pair) for pair in _pairs(value)):
        return False
    if "contains" not in plain:
        return True
    held = sum(is_valid(each, plain["contains"], schemas) for each in value)
    return bool(plain.get("minContains", 1) <= held <= plain.get("maxContains", held))


def tuple_of(plain: Schema) -> tuple[list[Any], Any]:
    """The schemas of the first items, each its own, and that of all others. Before 2020 `items` was a list for that."""
    items = plain.get("items", True)
    if isinstance(items, list):
        return items, plain.get("additionalItems", True)
    return plain.get("prefixItems") or [], items


def _pairs(value: list[Any]) -> list[tuple[Any, Any]]:
    return [(one, other) for place, one in enumerate(value) for other in value[place + 1 :]]


def _is_object(value: Mapping[str, Any], plain: Schema, schemas: Schemas) -> bool:
    if not plain.get("minProperties", 0) <= len(value) <= plain.get("maxProperties", len(value)):
        return False
    needed = [*(plain.get("required") or ())]
    for name, others in (plain.get("dependentRequired") or {}).items():
        needed += others if name in value else ()
    if not all(name in value for name in needed):
        return False
    if "propertyNames" in plain and not all(is_valid(name, plain["propertyNames"], schemas) for name in value):
        return False
    return all(is_valid(each, schema, schemas) for name, each in value.items() for schema in schemas_of(name, plain))


def schemas_of(name: str, plain: Schema) -> list[Any]:
    """The schemas that a property has to satisfy."""
    found = [plain["properties"][name]] if name in (plain.get("properties") or {}) else []
    for pattern, schema in (plain.get("patternProperties") or {}).items():
        known = compiled(pattern)
        if known is not None and known.search(name):
            found.append(schema)
    return found or [plain.get("additionalProperties", True)]


_BY_TYPE: tuple[tuple[Any, Callable[[Any, Schema, Schemas], bool]], ...] = (
    (str, _is_text),
    ((int, float), _is_number),
    (list, _is_array),
    (Mapping, _is_object),
)
