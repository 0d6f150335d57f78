"""Who may ask, by the security schemes of an OpenAPI document (pure)."""

from collections.abc import Iterator, Mapping
from typing import Any

from pytest_noblock.sweep.openapi import resolved
from pytest_noblock.sweep.route import Route

BEARER = '--noblock-header="Authorization: Bearer $TOKEN"'
_BASIC = '--noblock-header="Authorization: Basic $CREDENTIALS"'


def schemes_of(route: Route) -> Iterator[Mapping[str, Any]]:
    """The security schemes of the route's operation; of one without any the document's own."""
    document = route.document or {}
    asked = (route.operation or {}).get("security", document.get("security")) or ()
    components = document.get("components") or {}
    known = components.get("securitySchemes") or {}
    yield from (resolved(known.get(name), document) for each in asked for name in each)


def options_for(route: Route) -> tuple[str, ...]:
    """The options that say who asks, each once; empty where the document says nothing."""
    try:
        found = [_option(each) for each in schemes_of(route)]
    except (TypeError, ValueError, AttributeError, LookupError):  # somebody may have written it by hand
        return ()
    return tuple(dict.fromkeys(each for each in found if each))


def _option(scheme: Mapping[str, Any]) -> str | None:
    kind, name = scheme.get("type"), scheme.get("name")
    if kind == "apiKey" and isinstance(name, str):
        return f'--noblock-header="{name}: $KEY"' if scheme.get("in") == "header" else f"--noblock-param='{name}=$KEY'"
    if kind == "http" and str(scheme.get("scheme")).lower() == "basic":
        return _BASIC
    return BEARER if kind in ("http", "oauth2", "openIdConnect") else None
