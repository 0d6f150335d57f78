"""Candidates for a JSON schema, the best first: what somebody wrote, then what is made of types and formats."""

import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pytest_noblock.sweep.formats import text_called, text_of
from pytest_noblock.sweep.numeric import integers, numbers
from pytest_noblock.sweep.patterns import texts_of
from pytest_noblock.sweep.schemas import Impossible, Schema, Schemas, Stack, as_schema, same, types_of
from pytest_noblock.sweep.valid import is_valid, schemas_of, tuple_of

CALLED = "x-noblock-called"
"""In a schema: the name of what it describes, which tells an address from any other text."""
_MOST_TRIES = 60
"""So many candidates of one schema are checked."""
_MOST_TEXTS = 30
"""So many different texts, numbers and objects of one schema are made."""
_VARIANTS = 4
"""So many objects are made that differ in all of their properties."""
_LONGEST = 10_000
"""Characters, items or properties. A schema that asks for more is given no value."""


def valid_values(schema: object, schemas: Schemas, stack: Stack) -> Iterator[Any]:
    """Different values that are valid by the schema, the best first."""
    seen: list[Any] = []
    for value in itertools.islice(_candidates(schema, schemas, stack), _MOST_TRIES):
        if is_valid(value, schema, schemas) and not any(same(value, known) for known in seen):
            seen.append(value)
            yield value


def _candidates(schema: object, schemas: Schemas, stack: Stack) -> Iterator[Any]:
    """Candidates of each way to satisfy the schema; first all that the first way yields, but for a bounded number."""
    try:
        for flat, inside in schemas.flattened(schema, stack):
            yield from itertools.islice(_of_flat(flat, schemas, inside), _MOST_TRIES // 2)
    except Impossible:
        return


def _of_flat(flat: Schema, schemas: Schemas, stack: Stack) -> Iterator[Any]:
    yield from written_in(flat)
    if "const" in flat:
        yield flat["const"]
    elif "enum" in flat:
        yield from flat["enum"]
    else:
        turns = [itertools.islice(_of_type(name, flat, schemas, stack), _MOST_TEXTS) for name in types_of(flat)]
        yield from itertools.chain.from_iterable(turns)


def written_in(flat: Schema) -> Iterator[Any]:
    """What somebody wrote as a value."""
    examples = flat.get("examples")
    if isinstance(examples, Mapping):  # as OpenAPI writes those of a parameter
        examples = [each.get("value") if isinstance(each, Mapping) else each for each in examples.values()]
    yield from examples if isinstance(examples, list) else ()
    for key in ("example", "default"):
        if key in flat:
            yield flat[key]


def _of_type(name: str, flat: Schema, schemas: Schemas, stack: Stack) -> Iterable[Any]:
    schemas.spend()
    if name in ("array", "object"):
        return _arrays(flat, schemas, stack) if name == "array" else _objects(flat, schemas, stack)
    if name in ("integer", "number"):
        return integers(flat) if name == "integer" else numbers(flat)
    return _texts(flat, schemas) if name == "string" else (True, False) if name == "boolean" else (None,)


def _texts(flat: Schema, schemas: Schemas) -> Iterator[str]:
    least, most = flat.get("minLength", 0), flat.get("maxLength", _LONGEST)
    if least > _LONGEST:
        return
    if flat.get("contentMediaType") == "application/json" and "contentSchema" in flat:
        yield from _json_texts(flat["contentSchema"], schemas)
    formatted = (text_of(flat.get("format"), n) for n in range(_MOST_TEXTS // 2))
    yield from (text for text in formatted if text is not None)
    if "pattern" in flat:
        yield from texts_of(flat["pattern"], least, variants=_MOST_TEXTS // 2)
    else:
        called = text_called(flat.get(CALLED))
        yield from (called,) if called is not None else ()
        yield from _words(least, most)


def _json_texts(schema: object, schemas: Schemas) -> Iterator[str]:
    import json

    yield from map(json.dumps, valid_values(schema, schemas, ()))


def _words(least: int, most: int) -> Iterator[str]:
    """`text`, `text2`, as long as asked for."""
    for n in range(_MOST_TEXTS):
        word = ("text" if n == 0 else f"text{n + 1}").ljust(least, "x")
        yield word if len(word) <= most else _letters(n, max(least, 1))[:most]


def _letters(n: int, length: int) -> str:
    """The n-th of the texts of this length: `aaa`, `baa`, ..., `aba`."""
    text = ""
    for _ in range(length):
        n, letter = divmod(n, 26)
        text += chr(ord("a") + letter)
    return text


def _arrays(flat: Schema, schemas: Schemas, stack: Stack) -> Iterator[list[Any]]:
    """First one item, even where none is needed: more of the endpoint runs. Then no more than must be."""
    first, rest = tuple_of(flat)
    least, most = flat.get("minItems", 0), flat.get("maxItems", _LONGEST)
    wanted = min(max(least, len(first), 1), most)
    if max(wanted, least) > _LONGEST:
        return
    if as_schema(rest).get("$ref") in stack:  # the leaf of a tree has no branches
        wanted = least
    for variant in range(_VARIANTS):
        for count in dict.fromkeys((wanted, least)):
            items = _items(count, flat, schemas, stack, variant)
            if items is not None:
                yield items


def _items(count: int, flat: Schema, schemas: Schemas, stack: Stack, variant: int) -> list[Any] | None:
    """So many items, all different where they must be; None where there are not enough."""
    first, rest = tuple_of(flat)
    made = [] if first else _contained(flat, schemas, stack)[:count]
    for schema in first[:count]:
        found = _nth(schema, schemas, stack, variant)
        if not found:
            return None
        made += found
    missing = count - len(made)
    if missing <= 0:
        return made
    if flat.get("uniqueItems"):
        others = (each for each in valid_values(rest, schemas, stack) if not any(same(each, known) for known in made))
        more = list(itertools.islice(others, variant, variant + missing))
        return made + more if len(more) == missing else None
    found = _nth(rest, schemas, stack, variant)
    return made + found * missing if found else None


def _contained(flat: Schema, schemas: Schemas, stack: Stack) -> list[Any]:
    """Items that `contains` asks for."""
    if "contains" not in flat:
        return []
    needed = int(flat.get("minContains", 1))
    both = {"allOf": [tuple_of(flat)[1], flat["contains"]]}
    if flat.get("uniqueItems"):
        return list(itertools.islice(valid_values(both, schemas, stack), needed))
    return list(itertools.islice(valid_values(both, schemas, stack), 1)) * needed


def _nth(schema: object, schemas: Schemas, stack: Stack, n: int) -> list[Any]:
    """The n-th valid value in a list of its own; the last where there are fewer, an empty list where there is none."""
    last: list[Any] = []
    for value in itertools.islice(valid_values(schema, schemas, stack), n + 1):
        last = [value]
    return last


def _objects(flat: Schema, schemas: Schemas, stack: Stack) -> Iterator[dict[str, Any]]:
    """First what must be and what has an example; then others, for the one that a union tells apart."""
    properties = {name: as_schema(each) for name, each in (flat.get("properties") or {}).items()}
    required = [name for name in flat.get("required") or () if not _is_read_only(properties.get(name), schemas)]
    examples = [name for name, each in properties.items() if name not in required and _has_example(each, schemas)]
    optional = [name for name, each in properties.items() if not _is_read_only(each, schemas)]
    for variant in range(_VARIANTS):
        for names in ([*required, *examples], required, [*required, *optional]):
            made = _object(dict.fromkeys(names), flat, schemas, stack, variant)
            if made is not None:
                yield made


def _object(names: Iterable[str], flat: Schema, schemas: Schemas, stack: Stack, variant: int) -> dict[str, Any] | None:
    required = set(flat.get("required") or ())
    made: dict[str, Any] = {}
    for name in _with_dependents(names, flat):
        found = _nth({"allOf": schemas_of(name, flat), CALLED: name}, schemas, stack, variant)
        if found:
            made[name] = found[0]
        elif name in required:
            return None
    for name in _more_names(flat, schemas):
        if len(made) >= flat.get("minProperties", 0):
            break
        found = _nth({"allOf": schemas_of(name, flat)}, schemas, stack, variant)
        if name not in made and found:
            made[name] = found[0]
    return made


def _with_dependents(names: Iterable[str], flat: Schema) -> list[str]:
    """The names, and those that must be there beside them."""
    known = list(names)
    dependents = flat.get("dependentRequired") or {}
    for name in known:  # it grows while it is read
        known += [each for each in dependents.get(name) or () if each not in known]
    return known


def _more_names(flat: Schema, schemas: Schemas) -> Iterator[str]:
    """Names for as many properties as an object needs: its own, then new ones."""
    if flat.get("minProperties", 0) > _LONGEST:
        return
    yield from flat.get("properties") or ()
    for pattern in flat.get("patternProperties") or ():
        yield from texts_of(pattern, variants=_MOST_TEXTS)
    named = flat.get("propertyNames")
    if named is not None:
        yield from (each for each in valid_values({"allOf": [{"type": "string"}, named]}, schemas, ()))
    yield from (f"key{n}" for n in range(1, flat.get("minProperties", 0) + 1))


def _is_read_only(schema: Schema | None, schemas: Schemas) -> bool:
    """Whether the property is in answers only: by OpenAPI no request has it, required or not."""
    return _anywhere("readOnly", schema, schemas) is True


def _has_example(schema: Schema, schemas: Schemas) -> bool:
    return any(_anywhere(key, schema, schemas) is not None for key in ("example", "examples"))


def _anywhere(key: str, schema: Schema | None, schemas: Schemas) -> Any:
    """What the schema, or the one that it refers to, has under the key."""
    if schema is None:
        return None
    if key in schema or not isinstance(schema.get("$ref"), str):
        return schema.get(key)
    try:
        return schemas.target(schema["$ref"]).get(key)
    except Impossible:
        return None
