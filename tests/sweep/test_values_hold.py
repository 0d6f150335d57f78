"""Values of any schema, beside the package that everybody validates with."""

import string

import pytest

from pytest_noblock.sweep.values import NoValue, accepts, value_for

jsonschema = pytest.importorskip("jsonschema")
hypothesis = pytest.importorskip("hypothesis")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

pytestmark = pytest.mark.one_python
SOME = settings(max_examples=150, deadline=None, database=None, suppress_health_check=list(hypothesis.HealthCheck))

NAMES = string.ascii_lowercase[:5]
FORMATS = ["date-time", "date", "uuid", "email", "ipv4", "ipv6", "uri", "duration", "hostname", "password"]
PATTERNS = ["^[a-f0-9]{8}$", "^(x|y)+z?$", r"^\d{3}-\w*$", "b", "^[^@ ]+@[^@ ]+$", r"\.(png|jpe?g)$"]


@st.composite
def bounds(draw, low, high, least, most):
    one, other = sorted((draw(st.integers(low, high)), draw(st.integers(low, high))))
    return {key: value for key, value in ((least, one), (most, other)) if draw(st.booleans())}


@st.composite
def integers(draw):
    schema = {"type": "integer", **draw(bounds(-50, 50, "minimum", "maximum"))}
    if draw(st.booleans()) and "maximum" not in schema:
        schema["multipleOf"] = draw(st.integers(1, 9))
    return schema


@st.composite
def numbers(draw):
    low = draw(st.integers(-40, 40)) / 4
    narrow = {"type": "number", "exclusiveMinimum": low, "exclusiveMaximum": low + 0.25}
    one = {"type": "number", "minimum": low, "maximum": low}
    return draw(st.sampled_from([narrow, one, {"type": "number", "multipleOf": 0.25, "minimum": low}]))


def texts():
    return st.one_of(
        bounds(0, 9, "minLength", "maxLength").map(lambda lengths: {"type": "string", **lengths}),
        st.sampled_from(FORMATS).map(lambda name: {"type": "string", "format": name}),
        st.sampled_from(PATTERNS).map(lambda pattern: {"type": "string", "pattern": pattern}),
        st.integers(0, 40).map(lambda least: {"type": "string", "pattern": "^[a-z]+$", "minLength": least}),
        st.lists(st.sampled_from(NAMES), min_size=1).map(lambda values: {"enum": values}),
        st.one_of(st.none(), st.integers(), st.text(max_size=3)).map(lambda value: {"const": value}),
    )


@st.composite
def arrays(draw, inner):
    least = draw(st.integers(0, 3))
    if draw(st.booleans()):
        return {"type": "array", "items": {"type": "string"}, "minItems": least, "uniqueItems": True}
    return {"type": "array", "items": draw(inner), "minItems": least, "maxItems": least + draw(st.integers(0, 2))}


@st.composite
def objects(draw, inner):
    properties = draw(st.dictionaries(st.sampled_from(NAMES), inner, max_size=3))
    required = draw(st.sets(st.sampled_from(NAMES), max_size=3))
    closed = draw(st.booleans()) and required <= properties.keys()
    return {
        "type": "object",
        "properties": properties,
        "required": sorted(required),
        "additionalProperties": not closed,
    }


@st.composite
def told_apart(draw, inner):
    """A union of which each value has one member only."""
    members = draw(st.lists(inner, min_size=1, max_size=3))
    return {
        "oneOf": [
            {"type": "object", "required": ["kind", "it"], "properties": {"kind": {"const": f"k{n}"}, "it": schema}}
            for n, schema in enumerate(members)
        ]
    }


def composed(inner):
    unions = st.lists(inner, min_size=1, max_size=3).map(lambda members: {"anyOf": members})
    return st.one_of(arrays(inner), objects(inner), unions, told_apart(inner))


LEAVES = st.one_of(integers(), numbers(), texts(), st.just({"type": "boolean"}), st.just({}), st.just(True))
SCHEMAS = st.recursive(LEAVES, composed, max_leaves=12)
"""Schemas that a value satisfies, each by the way it is made."""
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-60, 60), st.sampled_from([0.5, 1.0]), st.text(NAMES))
JSON = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(NAMES), inner)),
    max_leaves=8,
)


@SOME
@given(SCHEMAS)
def test_every_value_is_valid_by_its_schema(schema):
    value = value_for(schema, {})
    jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker()).validate(value)
    assert accepts(value, schema, {})


@SOME
@given(SCHEMAS, SCHEMAS)
def test_of_two_schemas_at_once_a_value_is_valid_by_both_or_there_is_none(one, other):
    """What `allOf` joins may contradict itself: then there is no value, and never a wrong one."""
    schema = {"allOf": [one, other]}
    try:
        value = value_for(schema, {})
    except NoValue:
        return
    jsonschema.Draft202012Validator(schema).validate(value)


@SOME
@given(JSON, SCHEMAS)
def test_what_the_check_says_is_what_jsonschema_says(value, schema):
    """The check of values and examples is our own, so that nothing has to be installed for it."""
    if "format" not in str(schema):
        assert accepts(value, schema, {}) == jsonschema.Draft202012Validator(schema).is_valid(value)
