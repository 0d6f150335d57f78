"""The body of a request, by what the operation's `requestBody` says: JSON, a form, files, text."""

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pytest_noblock.sweep.given import Values
from pytest_noblock.sweep.openapi import Document, resolved
from pytest_noblock.sweep.request import File, Request
from pytest_noblock.sweep.schemas import Schema, as_schema
from pytest_noblock.sweep.styles import plain
from pytest_noblock.sweep.values import NoValue, accepts, property_of, value_for

_WITHOUT_BODY = ("GET", "HEAD", "OPTIONS", "TRACE")
"""Methods whose body is sent only where it must be."""
_PNG = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII=")
"""A picture of one pixel."""
_FILES: tuple[tuple[str, File], ...] = (
    ("image/", ("image.png", _PNG, "image/png")),
    ("text/csv", ("table.csv", b"id,name\n1,text\n", "text/csv")),
    ("application/json", ("object.json", b"{}", "application/json")),
    ("text/", ("text.txt", b"text\n", "text/plain")),
)
"""What is uploaded where a part asks for a type that begins so; else a text that claims to be nothing."""
_ANY_FILE: File = ("text.txt", b"text\n", "application/octet-stream")


def add_body(request: Request, method: str, body: Schema, document: Document, values: Values) -> None:
    """Give the request a body. Raises NoValue where it must have one, and none can be made."""
    content = body.get("content")
    required = body.get("required") is True
    if not isinstance(content, Mapping) or not content or (method in _WITHOUT_BODY and not required):
        return
    problem = None
    for kind in sorted(content, key=_rank):
        try:
            _WRITERS[_rank(kind)](request, kind, resolved(content[kind], document), document, values)
        except NoValue as error:
            problem = problem or error
        else:
            return
    if required and problem is not None:
        raise problem


def _rank(kind: str) -> int:
    """Which media types are tried first."""
    name = kind.partition(";")[0].strip().lower()
    if name == "application/json" or name.endswith("+json"):
        return 0
    if name == "application/x-www-form-urlencoded":
        return 1
    if name.startswith("multipart/"):
        return 2
    return 3 if name.startswith("text/") else 4 if name in _OF_BYTES else 5


_OF_BYTES = ("application/octet-stream", "*/*")


def _write_json(request: Request, kind: str, media: Schema, document: Document, values: Values) -> None:
    value = _value(media, document, values)
    if kind.partition(";")[0].strip().lower() == "application/json" and value is not None:
        request.json = value
    else:
        request.content = json.dumps(value).encode()
        request.headers["Content-Type"] = "application/json" if kind.startswith("application/json") else kind


def _write_form(request: Request, kind: str, media: Schema, document: Document, values: Values) -> None:
    made = _object(media, document, values)
    fields = dict(_fields(made))
    if any(_holds_files(name, media, document) for name in made):  # FastAPI names this type for a model with files
        _write_multipart(request, kind, media, document, values)
    elif fields:
        request.data = fields
    else:
        request.content = b""
        request.headers["Content-Type"] = kind


def _write_multipart(request: Request, _kind: str, media: Schema, document: Document, values: Values) -> None:
    made = _object(media, document, values)
    parts: list[tuple[str, File]] = []
    for name, value in made.items():
        schema = property_of(media.get("schema"), name, document) or {}
        parts += [(name, each) for each in _parts(name, value, schema, media, document)]
    names = [name for name, _ in parts]
    request.files = dict(parts) if len(set(names)) == len(names) else parts


def _parts(name: str, value: Any, schema: Schema, media: Schema, document: Document) -> Iterator[File]:
    """A property as parts of a multipart form: each item of a list is one."""
    if isinstance(value, list):
        item = {"allOf": [schema]}
        for each in value:
            yield from _parts(name, each, _item_of(item, document), media, document)
    elif isinstance(value, str) and _is_file(schema, document):
        yield _file(_told_type(name, schema, media, document))
    elif isinstance(value, Mapping):
        yield (None, json.dumps(value), "application/json")
    elif value is not None:
        yield (None, plain(value))


def _item_of(schema: Schema, document: Document) -> Schema:
    from pytest_noblock.sweep.schemas import Schemas

    for flat, _ in Schemas(document, schema).flattened(schema):
        if "items" in flat:
            return as_schema(flat["items"])
    return {}


def _holds_files(name: str, media: Schema, document: Document) -> bool:
    schema = property_of(media.get("schema"), name, document) or {}
    return _is_file(schema, document) or _is_file(_item_of(schema, document), document)


def _is_file(schema: Schema, document: Document) -> bool:
    return any(_told(schema, document, "format") == name for name in ("binary", "byte-stream")) or (
        _told(schema, document, "contentMediaType") not in (None, "application/json")
        and _told(schema, document, "contentEncoding") is None
    )


def _told(schema: Schema, document: Document, key: str) -> Any:
    """What one of the ways to satisfy the schema says under the key."""
    from pytest_noblock.sweep.schemas import Schemas

    ways = Schemas(document, schema).flattened(schema)
    return next((flat[key] for flat, _ in ways if key in flat), None)


def _told_type(name: str, schema: Schema, media: Schema, document: Document) -> str:
    encoding = media.get("encoding")
    own = encoding.get(name) if isinstance(encoding, Mapping) else None
    told = own.get("contentType") if isinstance(own, Mapping) else _told(schema, document, "contentMediaType")
    return told.partition(",")[0].strip() if isinstance(told, str) else ""


def _file(kind: str) -> File:
    found = next((file for begin, file in _FILES if kind.startswith(begin)), None)
    if found is None:
        return _ANY_FILE if not kind or "*" in kind else (_ANY_FILE[0], _ANY_FILE[1], kind)
    return found


def _write_text(request: Request, kind: str, media: Schema, document: Document, values: Values) -> None:
    value = _value({"schema": {"type": "string"}, **media}, document, values)
    request.content = plain(value).encode()
    request.headers["Content-Type"] = kind if "*" not in kind else "text/plain"


def _write_bytes(request: Request, kind: str, _media: Schema, _document: Document, _values: Values) -> None:
    request.content = b"text\n"
    request.headers["Content-Type"] = kind if "*" not in kind else "application/octet-stream"


def _write_example(request: Request, kind: str, media: Schema, document: Document, _values: Values) -> None:
    """Of a media type that nothing is known of, as XML, only what somebody wrote can be sent."""
    text = next((each for each in examples_of(media, document) if isinstance(each, str)), None)
    if text is None:
        raise NoValue(f"a body of the type {kind} cannot be made without an example")
    request.content = text.encode()
    request.headers["Content-Type"] = kind


_Writer = Callable[[Request, str, Schema, Document, Values], None]
_WRITERS: tuple[_Writer, ...] = (
    _write_json,
    _write_form,
    _write_multipart,
    _write_text,
    _write_bytes,
    _write_example,
)
"""By `_rank`."""


def examples_of(thing: Schema, document: Document) -> Iterator[Any]:
    """The examples of a parameter or a media type: what stands beside its schema."""
    examples = thing.get("examples")
    if isinstance(examples, Mapping):
        yield from (found["value"] for each in examples.values() if "value" in (found := resolved(each, document)))
    elif isinstance(examples, list):
        yield from examples
    if "example" in thing:
        yield thing["example"]


def _value(media: Schema, document: Document, values: Values) -> Any:
    """An example that is valid, else a value by the schema; with what the user gives for its properties."""
    schema = media.get("schema", {})
    made = next((each for each in examples_of(media, document) if accepts(each, schema, document)), None)
    if made is None:
        made = value_for(schema, document) if resolved(schema, document) else {}
    return _with_given(made, schema, document, values) if isinstance(made, Mapping) else made


def _object(media: Schema, document: Document, values: Values) -> Mapping[str, Any]:
    made = _value(media, document, values)
    if not isinstance(made, Mapping):
        raise NoValue("its form has no fields")
    return made


def _with_given(made: Mapping[str, Any], schema: object, document: Document, values: Values) -> Mapping[str, Any]:
    given = {
        name: read_as(text, known, document)
        for name, text in values.params.items()
        if (known := property_of(schema, name, document)) is not None
    }
    return {**made, **given}


def read_as(text: str, schema: object, document: Document) -> Any:
    """What the user gives on the command line, as the schema wants it: `1` is a number where no text is allowed."""
    if accepts(text, schema, document):
        return text
    try:
        read = json.loads(text)
    except ValueError:
        return text
    return read if accepts(read, schema, document) else text


def _fields(made: Mapping[str, Any]) -> Iterator[tuple[str, str | list[str]]]:
    for name, value in made.items():
        if isinstance(value, list):
            yield name, [plain(each) for each in value]
        elif value is not None:
            yield name, plain(value)
