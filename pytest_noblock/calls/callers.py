"""Which function of a framework or of a library calls what of the user's: the table `judge.where` reads.

By the module (`__name__`) and the name of the function next to the user's on the stack, going out. Seen on FastAPI
0.165, Starlette 1.6 and 1.10, pydantic 2, strawberry-graphql 0.341 with graphql-core 3, mcp 1.30, sse-starlette 3.7,
opentelemetry-sdk 1.45. Where another version has other names, the role is not known: then no plain def is advised.
"""

from pytest_noblock.model.where import Role

FROM_THREAD = ("anyio._backends._asyncio", "wrapper")
"""Where the loop runs what a thread handed to `anyio.from_thread.run_sync`. Seen on anyio 4.16; without it, the role is
`loop callback`. The `wrapper` of `anyio.run` is a coroutine: what it calls is one, too."""

TASK_FACTORY = ("asyncio.base_events", "create_task")
"""What calls the loop's task factory (CPython 3.11 to 3.14). Without it, the advice says that asyncio calls it."""

FUNCTIONS: dict[tuple[str, str], Role] = {
    ("fastapi.routing", "run_endpoint_function"): "path operation",
    ("fastapi.routing", "app"): "path operation",
    ("starlette.routing", "app"): "path operation",
    ("starlette.endpoints", "dispatch"): "path operation",
    ("fastapi.dependencies.utils", "solve_dependencies"): "dependency",
    ("fastapi.dependencies.utils", "_solve_generator"): "dependency",
    ("starlette._exception_handler", "wrapped_app"): "exception handler",
    ("starlette.middleware.exceptions", "__call__"): "exception handler",
    ("starlette.middleware.errors", "__call__"): "exception handler",
    ("starlette.middleware.base", "__call__"): "middleware",
    ("starlette.responses", "stream_response"): "response stream",
    ("sse_starlette.sse", "_stream_response"): "response stream",
    ("fastapi.routing", "_async_stream_raw"): "response stream",
    ("fastapi.routing", "_async_stream_jsonl"): "response stream",
    ("fastapi.routing", "_producer"): "response stream",
    ("starlette.responses", "__init__"): "response render",
    ("starlette.background", "__call__"): "background task",
    ("starlette.routing", "lifespan"): "lifespan",
    ("starlette.routing", "startup"): "lifespan",
    ("starlette.routing", "shutdown"): "lifespan",
    ("fastapi.routing", "startup"): "lifespan",
    ("fastapi.routing", "shutdown"): "lifespan",
    FROM_THREAD: "call from a thread",
}

PACKAGES: dict[str, Role] = {
    "pydantic": "validator",
    "fastapi._compat": "validator",
    "fastapi.encoders": "serializer",
    "jinja2": "template",
    "mako": "template",
    "strawberry": "GraphQL resolver",
    "graphql": "GraphQL resolver",
    "ariadne": "GraphQL resolver",
    "graphene": "GraphQL resolver",
    "mcp": "MCP tool",
    "fastmcp": "MCP tool",
    "opentelemetry.sdk.trace": "span processor",
    "logging": "logging handler",
    "importlib": "import",
    "greenlet": "greenlet",
}
"""By a package or module, for all functions in it."""

TEARDOWN = ("contextlib", "__aexit__")
"""Between a dependency with `yield` and FastAPI, where the part behind the `yield` runs."""

CUSTOM_ROUTES = {("starlette.routing", "handle"), ("fastapi.routing", "handle")}
"""What calls an ASGI app that a route or a mount leads to; whatever else calls one is what a middleware is around."""

PASSED = ("contextlib", "functools", "asyncio", "anyio", "contextvars", "inspect", "abc", "typing")
"""Packages on the way to everything: who calls the user's function stands further out."""

SERIALIZING = ("dump", "model_dump", "serialize", "to_json", "to_python", "dict", "json")
"""Beginnings of the names of pydantic's functions that serialize; its others validate."""

ALWAYS_THERE = (
    "starlette.applications",
    "starlette.middleware.errors",
    "starlette.middleware.exceptions",
    "starlette._exception_handler",
    "fastapi.applications",
    "fastapi.middleware.asyncexitstack",
    "fastapi._body_limit",
    "fastapi.telemetry._asgi",
)
"""Modules whose ASGI apps nobody added: no middleware of the app's own."""

BASE_MIDDLEWARE = "starlette.middleware.base"
"""The module whose ASGI app calls the `dispatch` of a middleware class."""

ANSWER = ("fastapi.routing", "serialize_response")
"""What validates and serializes an endpoint's answer."""


_KNOWN = frozenset(name.partition(".")[0] for name in (*PACKAGES, *(module for module, _ in FUNCTIONS)))


def is_library(module: str) -> bool:
    """Whether the module is of a package in this table: where its function is an endpoint, too, it is not the user's.

    What an endpoint's package has counts as the user's otherwise; see `UserCode`.
    """
    return module.partition(".")[0] in _KNOWN


def role_of(module: str, function: str) -> Role | None:
    """What the user's function is to this function, which calls it; None where that is not known."""
    role = FUNCTIONS.get((module, function))
    if role is not None:
        return role
    parts = module.split(".")
    known = (PACKAGES.get(".".join(parts[:length])) for length in range(len(parts), 0, -1))
    role = next((each for each in known if each is not None), None)
    return "serializer" if role == "validator" and function.startswith(SERIALIZING) else role
