"""Values of JSON schemas: valid, the same every time, and what somebody wrote first."""

import json

import pytest

from pytest_noblock.sweep.values import NoValue, value_for, written

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
    ({"type": "string", "pattern": "^[ж-я]+$"}, "ж"),
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
    (
        {"type": "object", "required": ["homeUrl", "id"], "properties": {"homeUrl": {"type": "string"}}},
        {"homeUrl": "https://example.com/", "id": "1"},
    ),
    (
        {"type": "object", "required": ["email"], "properties": {"email": {"type": "string", "pattern": "^a+$"}}},
        {"email": "a"},
    ),
    (
        {"type": "object", "required": ["email"], "properties": {"email": {"type": "string", "maxLength": 3}}},
        {"email": "a"},
    ),
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
    ({"allOf": [{"type": "integer", "multipleOf": 97}, {"multipleOf": 89}]}, 8633),
    ({"allOf": [{"type": "object", "required": ["x"]}, {"required": ["y"]}]}, {"x": "text", "y": "text"}),
    ({"type": "string", "pattern": r"^\p{L}$", "nullable": True}, None),
    (
        {
            "$defs": {
                "Node": {
                    "type": "object",
                    "required": ["next"],
                    "properties": {"next": {"allOf": [{"$ref": "#/$defs/Node"}], "nullable": True}},
                }
            },
            "$ref": "#/$defs/Node",
        },
        {"next": {"next": {"next": None}}},
    ),
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
    with pytest.raises(
        NoValue, match=r"^its schema cannot be followed: nothing is found at #/components/schemas/Gone$"
    ):
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
    for union in ("anyOf", "oneOf"):
        assert value_for({union: refs, "discriminator": {"propertyName": "kind"}}, document) == {"kind": "Cat"}
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
