"""Values of JSON schemas: valid, the same every time, and what somebody wrote first."""

import itertools
import json
import string

import pytest

from pytest_noblock.sweep.values import NoValue, accepts, value_for, written

pytestmark = pytest.mark.one_python


def tree(**more):
    return {
        "$defs": {
            "Node": {
                "type": "object",
                "required": ["name", "children", "parent"],
                "properties": {
                    "name": {"type": "string"},
                    "children": {"type": "array", "items": {"$ref": "#/$defs/Node"}},
                    "parent": {"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}]},
                },
            },
            **more,
        },
        "$ref": "#/$defs/Node",
    }


MADE = [
    # what is written comes first, if it is valid
    ({"type": "string", "examples": ["a", "b"], "example": "c", "default": "d"}, "a"),
    ({"type": "string", "example": "c", "default": "d"}, "c"),
    ({"type": "string", "default": "d", "enum": ["e", "d"]}, "d"),
    ({"type": "string", "enum": ["e", "d"]}, "e"),
    ({"type": "string", "const": "k"}, "k"),
    ({"type": "string", "format": "uuid", "example": "string"}, "00000000-0000-4000-8000-000000000001"),
    ({"type": "integer", "example": "three", "examples": [None, 3]}, 3),
    ({"type": "string", "maxLength": 3, "example": "too long"}, "a"),
    # scalars
    ({"type": "integer"}, 1),
    ({"type": "integer", "minimum": 5}, 5),
    ({"type": "integer", "exclusiveMinimum": 5}, 6),
    ({"type": "integer", "minimum": 5, "exclusiveMinimum": True}, 6),
    ({"type": "integer", "maximum": -3}, -3),
    ({"type": "integer", "exclusiveMaximum": 1}, 0),
    ({"type": "integer", "multipleOf": 7}, 7),
    ({"type": "integer", "multipleOf": 7, "maximum": 0}, 0),
    ({"type": "integer", "multipleOf": 7, "minimum": 8, "maximum": 20}, 14),
    ({"type": "integer", "multipleOf": 2.5}, 5),
    ({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}, 0.5),
    ({"type": "number", "minimum": 0.25, "maximum": 0.25}, 0.25),
    ({"type": "number", "multipleOf": 0.01, "maximum": 0.5}, 0),
    ({"type": "boolean"}, True),
    ({"type": "null"}, None),
    ({"type": ["null", "integer"]}, 1),
    ({"type": "string"}, "text"),
    ({"type": "string", "minLength": 10}, "textxxxxxx"),
    ({"type": "string", "maxLength": 0}, ""),
    ({"type": "string", "format": "password"}, "text"),
    ({"type": "string", "format": "date-time"}, "2024-01-02T03:04:05Z"),
    ({"type": "string", "format": "date"}, "2024-01-02"),
    ({"type": "string", "format": "email"}, "user@example.com"),
    ({"type": "string", "format": "byte"}, "dGV4dA=="),
    ({"type": "string", "contentMediaType": "application/json", "contentSchema": {"type": "integer"}}, "1"),
    ({"type": "string", "pattern": "^[A-Z]{3}-[0-9]{2,4}$"}, "AAA-00"),
    ({"type": "string", "pattern": "^[a-z]+$", "minLength": 5}, "aaaaa"),
    ({"type": "string", "pattern": r"^(?=.*[A-Z])(?=.*\d).{8,}$"}, "A0aaaaaa"),
    ({"type": "string", "pattern": r"^(\w)\1$"}, "aa"),
    ({"type": "string", "pattern": "^(?:yes|no)$"}, "yes"),
    ({"type": "string", "pattern": "^(?<year>\\d{4})$"}, "0000"),
    ({"type": "string", "pattern": "^[а-я]+$"}, "а"),
    ({"type": "string", "pattern": "^[^a-z/]+$", "maxLength": 1}, "A"),
    ({"type": "string", "pattern": "b", "minLength": 4}, "baaa"),
    # arrays
    ({"type": "array", "items": {"type": "integer"}}, [1]),
    ({"type": "array", "items": {"type": "integer"}, "maxItems": 0}, []),
    ({"type": "array", "items": {"type": "integer"}, "minItems": 3}, [1, 1, 1]),
    ({"type": "array", "items": {"type": "integer"}, "minItems": 3, "uniqueItems": True}, [1, 2, 3]),
    ({"type": "array", "items": {"enum": ["a", "b"]}, "minItems": 2, "uniqueItems": True}, ["a", "b"]),
    ({"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}], "minItems": 2}, [1, "text"]),
    ({"type": "array", "items": [{"type": "integer"}], "additionalItems": False}, [1]),
    ({"type": "array", "items": {"type": "integer"}, "contains": {"minimum": 5}}, [5]),
    # objects
    ({"type": "object"}, {}),
    ({"type": "object", "properties": {"a": {"type": "integer"}}}, {}),
    ({"type": "object", "properties": {"a": {"type": "integer", "example": 4}, "b": {}}}, {"a": 4}),
    ({"type": "object", "properties": {"a": {"type": "integer", "default": 4}}}, {}),
    ({"type": "object", "required": ["a"], "properties": {"a": {"type": "integer"}, "b": {}}}, {"a": 1}),
    ({"type": "object", "required": ["x"]}, {"x": "text"}),
    ({"type": "object", "required": ["x"], "additionalProperties": {"type": "integer"}}, {"x": 1}),
    ({"type": "object", "minProperties": 2, "additionalProperties": {"type": "integer"}}, {"key1": 1, "key2": 1}),
    ({"type": "object", "minProperties": 1, "patternProperties": {"^x-": {"type": "null"}}}, {"x-": None}),
    ({"type": "object", "minProperties": 1, "propertyNames": {"pattern": "^[A-Z]{2}$"}}, {"AA": "text"}),
    (
        {
            "type": "object",
            "required": ["a"],
            "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
            "dependentRequired": {"a": ["b"]},
        },
        {"a": 1, "b": 1},
    ),
    ({"type": "object", "required": ["id"], "properties": {"id": {"type": "integer", "readOnly": True}}}, NoValue),
    ({"properties": {"a": {"type": "integer"}}, "required": ["a"]}, {"a": 1}),
    # compositions
    ({"allOf": [{"type": "integer", "minimum": 3}, {"multipleOf": 4}]}, 4),
    ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, 1),
    ({"type": "string", "nullable": True, "enum": ["a"]}, "a"),
    ({"oneOf": [{"type": "integer"}, {"type": "number"}]}, 1.5),
    ({"oneOf": [{"multipleOf": 2}, {"multipleOf": 3}], "type": "integer"}, 2),
    ({"type": "integer", "not": {"maximum": 3}}, 4),
    ({"if": {"const": 1}, "then": {"const": 1}, "else": {"type": "string"}, "type": ["string", "integer"]}, 1),
    (
        {
            "allOf": [
                {"type": "object", "required": ["a"], "properties": {"a": {"type": "integer"}}},
                {"type": "object", "required": ["b"], "properties": {"a": {"minimum": 3}, "b": {"const": True}}},
            ]
        },
        {"a": 3, "b": True},
    ),
    (tree(), {"name": "text", "children": [], "parent": None}),
    # what cannot be
    ({"type": "integer", "minimum": 2, "maximum": 1}, NoValue),
    ({"type": "string", "pattern": r"^\p{L}+$"}, NoValue),
    ({"allOf": [{"type": "string"}, {"type": "integer"}]}, NoValue),
    (False, NoValue),
    ({"$ref": "#/nowhere"}, NoValue),
    ({"$ref": "other.yaml#/X"}, NoValue),
    ({"type": "string", "minLength": 10**9}, NoValue),
    ({"type": "array", "minItems": 10**9}, NoValue),
    ({"type": "object", "minProperties": 10**9}, NoValue),
    ({"type": "string", "pattern": "^((a{1000}){1000}){1000}$"}, NoValue),
    ({"enum": []}, NoValue),
]


def shown(case: object) -> str:
    return json.dumps(case)[:60]


@pytest.mark.parametrize(("schema", "expected"), MADE, ids=lambda case: shown(case) if isinstance(case, dict) else "")
def test_the_value_is_this_one(schema, expected):
    document = schema if isinstance(schema, dict) else {}
    if expected is NoValue:
        with pytest.raises(NoValue):
            value_for(schema, document)
    else:
        made = value_for(schema, document)
        assert (made, type(made)) == (expected, type(expected))
        assert made == value_for(schema, document)


def test_why_there_is_none_is_said_in_words():
    with pytest.raises(NoValue, match=r"^no text is known for its pattern '\^\\\\p\{L\}\+\$'$"):
        value_for({"type": "string", "pattern": r"^\p{L}+$"}, {})
    with pytest.raises(NoValue, match="^its schema cannot be followed: nothing is found at #/components/schemas/Gone$"):
        value_for({"$ref": "#/components/schemas/Gone"}, {})


def test_a_path_is_never_filled_with_an_empty_text():
    assert value_for({"type": "string", "enum": ["", "a"]}, {}, filled=True) == "a"
    with pytest.raises(NoValue):
        value_for({"type": "string", "maxLength": 0}, {}, filled=True)


def test_a_discriminator_says_which_member_it_is():
    """Hand-written documents tell the members apart by the name of the schema only."""
    document = {
        "components": {
            "schemas": {
                "Cat": {"type": "object", "required": ["kind"], "properties": {"kind": {"type": "string"}}},
                "Dog": {"type": "object", "required": ["kind"], "properties": {"kind": {"type": "string"}}},
            }
        }
    }
    refs = [{"$ref": "#/components/schemas/Cat"}, {"$ref": "#/components/schemas/Dog"}]
    union = {"anyOf": refs, "discriminator": {"propertyName": "kind"}}
    assert value_for(union, document) == {"kind": "Cat"}
    mapped = {"propertyName": "kind", "mapping": {"small": "#/components/schemas/Cat"}}
    assert value_for({"anyOf": refs, "discriminator": mapped}, document) == {"kind": "small"}


def test_a_recursion_that_never_ends_is_no_value_and_takes_no_time():
    schema = {"$defs": {"A": {"type": "object", "required": ["a"], "properties": {"a": {"$ref": "#/$defs/A"}}}}}
    with pytest.raises(NoValue):
        value_for({"$ref": "#/$defs/A"}, schema)
    circle = {"$defs": {"A": {"$ref": "#/$defs/B"}, "B": {"$ref": "#/$defs/A"}}}
    with pytest.raises(NoValue):
        value_for({"$ref": "#/$defs/A"}, circle)


def test_an_expression_ends_with_what_has_no_parts():
    expression = {"oneOf": [{"$ref": "#/$defs/Add"}, {"$ref": "#/$defs/Leaf"}]}
    add = {
        "type": "object",
        "required": ["left", "right"],
        "properties": {"left": {"$ref": "#/$defs/Expression"}, "right": {"$ref": "#/$defs/Expression"}},
    }
    leaf = {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}
    document = {"$defs": {"Expression": expression, "Add": add, "Leaf": leaf}}
    assert value_for({"$ref": "#/$defs/Expression"}, document) == {"left": {"n": 1}, "right": {"n": 1}}


@pytest.mark.parametrize("broken", [{"type": 7}, {"enum": 3}, {"properties": [1]}, {"required": 4}, {"minimum": "x"}])
def test_a_schema_that_is_none_is_no_value(broken):
    """A document is somebody's text."""
    try:
        value_for({"type": "object", **broken}, {})
        value_for({"type": "integer", **broken}, {})
    except NoValue:
        pass


def test_a_value_that_is_written_is_told_from_one_that_is_made():
    assert written({"type": "string", "enum": ["a"]}, {})
    assert written({"$ref": "#/a"}, {"a": {"type": "integer", "default": 3}})
    assert not written({"type": "string"}, {})
    assert not written({"type": "integer", "example": "three"}, {})


# The rest compares with the package that everybody validates with.

_NAMES = string.ascii_lowercase[:5]


def _bounded(draw, st, low, high, least, most):
    one, other = sorted((draw(st.integers(low, high)), draw(st.integers(low, high))))
    return {key: value for key, value in ((least, one), (most, other)) if draw(st.booleans())}


def _schemas():
    """Schemas that a value satisfies, each by the way it is made."""
    from hypothesis import strategies as st

    @st.composite
    def integers(draw):
        schema = {"type": "integer", **_bounded(draw, st, -50, 50, "minimum", "maximum")}
        if draw(st.booleans()) and "maximum" not in schema:
            schema["multipleOf"] = draw(st.integers(1, 9))
        return schema

    @st.composite
    def numbers(draw):
        low = draw(st.integers(-40, 40)) / 4
        return draw(
            st.sampled_from(
                [
                    {"type": "number", "exclusiveMinimum": low, "exclusiveMaximum": low + 0.25},
                    {"type": "number", "minimum": low, "maximum": low},
                    {"type": "number", "multipleOf": 0.25, "minimum": low},
                ]
            )
        )

    @st.composite
    def texts(draw):
        formats = ["date-time", "date", "uuid", "email", "ipv4", "ipv6", "uri", "duration", "hostname", "password"]
        patterns = ["^[a-f0-9]{8}$", "^(x|y)+z?$", r"^\d{3}-\w*$", "b", "^[^@ ]+@[^@ ]+$", r"\.(png|jpe?g)$"]
        return draw(
            st.sampled_from(
                [
                    {"type": "string", **_bounded(draw, st, 0, 9, "minLength", "maxLength")},
                    {"type": "string", "format": draw(st.sampled_from(formats))},
                    {"type": "string", "pattern": draw(st.sampled_from(patterns))},
                    {"type": "string", "pattern": "^[a-z]+$", "minLength": draw(st.integers(0, 40))},
                    {"enum": draw(st.lists(st.sampled_from(_NAMES), min_size=1))},
                    {"const": draw(st.one_of(st.none(), st.integers(), st.text(max_size=3)))},
                ]
            )
        )

    def arrays(inner):
        plain = st.builds(
            lambda items, least, more: {"type": "array", "items": items, "minItems": least, "maxItems": least + more},
            inner,
            st.integers(0, 3),
            st.integers(0, 3),
        )
        unique = st.builds(
            lambda least: {"type": "array", "items": {"type": "string"}, "minItems": least, "uniqueItems": True},
            st.integers(0, 5),
        )
        return st.one_of(plain, unique)

    def objects(inner):
        return st.builds(
            lambda properties, required, closed: {
                "type": "object",
                "properties": properties,
                "required": sorted(required),
                "additionalProperties": not closed or not required <= properties.keys(),
            },
            st.dictionaries(st.sampled_from(_NAMES), inner, max_size=3),
            st.sets(st.sampled_from(_NAMES), max_size=3),
            st.booleans(),
        )

    def unions(inner):
        return st.builds(lambda members: {"anyOf": members}, st.lists(inner, min_size=1, max_size=3))

    def told_apart(inner):
        def member(n, schema):
            return {
                "type": "object",
                "required": ["kind", "it"],
                "properties": {"kind": {"const": f"k{n}"}, "it": schema},
            }

        return st.builds(
            lambda members: {"oneOf": list(itertools.starmap(member, enumerate(members)))},
            st.lists(inner, min_size=1, max_size=3),
        )

    leaves = st.one_of(integers(), numbers(), texts(), st.just({"type": "boolean"}), st.just({}), st.just(True))
    return st.recursive(
        leaves, lambda inner: st.one_of(*(kind(inner) for kind in (arrays, objects, unions, told_apart)))
    )


def test_every_value_is_valid_by_its_schema():
    jsonschema, hypothesis = pytest.importorskip("jsonschema"), pytest.importorskip("hypothesis")

    @hypothesis.settings(max_examples=300, deadline=None, database=None)
    @hypothesis.given(_schemas())
    def holds(schema):
        value = value_for(schema, {})
        checker = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())
        checker.validate(value)
        assert accepts(value, schema, {})

    holds()


def test_of_two_schemas_at_once_a_value_is_valid_by_both_or_there_is_none():
    """What `allOf` joins may contradict itself: then there is no value, and never a wrong one."""
    jsonschema, hypothesis = pytest.importorskip("jsonschema"), pytest.importorskip("hypothesis")
    made = []

    @hypothesis.settings(max_examples=300, deadline=None, database=None)
    @hypothesis.given(_schemas(), _schemas())
    def holds(one, other):
        schema = {"allOf": [one, other]}
        try:
            value = value_for(schema, {})
        except NoValue:
            return
        made.append(value)
        jsonschema.Draft202012Validator(schema).validate(value)

    holds()
    assert len(made) > 50


def test_what_the_check_says_is_what_jsonschema_says():
    jsonschema, hypothesis = pytest.importorskip("jsonschema"), pytest.importorskip("hypothesis")
    from hypothesis import strategies as st

    values = st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(-60, 60), st.sampled_from([0.5, 1.0]), st.text(_NAMES)),
        lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(_NAMES), inner)),
    )

    @hypothesis.settings(max_examples=400, deadline=None, database=None)
    @hypothesis.given(values, _schemas())
    def holds(value, schema):
        checker = jsonschema.Draft202012Validator(schema)
        if "format" not in str(schema):
            assert accepts(value, schema, {}) == checker.is_valid(value)

    holds()
