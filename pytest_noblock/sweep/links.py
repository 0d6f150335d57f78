"""Links in the pages that an app has answered: they tell which `/admin/{model}/edit/{pk}` there is."""

import html
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from urllib.parse import parse_qsl, unquote, urljoin, urlsplit

from pytest_noblock.sweep.route import Route

_LINK = re.compile(
    r"""<(?:a|area|form)\s[^<>]*?\b(?:href|action)\s*=\s*["']([^"'#?]+)(?:\?([^"'#]*))?""", re.IGNORECASE
)
"""What a reader of the page may follow: a style sheet, `/-/static/app.css`, is no `/{database}/{table}/{row}`."""
_VARIABLE = re.compile(r"\{([^}]*)\}")
_LARGEST = 1_000_000
"""Letters of a page that are read."""
_MOST = 2000
"""Different links that are looked at: with 500 templates 50 ms of CPU."""

Beginning = tuple[str | None, str]
"""The host of a route, and its path up to the end of a variable, without the names: `/admin/{}`."""


class Links:
    """What the pages of an app link to, by the templates of its routes."""

    def __init__(self, routes: Iterable[Route] = ()) -> None:
        gets = [each for each in routes if each.method == "GET"]
        self._fixed = {each.path for each in gets if "{" not in each.path}
        self._templates = [(each, each.path.partition("{")[0], _pattern(each)) for each in gets if "{" in each.path]
        self._seen: set[str] = set()
        self._values: dict[Beginning, Sequence[str]] = {}
        self._by_name: dict[str, str] = {}
        self._queries: dict[str, tuple[str, Mapping[str, str]]] = {}
        """By whole template: the path of the first link to it, and the query of that link."""

    def learn(self, url: str, page: str) -> None:
        """`url`: of the page itself."""
        if not self._templates:
            return
        for path, query in _paths(url, page):
            if len(self._seen) >= _MOST:
                return
            if path not in self._seen and path not in self._fixed:
                self._learn_path(path, query)
            self._seen.add(path)

    def _learn_path(self, path: str, query: str) -> None:
        """By the first template that it matches, as the app's router goes."""
        for route, begins, pattern in self._templates:
            match = pattern.fullmatch(path) if path.startswith(begins) else None
            if match is not None:
                values = [unquote(each) for each in match.groups()]
                for count, beginning in enumerate(_beginnings(route), 1):
                    self._values.setdefault(beginning, values[:count])
                self._queries.setdefault(route.template, (unquote(path), dict(parse_qsl(query))))
                for name, value in zip(_VARIABLE.findall(route.path), values, strict=True):
                    self._by_name.setdefault(name, value)
                return

    def values_for(self, route: Route) -> Mapping[str, str]:
        """By the names of the first variables of the path: values that go together. As many as are known."""
        for beginning in reversed([*_beginnings(route)]):
            if beginning in self._values:
                return dict(zip(_VARIABLE.findall(route.path), self._values[beginning], strict=False))
        return {}

    def query_for(self, route: Route, path: str) -> Mapping[str, str]:
        """The query of the first link to the route, if that link has this path: of another object it would be wrong."""
        linked, query = self._queries.get(route.template, ("", {}))
        return query if linked == unquote(path) else {}

    def called(self, name: str) -> str | None:
        """A value of a variable of the same name elsewhere."""
        return self._by_name.get(name)


def _paths(url: str, page: str) -> Iterator[tuple[str, str]]:
    """Path and query of the links to the same host."""
    host = urlsplit(url).netloc
    for found in _LINK.finditer(page[:_LARGEST]):
        try:
            parts = urlsplit(urljoin(url, html.unescape(found[1])))
        except ValueError:  # somebody wrote it by hand
            continue
        if parts.netloc == host and parts.scheme in ("http", "https"):
            yield parts.path, html.unescape(found[2] or "")


def _pattern(route: Route) -> re.Pattern[str]:
    text = ""
    for literal, name in re.findall(r"([^{]*)(?:\{([^}]*)\})?", route.path):
        text += re.escape(literal)
        if name:
            text += "(.+)" if route.in_path.get(name, {}).get("format") == "path" else "([^/]+)"
    return re.compile(text)


def _beginnings(route: Route) -> Iterator[Beginning]:
    for match in _VARIABLE.finditer(route.path):
        yield route.host, _VARIABLE.sub("{}", route.path[: match.end()])
