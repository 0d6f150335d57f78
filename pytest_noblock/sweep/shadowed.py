"""Did the route itself answer? Another one, declared before it, may take all of its requests."""

from pytest_noblock.engine.endpoints import dotted
from pytest_noblock.model.observation import Exchange
from pytest_noblock.sweep.route import Route


def answered_instead(route: Route, exchange: Exchange) -> str | None:
    """Who answered in the route's place: `/users/{user_id} (app.main.user)`. None where the route did, or nobody knows.

    `/users/{user_id}`, declared before `/users/me`, takes its requests: that other endpoint is measured twice, and its
    own never. The app that the route itself is mounted in is no other: something within it answered, as a login does.
    """
    own = dotted(route.endpoint)
    if own is None or exchange.endpoint is None or exchange.endpoint == own or _on_the_way(route, exchange):
        return None
    return f"{exchange.route or 'another route'} ({exchange.endpoint})"


def _on_the_way(route: Route, exchange: Exchange) -> bool:
    """Whether the request came as far as an app that the route is mounted in."""
    return any(
        exchange.endpoint == app and exchange.route in (None, where) for where, app in route.mounts if app is not None
    )
