"""JSON schemas as OpenAPI 3.0 and 3.1 write them: references followed, compositions made flat."""

import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from typing import Any

from pytest_noblock.sweep.openapi import target

Schema = Mapping[str, Any]
Stack = tuple[str, ...]
"""The references that were followed on the way to a schema."""

_MOST_ALTERNATIVES = 20
"""So many of the ways to satisfy a schema are tried: a union has rarely more, and one of them is enough."""
_MOST_RETURNS = 2
"""So many times a reference is followed again within itself: `Tree` in `Tree` shows all that a recursion can."""
_COMPOSED = ("$ref", "allOf", "anyOf", "oneOf", "if", "then", "else", "nullable", "discriminator")
_TYPES = ("object", "array", "string", "integer", "number", "boolean", "null")


class Impossible(Exception):
    """No value satisfies two schemas at once."""


class TooMuch(Exception):
    """A schema asks for more work than a request is worth."""


class Schemas:
    """The schemas of one document, and how much work may still go into one value."""

    def __init__(self, document: Mapping[str, Any], root: Schema | None = None, work: int = 50_000) -> None:
        """`root`: a schema that brings its own `$defs`; references that the document has not are looked up there."""
        self.document = document
        self._root = root or {}
        self._work = work
        self._targets: dict[str, Schema] = {}

    def spend(self) -> None:
        self._work -= 1
        if self._work < 0:
            raise TooMuch

    def target(self, reference: str) -> Schema:
        if reference not in self._targets:
            found = target(reference, self.document)
            found = target(reference, self._root) if found is None else found
            if found is None:
                raise Impossible(f"nothing is found at {reference}")
            self._targets[reference] = as_schema(found)
        return self._targets[reference]

    def flattened(self, schema: object, stack: Stack = ()) -> Iterator[tuple[Schema, Stack]]:
        """The ways to satisfy the schema, each a schema without references and compositions; those of a union in turn.

        `not`, and what two members of `allOf` say of the same text, is left to a check of the value.
        """
        self.spend()
        plain = as_schema(schema)
        parts = [list(itertools.islice(each, _MOST_ALTERNATIVES)) for each in self._parts(plain, stack)]
        own = {key: value for key, value in plain.items() if key not in _COMPOSED}
        for chosen in itertools.product(*parts):
            self.spend()
            try:
                yield _joined(own, chosen, stack)
            except Impossible:
                continue
        if plain.get("nullable") is True:
            yield {"type": "null"}, stack

    def _parts(self, plain: Schema, stack: Stack) -> Iterator[Iterator[tuple[Schema, Stack]]]:
        reference = plain.get("$ref")
        if isinstance(reference, str):
            yield self._referred(reference, stack)
        for each in plain.get("allOf") or ():
            yield self.flattened(each, stack)
        for key in ("anyOf", "oneOf"):
            if isinstance(plain.get(key), list):
                yield self._any_of(plain, plain[key], stack)
        if "if" in plain:
            met = {"allOf": [plain["if"], plain.get("then", {})]}
            unmet = {"allOf": [plain.get("else", {}), {"not": plain["if"]}]}
            yield self._any_of({}, [met, unmet], stack)

    def _referred(self, reference: str, stack: Stack) -> Iterator[tuple[Schema, Stack]]:
        if stack.count(reference) <= _MOST_RETURNS:
            yield from self.flattened(self.target(reference), (*stack, reference))

    def _any_of(self, plain: Schema, members: list[Any], stack: Stack) -> Iterator[tuple[Schema, Stack]]:
        for member in sorted(members, key=lambda each: as_schema(each).get("$ref") in stack):  # what ends goes first
            told = _discriminated(plain.get("discriminator"), as_schema(member).get("$ref"))
            yield from self.flattened(member if told is None else {"allOf": [member, told]}, stack)


def _discriminated(discriminator: object, reference: object) -> Schema | None:
    """What tells this member of a union from the others: its name in the property that the discriminator names."""
    if not isinstance(discriminator, Mapping) or not isinstance(reference, str):
        return None
    name, mapping = discriminator.get("propertyName"), discriminator.get("mapping") or {}
    own = reference.rpartition("/")[2]
    keys = [key for key, named in mapping.items() if named in (reference, own)] or [own]
    return {"type": "object", "properties": {name: {"enum": keys}}, "required": [name]}


def _joined(own: Schema, chosen: tuple[tuple[Schema, Stack], ...], stack: Stack) -> tuple[Schema, Stack]:
    schema: Schema = own
    for part, through in chosen:
        schema = _both(schema, part)
        stack = max(stack, through, key=len)
    return schema, stack


def as_schema(schema: object) -> Schema:
    """`true` is the schema of everything, `false` of nothing. Bounds as OpenAPI 3.0 writes them become those of 3.1."""
    if type(schema) is not dict and not isinstance(schema, Mapping):  # asking for a Mapping is ten times as slow
        return {"not": {}} if schema is False else {}
    if isinstance(schema.get("exclusiveMinimum"), bool) or isinstance(schema.get("exclusiveMaximum"), bool):
        return _with_bounds(dict(schema))
    return schema


def _with_bounds(schema: dict[str, Any]) -> Schema:
    for inclusive, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        if isinstance(schema.get(exclusive), bool):
            excluded = schema.pop(exclusive)
            if excluded and inclusive in schema:
                schema[exclusive] = schema.pop(inclusive)
    return schema


def types_of(schema: Schema) -> tuple[str, ...]:
    """The types that the schema allows, `null` last; where it names none, those that its keywords speak of."""
    given = schema.get("type")
    if isinstance(given, str):
        return (given,)
    if isinstance(given, list):
        return tuple(sorted((each for each in given if each in _TYPES), key=lambda each: each == "null"))
    spoken = tuple(name for name, words in _SPOKEN.items() if not words.isdisjoint(schema))
    return spoken or ("string", "object", "integer", "array", "boolean", "null")


_SPOKEN: Mapping[str, set[str]] = {
    "object": {"properties", "required", "additionalProperties", "patternProperties", "minProperties"},
    "array": {"items", "prefixItems", "minItems", "maxItems", "uniqueItems", "contains"},
    "string": {"pattern", "format", "minLength", "maxLength", "contentMediaType", "contentEncoding"},
    "number": {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"},
}


def same(one: object, other: object) -> bool:
    """Whether two values of JSON are equal: `true` is not 1, and 1.0 is."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    return bool(one == other)


def _both(one: Schema, other: Schema) -> Schema:
    """The schema that asks for what both ask for. Raises Impossible where that is plain to see."""
    if not one or not other:
        return one or other
    joined = dict(one)
    for key, value in other.items():
        joined[key] = _JOIN.get(key, _first)(one[key], value) if key in one else value
    return joined


def _first(one: Any, _other: Any) -> Any:
    return one


def _all_of(one: Any, other: Any) -> Any:
    return one if one == other else {"allOf": [one, other]}


def _each_of(one: Any, other: Any) -> Any:
    return {**one, **{key: _all_of(one[key], value) if key in one else value for key, value in other.items()}}


def _in_turn(one: Any, other: Any) -> Any:
    return [_all_of(*pair) for pair in itertools.zip_longest(one, other, fillvalue=True)]


def _union(one: Any, other: Any) -> Any:
    return list(dict.fromkeys([*one, *other]))


def _types(one: Any, other: Any) -> Any:
    ones, others = types_of({"type": one}), types_of({"type": other})
    common = [each for each in ones if each in others or (each == "integer" and "number" in others)]
    common += [each for each in others if each == "integer" and "number" in ones and each not in common]
    if not common:
        raise Impossible("no value has two types")
    return common


def _enum(one: Any, other: Any) -> Any:
    return [each for each in one if any(same(each, known) for known in other)]


def _const(one: Any, other: Any) -> Any:
    if not same(one, other):
        raise Impossible("no value is two constants")
    return one


def _multiple(one: Any, other: Any) -> Any:
    first, second = Fraction(str(one)), Fraction(str(other))
    common = Fraction(math.lcm(first.numerator, second.numerator), math.gcd(first.denominator, second.denominator))
    return int(common) if common.denominator == 1 else float(common)


def _neither(one: Any, other: Any) -> Any:
    return {"anyOf": [one, other]}


_JOIN: Mapping[str, Callable[[Any, Any], Any]] = {
    **dict.fromkeys(("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties", "minContains"), max),
    **dict.fromkeys(("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties", "maxContains"), min),
    **dict.fromkeys(("items", "additionalProperties", "propertyNames", "contains"), _all_of),
    **dict.fromkeys(("properties", "patternProperties"), _each_of),
    "prefixItems": _in_turn,
    "required": _union,
    "type": _types,
    "enum": _enum,
    "const": _const,
    "multipleOf": _multiple,
    "not": _neither,
    "uniqueItems": lambda one, other: one or other,
}
