"""The OpenAPI document of an app: found, read, and its operations listed."""

import json
import re
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from pytest_noblock.model import shown

Document = Mapping[str, Any]
METHODS = ("get", "head", "options", "post", "put", "patch", "delete", "trace")
"""The fields of a path item that are operations."""
_MOST_REFERENCES = 50
"""So many `$ref`s are followed one after the other; more is a circle."""


class Unreadable(Exception):
    """There is a document, and it cannot be used. The message is a whole sentence for the user."""


def document_of(app: object) -> Document | None:
    """What the app says of itself, by FastAPI's `app.openapi()`; None for an app without such a method.

    Raises Unreadable. Warnings that come on the way, as that of a doubled operation id, are the app's own matter.
    """
    build = _method(app, "openapi")
    if build is None:
        return None
    try:
        with warnings.catch_warnings(action="ignore"):
            document = build()
    except (Exception, SystemExit) as error:
        raise Unreadable(f"The app's own OpenAPI document cannot be made: {shown.error(error)}") from error
    return _checked(document, "The app's own OpenAPI document")


def _method(app: object, name: str) -> Any:
    """A method of the app's class, or a function that stands in for it; an app is any callable, and may raise."""
    try:
        found = getattr(app, name, None)
    except Exception:  # noqa: BLE001  # the user's code
        return None
    return found if callable(found) else None


def load(path_or_text: str | Path) -> Document:
    """The document in a file of JSON or YAML, or in a text that is one of them itself. Raises Unreadable."""
    text = str(path_or_text)
    if text.lstrip().startswith("{") or "\n" in text:
        return parse(text.encode(), "The OpenAPI document")
    try:
        data = Path(text).read_bytes()
    except OSError as error:
        raise Unreadable(f"The OpenAPI document {shown.one_line(text)} cannot be read: {shown.error(error)}") from error
    return parse(data, f"The OpenAPI document {shown.one_line(text)}")


def parse(data: bytes, name: str) -> Document:
    """The document in a file or in an answer of the app; `name` begins a sentence. Raises Unreadable."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        document = _yaml(data, name)
    return _checked(document, name)


def _yaml(data: bytes, name: str) -> object:
    try:
        import yaml
    except ImportError:
        raise Unreadable(
            f"{name} is no JSON, and to read it as YAML PyYAML must be installed (pip install pyyaml)"
        ) from None
    try:
        return json.loads(json.dumps(yaml.safe_load(data), default=str))  # a date of YAML's is a text of JSON's
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise Unreadable(f"{name} is neither JSON nor YAML: {shown.error(error)}") from error


def _checked(document: object, name: str) -> Document:
    if not isinstance(document, Mapping):
        raise Unreadable(f"{name} is no OpenAPI document: it is {shown.value(document)}, and should be an object")
    version = document.get("openapi")
    if "swagger" in document and version is None:
        raise Unreadable(
            f"{name} is of Swagger {shown.one_line(document['swagger'], 20)}: OpenAPI 3.0 or 3.1 is what can be read"
        )
    if not isinstance(version, str) or not version.startswith("3."):
        raise Unreadable(f"{name} is no OpenAPI document: its field 'openapi' should be 3.0 or 3.1")
    if not isinstance(document.get("paths", {}), Mapping):
        raise Unreadable(f"{name} is no OpenAPI document: its field 'paths' should be an object")
    return document


def operations_of(document: Document) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Method in capitals, path template and operation object of each operation, in the document's order.

    The parameters that all operations of a path have in common stand in each.
    """
    for path, given in (document.get("paths") or {}).items():
        item = resolved(given, document)
        for method in METHODS:
            operation = resolved(item.get(method), document)
            if isinstance(item.get(method), Mapping):
                yield method.upper(), str(path), _with_common(operation, item, document)


def _with_common(operation: Mapping[str, Any], item: Mapping[str, Any], document: Document) -> Mapping[str, Any]:
    common, own = parameters_of(item), parameters_of(operation)
    if not common:
        return operation
    taken = [_key(each, document) for each in own]
    return {**operation, "parameters": [*own, *(each for each in common if _key(each, document) not in taken)]}


def parameters_of(thing: Mapping[str, Any]) -> list[Any]:
    """The parameters of an operation or a path, references and all; somebody may have written anything there."""
    found = thing.get("parameters")
    return found if isinstance(found, list) else []


def _key(parameter: object, document: Document) -> tuple[object, object]:
    found = resolved(parameter, document)
    return found.get("in"), found.get("name")


def base_path(document: Document) -> str:
    """The path that the document's first server stands at: `/api/v1`; empty where that is the root."""
    servers = document.get("servers")
    first = servers[0] if isinstance(servers, list) and servers else {}
    url = first.get("url") if isinstance(first, Mapping) else None
    if not isinstance(url, str):
        return ""
    variables = first.get("variables")
    for name, variable in variables.items() if isinstance(variables, Mapping) else ():
        url = url.replace(f"{{{name}}}", str(variable.get("default", "")) if isinstance(variable, Mapping) else "")
    return urlsplit(url).path.rstrip("/")


def resolved(thing: object, document: Document) -> Mapping[str, Any]:
    """The object, or the one that its `$ref` names; empty where there is none."""
    for _ in range(_MOST_REFERENCES):
        if not isinstance(thing, Mapping):
            return {}
        reference = thing.get("$ref")
        if not isinstance(reference, str):
            return thing
        thing = target(reference, document)
    return {}


def target(reference: str, document: Document) -> object:
    """What `#/components/schemas/User` names; None where it names nothing, or something in another file."""
    found: object = document
    for part in reference.removeprefix("#").split("/")[1:] if reference.startswith("#") else ["no other file"]:
        name = re.sub("~[01]", lambda escaped: "/" if escaped[0] == "~1" else "~", unquote(part))
        if isinstance(found, Mapping):
            found = found.get(name)
        elif isinstance(found, list) and name.isdecimal() and int(name) < len(found):
            found = found[int(name)]
        else:
            return None
    return found
