"""Ids that the app has answered: a list of users tells which `{user_id}` there is, a page by what it links to."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pytest_noblock.sweep.links import Links
from pytest_noblock.sweep.route import Route

_LISTS = ("items", "data", "results", "result", "objects", "records", "rows", "hits", "content", "entries", "values")
"""Under these names an answer in pages has its list; else under the name of what is listed, or as its only list."""
_IDS = ("id", "uuid", "guid", "pk", "_id", "key", "slug", "name", "code")
"""What an object is found by, the surest first."""
_ROUND_OF = {"GET": 0, "HEAD": 0, "OPTIONS": 0, "TRACE": 0, "WEBSOCKET": 0, "DELETE": 2}
"""In which order the methods are sent: what makes an object goes after what reads it, what deletes it last."""


def levels(routes: Iterable[Route]) -> tuple[tuple[Route, ...], ...]:
    """The routes in rounds: a list route is in an earlier round than the routes that need an id of its list.

    Within a round the routes need nothing of each other.
    """
    rounds: dict[tuple[int, int], list[Route]] = {}
    for each in routes:
        depth = each.path.count("{")
        turn = _ROUND_OF.get(each.method, 1)
        rounds.setdefault((turn, -depth if turn == 2 else depth), []).append(each)
    return tuple(tuple(rounds[key]) for key in sorted(rounds))


class Harvest:
    """What the answers of list routes taught."""

    def __init__(self, routes: Iterable[Route] = ()) -> None:
        """`routes`: all of the app, whose templates tell what a link leads to."""
        self._links = Links(routes)
        self._objects: dict[str, Mapping[str, Any]] = {}
        """The first object of a list, by host and path of the route that answered it."""

    def learn(self, route: Route, answer: object) -> None:
        """`answer`: what the JSON of a good answer to the route holds."""
        listed = _first_object(answer, _collection(route.path))
        if listed is not None and route.method == "GET":
            self._objects.setdefault((route.host or "") + route.path, listed)

    def learn_page(self, url: str, page: str) -> None:
        """`page`: the HTML of a good answer."""
        self._links.learn(url, page)

    def value_for(self, route: Route, name: str) -> str | int | None:
        """A value for the variable of the route's path; None where no list route has one.

        First the list route above it: `/users` for `/users/{user_id}`. Then a link to such a route. Then a list of the
        same things elsewhere: `/users` for `/user/{id}` and `/posts/by/{user_id}`. Then a link's `{user_id}` elsewhere.
        """
        host, before = route.host or "", route.path.partition(f"{{{name}}}")[0]
        above = (host + before, host + (before.rstrip("/") or "/"))
        for path in above:
            if path in self._objects:
                return _value(self._objects[path], name, _collection(path))
        linked = self._links.values_for(route)
        if name in linked:
            return linked[name]
        for path, listed in self._objects.items():
            if path.startswith(f"{host}/") and _is_of(path, before, name):
                return _value(listed, name, _collection(path))
        return self._links.called(name)

    def query_for(self, route: Route, path: str) -> Mapping[str, str]:
        """What a page puts into the query where it links to this path of the route."""
        return self._links.query_for(route, path)


def _is_of(path: str, before: str, name: str) -> bool:
    """Whether the list's objects are what the variable, or the part of the path before it, is called after."""
    thing = _plain(_singular(_collection(path)))
    names = {thing, *(thing + _plain(each) for each in _IDS)}
    return bool(thing) and (_plain(name) in names or _plain(_singular(_collection(before))) == thing)


def _collection(path: str) -> str:
    """`users` of `/api/users/`; empty where the path ends with a variable."""
    last = path.rstrip("/").rpartition("/")[2]
    return "" if "}" in last else last


def _first_object(answer: object, collection: str) -> Mapping[str, Any] | None:
    rows = answer if isinstance(answer, list) else _list_in(answer, collection)
    first = rows[0] if rows else None
    if isinstance(first, Mapping):
        return first
    return {"id": first} if _is_id(first) else None


def _list_in(answer: object, collection: str) -> list[Any] | None:
    """The list of an answer in pages: under a name of its own, or as the only list in it."""
    if not isinstance(answer, Mapping):
        return None
    for name in (collection, *_LISTS):
        found = answer.get(name)
        if isinstance(found, list):
            return found
        if isinstance(found, Mapping) and (inner := _list_in(found, collection)) is not None:
            return inner
    lists = [each for each in answer.values() if isinstance(each, list)]
    return lists[0] if len(lists) == 1 else None


def _value(listed: Mapping[str, Any], name: str, collection: str) -> str | int | None:
    for key in _keys(name, collection):
        for own, value in listed.items():
            if _plain(own) == key and _is_id(value):
                return value if isinstance(value, int) else str(value)
    return None


def _keys(name: str, collection: str) -> Iterator[str]:
    """Under which names the object may have the variable: its own first, then the id's."""
    plain = _plain(name)
    yield plain
    singular = _plain(_singular(collection))
    for each in _IDS:
        end = _plain(each)
        if singular and plain == singular + end:  # {user_slug} of users
            yield end
    if plain.endswith("id") or plain == singular or plain in map(_plain, _IDS):
        yield from map(_plain, _IDS)
        yield f"{singular}id"


def _plain(name: object) -> str:
    """`user_id`, `userId` and `user-id` are one name."""
    return re.sub(r"[^a-z0-9]", "", str(name).lower())


def _singular(collection: str) -> str:
    """`users`: user, `categories`: category, `boxes`: box."""
    if collection.endswith("ies"):
        return collection[:-3] + "y"
    if re.search(r"(s|x|z|ch|sh)es$", collection):
        return collection[:-2]
    return collection.removesuffix("s")


def _is_id(value: object) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool) and value != ""
