"""The first page, which is also the probe: it answers at once, if it is let."""

from collections.abc import Iterable, Iterator

from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from fastapi.routing import APIRoute


def router(rows: Iterable[APIRouter]) -> APIRouter:
    page = "\n".join(lines(rows))
    first = APIRouter(tags=["index"])

    @first.get("/", response_class=HTMLResponse)
    async def index() -> str:
        """Links to all the others, and answers at once: the probe."""
        return page

    return first


def lines(rows: Iterable[APIRouter]) -> Iterator[str]:
    yield "<title>Twins</title>"
    for row in rows:
        yield f"<h2>{row.tags[0]}</h2>"
        yield from (link(route) for route in row.routes if isinstance(route, APIRoute))


def link(route: APIRoute) -> str:
    name = f'<a href="{route.path}">{route.path}</a>' if "GET" in (route.methods or ()) else f"POST {route.path}"
    return f"<p>{name} {route.description}</p>"
