"""Where a line of the user's runs: what calls it, and which coroutine keeps the loop while it runs."""

from typing import Literal, NamedTuple

from pytest_noblock.model.frames import Frame

Role = Literal[
    "path operation",
    "websocket",
    "dependency",
    "dependency teardown",
    "exception handler",
    "middleware",
    "ASGI app",
    "response stream",
    "response render",
    "validator",
    "serializer",
    "template",
    "GraphQL resolver",
    "MCP tool",
    "span processor",
    "logging handler",
    "library callback",
    "loop callback",
    "call from a thread",
    "import",
    "greenlet",
    "background task",
    "task",
    "lifespan",
]
"""What the user's function is to whoever calls it. `loop callback`: the event loop calls it (`call_later`, a
done-callback). `task`: nobody but the event loop runs it (`create_task`). `call from a thread`: a thread has the loop
call it, and waits (`anyio.from_thread.run_sync`). `import`: the top level of a module. `greenlet`: a greenlet runs it,
as SQLAlchemy's `run_sync` has it do. `library callback`: none of the others."""

Implied = Literal[
    "finalizer", "context manager", "exit stack", "awaitable", "iterator", "operator", "task factory", "asyncio"
]
"""How a line runs a function that it writes no call of. `operator`: any other special method, and a property.

`exit stack`: `contextlib.ExitStack`, or its async twin, calls it when the line leaves it. `asyncio`: a function of
asyncio that the line calls does, and awaits nothing of it; `task factory`: to make a task.
"""


Used = Literal["line", "awaiting line", "loop", "awaiting loop", "with", "part"]
"""What of a statement waits besides its call. `line`: the rest of the line. `loop`: a `for` over the answer. `with`: a
block that has it. `awaiting`: it awaits as well, so that no thread can have all of it. `part`: nothing does, but what
has the method is a part of the line that has no name."""


class RoleRow(NamedTuple):
    """What the advice asks of a role."""

    noun: str
    """What people call it."""
    in_thread: bool = False
    """Whether the caller runs a plain `def` in a thread."""
    may_be_async: bool = False
    """Whether the caller calls a plain `def` on the loop, and would await an `async def`."""


ROLES: dict[Role, RoleRow] = {
    "path operation": RoleRow("endpoint", in_thread=True),
    "websocket": RoleRow("websocket endpoint"),
    "dependency": RoleRow("dependency", in_thread=True),
    "dependency teardown": RoleRow("dependency", in_thread=True),
    "exception handler": RoleRow("exception handler", in_thread=True),
    "middleware": RoleRow("middleware"),
    "ASGI app": RoleRow("ASGI app"),
    "response stream": RoleRow("generator", in_thread=True),
    "response render": RoleRow("response class"),
    "validator": RoleRow("validator"),
    "serializer": RoleRow("serializer"),
    "template": RoleRow("template"),
    "GraphQL resolver": RoleRow("resolver", may_be_async=True),
    "MCP tool": RoleRow("tool", may_be_async=True),
    "span processor": RoleRow("span processor"),
    "logging handler": RoleRow("logging handler"),
    "library callback": RoleRow("callback"),
    "loop callback": RoleRow("callback"),
    "call from a thread": RoleRow("callback"),
    "import": RoleRow("module"),
    "greenlet": RoleRow("function"),
    "background task": RoleRow("task", in_thread=True),
    "task": RoleRow("task"),
    "lifespan": RoleRow("lifespan function", may_be_async=True),
}


class Where(NamedTuple):
    """Where the blamed line runs. Files as in the frames that it was made of."""

    role: Role | None
    """None where the stack does not tell."""
    thing: Frame | None = None
    """The user's function that the framework, the library or the loop calls; None where the stack shows none."""
    line: Frame | None = None
    """The blamed line."""
    coroutine: Frame | None = None
    """The nearest `async def` of the user's on the way out from the line, at the line that it was running; None where
    there is none before a library's."""
    held_by: Role | None = None
    """What this coroutine is to whoever calls it; without one, what the thing is."""
    called: str | None = None
    """What that line of the coroutine calls, as it is written there; None where that is not known, and where the
    coroutine makes the blamed call itself."""
    between: tuple[str, ...] | None = ()
    """The names of the user's plain functions from the coroutine, or from the thing, in to the line; None where a
    library's function lies between."""
    iterated: bool = False
    """Whether what that line calls is a generator of the user's: its body runs where it is iterated."""
    importable: bool = False
    """Whether another process can import what the coroutine's line calls."""
    plain_def: bool = False
    """Whether its caller would run the coroutine in a thread if it were a plain `def`, and it awaits nothing."""
    implied: Implied | None = None
    """How that line of the coroutine, or of the thing, runs `callee`; None where it writes a call of it."""
    callee: Frame | None = None
    """The outermost function of the user's further in than that line; the thing itself where none is further in."""
    exits: tuple[Frame, ...] = ()
    """Of an exit stack: the frames of `contextlib` through which that line runs `callee`, or a library's function."""
    used: Used | None = None
    """How the blamed statement goes on with what the call returned, where that may wait again."""
    block_awaits: bool = False
    """Whether the `with` block on that line awaits anything: no thread can have it."""
    imports: bool = False
    """Whether the blamed line imports a module, and makes no call that is known."""
    library: str | None = None
    """The package that calls the thing, where the role is `library callback`."""
    middleware: str | None = None
    """The middleware of a library in which it is no line of the user's."""
    served: str | None = None
    """What of the app the line ran for, where it is no line of the user's: a middleware, the endpoint, the request."""
    endpoint: str | None = None
    """The name of the endpoint, where the role lies outside of it (a validator, a response class)."""
    endpoint_is_async: bool = False
    """Whether that endpoint is an `async def`."""
    validates_answer: bool = False
    """Whether FastAPI validates the endpoint's answer there: that of a plain `def` it validates in a thread."""

    pickles: bool = False
    """Whether a function ran there that pickles what another process is given, or unpickles what it returns."""

    @property
    def here(self) -> bool:
        """Whether an `await` may stand on the blamed line."""
        return self.coroutine is not None and self.coroutine is self.line
