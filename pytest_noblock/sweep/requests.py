"""Which request a route is sent: of what the user gives, the OpenAPI document says, and the app has answered."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from pytest_noblock.model import shown
from pytest_noblock.sweep.bodies import add_body, examples_of, read_as
from pytest_noblock.sweep.candidates import CALLED
from pytest_noblock.sweep.given import Values, WrongValue
from pytest_noblock.sweep.harvest import Harvest
from pytest_noblock.sweep.openapi import parameters_of, resolved
from pytest_noblock.sweep.reasons import Reason
from pytest_noblock.sweep.request import Request
from pytest_noblock.sweep.route import Route, variables
from pytest_noblock.sweep.schemas import Schema, as_schema
from pytest_noblock.sweep.security import schemes_of
from pytest_noblock.sweep.styles import in_header, in_path, in_query
from pytest_noblock.sweep.values import NoValue, accepts, value_for, written

__all__ = ["Missing", "Values", "WrongValue", "request_for"]

_SENT_ANYWAY = {
    "accept",
    "accept-encoding",
    "connection",
    "content-length",
    "content-type",
    "host",
    "user-agent",
}
"""Headers that httpx sets by itself, or that go with the body: a route that asks for one gets it."""


@dataclass(frozen=True, slots=True)
class Missing:
    """A request that lacks a value which nobody gives and no schema yields."""

    reason: Reason
    """`no-value`."""
    words: str
    """Which value is missing and why, one sentence without its end."""
    request: Request = field(compare=False)
    """All that could be made: the hook may fill in the rest. The url still has the variables without a value."""
    made: Request = field(compare=False, repr=False)
    """The same, untouched."""

    def mended(self, route: Route) -> bool:
        """Whether the hook changed the request, and its url has no variable left."""
        left = any(f"{{{name}}}" in self.request.url for name in variables(route.path))
        return not left and self.request != self.made


def request_for(route: Route, values: Values, harvested: Harvest | None = None) -> Request | Missing:
    """The request that the route is sent, or what it lacks. The same whenever it is given the same."""
    made = _Making(route, values, harvested)
    for step in (made.add_path, made.add_host, made.add_parameters, made.add_body, made.add_given):
        try:
            step()
        except (TypeError, ValueError, AttributeError, LookupError) as error:
            made.missing.append(f"its OpenAPI object cannot be read: {shown.error(error)}")
    request = made.request
    return Missing("no-value", made.missing[0], request, deepcopy(request)) if made.missing else request


class _Making:
    """A request in the making."""

    def __init__(self, route: Route, values: Values, harvested: Harvest | None) -> None:
        self.request = Request(route.path)
        self.missing: list[str] = []
        self._route = route
        self._values = values
        self._harvested = harvested
        self._document = route.document or {}
        operation = route.operation or {}
        self._parameters = [resolved(each, self._document) for each in parameters_of(operation)]

    def add_path(self) -> None:
        for name in variables(self._route.path):
            parameter = self._parameter("path", name)
            safe = "/" if self._route.in_path.get(name, {}).get("format") == "path" else ""
            with_value = self._filled(name, parameter, f"the variable {name} of its path")
            if with_value is not None:
                text = quote(in_path(name, with_value[0], parameter), safe=f"{safe},;=")
                self.request.url = self.request.url.replace(f"{{{name}}}", text)

    def add_host(self) -> None:
        """A route of `Host("{tenant}.example.org")` is reached under that name alone."""
        host = self._route.host
        for name in variables(host or ""):
            found = self._filled(name, {}, f"the variable {name} of its host")
            host = (host or "").replace(f"{{{name}}}", str(found[0]) if found else "")
        if host:
            self.request.headers["Host"] = host

    def _parameter(self, place: str, name: str) -> Schema:
        return next((each for each in self._parameters if each.get("in") == place and each.get("name") == name), {})

    def _filled(self, name: str, parameter: Schema, called: str) -> tuple[Any] | None:
        """The value in a tuple of its own, as it may be None; None where there is none, which is then noted."""
        try:
            return (self._value(name, parameter),)
        except NoValue as problem:
            self.missing.append(f"no value for {called}: {problem}")
            return None

    def _value(self, name: str, parameter: Schema) -> Any:
        """In the order of the README: given, written, harvested, made."""
        schema = self._schema(name, parameter)
        if name in self._values.params:
            return read_as(self._values.params[name], schema, self._document)
        for example in examples_of(parameter, self._document):
            if accepts(example, schema, self._document):
                return example
        in_a_path = parameter.get("in", "path") == "path"
        if not written(schema, self._document):
            learned = self._learned(name, schema) if in_a_path else None
            if learned is not None:
                return learned
        return value_for({"allOf": [schema], CALLED: name}, self._document, filled=in_a_path)

    def _learned(self, name: str, schema: object) -> str | int | None:
        found = None if self._harvested is None else self._harvested.value_for(self._route, name)
        fits = found is not None and any(accepts(each, schema, self._document) for each in (found, str(found)))
        return found if fits else None

    def _schema(self, name: str, parameter: Schema) -> Schema:
        """What the parameter's schema and the route's convertor both take; where that is nothing, the convertor's."""
        content = parameter.get("content")
        if isinstance(content, Mapping):
            media = resolved(next(iter(content.values()), None), self._document)
            return as_schema(media.get("schema", {}))
        schema = as_schema(parameter.get("schema", {}))
        convertor = self._route.in_path.get(name) if parameter.get("in", "path") == "path" else None
        if convertor is None or convertor == {"type": "string"}:
            return schema or {"type": "string"}
        both = {"allOf": [schema, convertor]}
        try:
            value_for(both, self._document)
        except NoValue:
            return convertor
        return both

    def add_parameters(self) -> None:
        """Those that must be, those that somebody wrote an example for, and those that the user gives."""
        if self._route.operation is None:
            given = self._values.params
            linked = self._harvested.query_for(self._route, self.request.url) if self._harvested is not None else {}
            self.request.params.update(linked)
            self.request.params.update({name: given[name] for name in given if name in self._values.in_queries})
        for parameter in self._parameters:
            name, place = parameter.get("name"), parameter.get("in")
            add = _ADD.get(str(place))
            if add is None or not isinstance(name, str) or not self._wanted(name, parameter):
                continue
            found = self._filled(name, parameter, f"the {place} parameter {name}")
            if found is not None and "content" in parameter:
                import json

                add(self.request, name, json.dumps(found[0]), {})
            elif found is not None:
                add(self.request, name, found[0], parameter)

    def _wanted(self, name: str, parameter: Schema) -> bool:
        if parameter.get("in") == "header" and name.lower() in _SENT_ANYWAY:
            return False
        if parameter.get("required") is True or name in self._values.params:
            return True
        schema = resolved(parameter.get("schema"), self._document)
        examples = [*examples_of(parameter, self._document), *examples_of(schema, self._document)]
        return any(accepts(each, schema, self._document) for each in examples)

    def add_body(self) -> None:
        body = resolved((self._route.operation or {}).get("requestBody"), self._document)
        try:
            add_body(self.request, self._route.method, body, self._document, self._values)
        except NoValue as problem:
            self.missing.append(f"no value for its body: {problem}")

    def add_given(self) -> None:
        """The user's headers hold, whatever the document says; so does a key under the name that the document has."""
        given = {name.lower() for name in self._values.headers}
        others = {name: value for name, value in self.request.headers.items() if name.lower() not in given}
        self.request.headers = {**others, **self._values.headers}
        for scheme in schemes_of(self._route):
            if scheme.get("type") != "apiKey":
                continue
            add, name = _ADD.get(str(scheme.get("in"))), scheme.get("name")
            if add is not None and isinstance(name, str) and name in self._values.params:
                add(self.request, name, self._values.params[name], {})


def _add_query(request: Request, name: str, value: Any, parameter: Schema) -> None:
    request.params.update(in_query(name, value, parameter))


def _add_header(request: Request, name: str, value: Any, parameter: Schema) -> None:
    request.headers[name] = in_header(value, parameter)


def _add_cookie(request: Request, name: str, value: Any, _parameter: Schema) -> None:
    request.cookies[name] = in_header(value, {})


_ADD: Mapping[str, Callable[[Request, str, Any, Schema], None]] = {
    "query": _add_query,
    "header": _add_header,
    "cookie": _add_cookie,
}
