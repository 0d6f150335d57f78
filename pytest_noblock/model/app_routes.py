"""The routes of an app that requests entered, as a process tells them to the one that prints."""

from typing import NamedTuple


class AppRoute(NamedTuple):
    """One route under one method."""

    method: str
    path: str
    """The whole template, with the prefixes of routers and mounts, and the host where the app routes by it."""
    endpoint: str | None
    """The endpoint's dotted name; None where only a document has the route."""
    name: str
    """`GET /users/{user_id}`, with the host where the app routes by it."""


class AppRoutes(NamedTuple):
    """The routes of one app."""

    name: str
    """`app.main:app`; of an app that no module names, where its endpoints come from."""
    routes: tuple[AppRoute, ...]
