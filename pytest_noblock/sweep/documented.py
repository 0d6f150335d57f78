"""Routes and their operations: those of an OpenAPI document, and those that stand in none.

Of FastAPI's this reads `fastapi.routing.APIRoute`, `include_in_schema` and `fastapi.openapi.utils.get_openapi`, for a
route that is not in the document (seen on 0.115 to 0.165). Where one is missing, what such a route takes is not known.
"""

import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pytest_noblock.engine.patches import attribute
from pytest_noblock.model import shown
from pytest_noblock.sweep.listed import is_a, original
from pytest_noblock.sweep.openapi import Document, base_path, operations_of, parameters_of, resolved
from pytest_noblock.sweep.route import Route, variables
from pytest_noblock.sweep.seen import Place, Said, Seen


def documented(routes: Sequence[Seen], place: Place, document: Document, said: Said) -> list[Seen]:
    """The routes with their operations, and a route for each operation that has none yet."""
    operations = list(operations_of(document))
    prefix = place.prefix + _base(routes, place, document, operations)
    by_path = {(method, _bare(prefix + path)): (path, operation) for method, path, operation in operations}
    described = []
    for seen in routes:
        path, operation = by_path.get((seen.route.method, _bare(seen.route.path)), ("", None))
        described.append(_with_operation(seen, prefix + path, operation, document))
    shown = {(each.route.method, _bare(each.route.path)) for each in described}
    for method, path, operation in operations:
        if (method, _bare(prefix + path)) not in shown:
            route = Route(
                method, prefix + path, None, operation, "http", document, place.host, place.in_path, place.mounts
            )
            described.append(Seen(route))
            if routes:
                said.problems.append(f"{route.name} is in the OpenAPI document, and the app shows no route for it.")
    return described


def _base(routes: Sequence[Seen], place: Place, document: Document, operations: Sequence[Any]) -> str:
    """What the document leaves out of its paths: the path of its server, where the app's own routes have it."""
    base = base_path(document)
    shown = {(each.route.method, _bare(each.route.path)) for each in routes}
    counts = {
        each: sum((method, _bare(place.prefix + each + path)) in shown for method, path, _ in operations)
        for each in ("", base)
    }
    return base if not routes or counts[base] > counts[""] else ""


def _bare(path: str) -> str:
    """The template without the names of its variables: a document may call them something else."""
    return re.sub(r"\{[^}]*\}", "{}", path)


def _with_operation(seen: Seen, path: str, operation: Mapping[str, Any] | None, document: Document) -> Seen:
    if operation is None or seen.route.operation is not None:
        return seen
    names = dict(zip(variables(path), variables(seen.route.path), strict=True))
    if any(theirs != ours for theirs, ours in names.items()):
        operation = _renamed(operation, names, document)
    return replace(seen, route=replace(seen.route, operation=operation, document=document))


def _renamed(operation: Mapping[str, Any], names: Mapping[str, str], document: Document) -> Mapping[str, Any]:
    """The operation, with the variables of its path called as the app's route calls them."""
    parameters = [resolved(each, document) for each in parameters_of(operation)]
    ours = [
        {**each, "name": names.get(str(each.get("name")), each.get("name"))} if each.get("in") == "path" else each
        for each in parameters
    ]
    return {**operation, "parameters": ours}


def described(routes: Sequence[Seen], said: Said) -> Iterator[Route]:
    """The routes; those of FastAPI's that stand in no document are described by FastAPI all the same."""
    hidden = [each for each in routes if each.route.operation is None and is_a(original(each.context), "APIRoute")]
    found = _operations_for(hidden, said) if hidden else {}
    for seen in routes:
        operation, document = found.get(id(seen), (seen.route.operation, seen.route.document))
        if not seen.implied or operation is not None:
            yield replace(seen.route, operation=operation, document=document)


def _operations_for(hidden: Sequence[Seen], said: Said) -> dict[int, tuple[Mapping[str, Any] | None, Document]]:
    """Operation and document by the id of what was seen. Where one route cannot be described, the others still are."""
    try:
        document = _document_for([each.context for each in hidden])
    except Exception as error:  # noqa: BLE001  # whatever a model of the user's does
        if len(hidden) > 1:
            return {key: found for each in hidden for key, found in _operations_for([each], said).items()}
        said.problems.append(f"What {hidden[0].route.name} takes cannot be told: {shown.error(error)}.")
        return {}
    operations = {(method, path): operation for method, path, operation in operations_of(document)}
    return {id(each): (operations.get((each.route.method, each.context.path_format)), document) for each in hidden}


def _document_for(contexts: Sequence[Any]) -> Document:
    """A document of these routes, as if they were meant for one."""
    describe = attribute("fastapi.openapi.utils", "get_openapi")
    with warnings.catch_warnings(action="ignore"):  # as that of a doubled operation id
        document: Document = describe(title="", version="", routes=[_in_schema(each) for each in contexts])
    return document


def _in_schema(context: Any) -> Any:
    """A copy, which is in the schema whatever the original says."""
    twin = object.__new__(type(context))  # `copy` asks it for attributes before it has any
    vars(twin).update(vars(context), include_in_schema=True)
    return twin
