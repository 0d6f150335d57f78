"""The call that a line or an instruction makes, by the name people know: `requests.get`.

Reads sources and what is already in memory. Imports nothing, runs no user code, and raises nothing, whatever it reads.
"""

import ast
import dis
import io
import itertools
import types
from collections.abc import Mapping, Sequence
from functools import partial
from typing import NamedTuple

from pytest_noblock.calls import public_names
from pytest_noblock.calls.bindings import bound
from pytest_noblock.calls.callsites import CallSite, Position, call_sites, parts, spans
from pytest_noblock.calls.frame_names import FrameScope, Inferred
from pytest_noblock.calls.inference import infer
from pytest_noblock.calls.known import Entry, is_on_the_way, is_plumbing, known
from pytest_noblock.calls.resolve import callee, is_resolved
from pytest_noblock.calls.scopes import Scope
from pytest_noblock.calls.sources import COMPREHENSIONS, FRAME_OF, source_lines, source_of

_CACHE = dis.opmap.get("CACHE", 0)
_ITERATING = ("GET_ITER", "FOR_ITER")
_AWAITING = ("GET_AWAITABLE", "SEND", "YIELD_VALUE", "RESUME")  # a coroutine that waits stands at RESUME in 3.13
_CALLING = ("CALL", "PRECALL", "BEFORE_WITH", "LOAD_SPECIAL", "WITH_EXCEPT_START", *_ITERATING, *_AWAITING)
_CHEAP_NAMES = (
    "range len isinstance issubclass getattr hasattr setattr super type id repr enumerate zip map filter iter next"
    " reversed int str float bool"
)
_CHEAP = frozenset(_CHEAP_NAMES.split())
"""Builtins that are called on the way to what takes long."""
_CONSTANT = frozenset(
    "len isinstance issubclass super type id callable range enumerate zip map filter iter reversed".split()
)
"""Builtins that take no time themselves. A thread hands the GIL over once it has made its next call: a look that finds
it in one of these came while an argument of that call was computed."""
_CONSUMERS = frozenset("list tuple set frozenset dict sum any all".split())
"""Builtins that take what another call yields, as `list(csv.reader(file))`: the other call computes."""
_ARRAYS = ("numpy", "scipy", "torch", "tensorflow", "pandas", "polars", "cupy", "jax")
"""Packages whose objects compute where an operator takes them: `np.ones(SHAPE) @ np.ones(SHAPE)`."""
_SOCKET_FILE = "socket.SocketIO."
"""What was seen further in, where C code of `io` reads or writes a socket."""
_BUILTIN_TYPES = ("str.", "bytes.", "dict.", "list.", "set.", "tuple.", "int.", "float.")


class _Instruction(NamedTuple):
    opcode: str
    begin: Position
    end: Position

    def calls(self) -> bool:
        return self.opcode.startswith(_CALLING)


def source_line(file: str, line: int) -> str | None:
    """The text of a line (the first is 1) without its indentation; None where there is none."""
    lines = source_lines(file)
    return (lines[line - 1].strip() or None) if 0 < line <= len(lines) else None


def called(
    code: types.CodeType,
    line: int,
    namespace: Mapping[str, object],
    lasti: int | None = None,
    *,
    below: str | None = None,
    variables: Mapping[str, object] | None = None,
) -> str | None:
    """The call that `code` makes at `line`: the running one where its frame's `lasti` is given, else the likeliest.

    `namespace` holds the frame's globals, `variables` its locals, where the frame's own thread asks. `below`: the
    public name of the function whose frame was seen below this one, if it is a library's: it names what the namespace
    cannot resolve (a closure, an attribute of a local) and what is no call in the source (an attribute that loads a
    relation). None where the line or the instruction calls nothing, or where there is no source.
    """
    at = _instruction(code, lasti)
    line = at.begin[0] if at else line
    place = Scope(code, line, later=at is None).place
    scope = FrameScope(namespace, partial(bound, code.co_filename, line), variables=variables, place=place)
    sites = call_sites(code, line)
    name = _named(at, sites, line, code, scope)
    if below is not None and below.startswith(_SOCKET_FILE):
        return _of_socket(name) or below
    return below if below is not None and _is_better(below, name, sites, scope) else name


def _of_socket(name: str | None) -> str | None:
    """The method of the file that `socket.makefile` gave: by its class it is a file, as any other."""
    owner, _, method = (name or "").rpartition(".")
    entry = known(name)
    is_of_file = owner and (hasattr(io.BufferedReader, method) or hasattr(io.TextIOWrapper, method))
    return f"socket.socket.makefile().{method}" if is_of_file and (entry is None or entry.prefix == "io") else name


def _is_better(below: str, name: str | None, sites: list[CallSite], scope: FrameScope) -> bool:
    """Whether the function that was seen running says more than the name by the source."""
    entry, before = known(below), known(name)
    if entry is None and (is_on_the_way(below) or is_plumbing(below)):
        return False
    if before is not None and name is not None and ("()" in name or _say_the_same(entry, before)):
        return False  # what made the object is known; or all that is known of the one is known of the other
    if name in _CHEAP | _CONSUMERS:
        return entry is not None
    return not any(is_resolved(site, scope) and callee(site, scope) == name for site in sites)


def _say_the_same(entry: Entry | None, other: Entry) -> bool:
    return entry is not None and entry._replace(prefix="") == other._replace(prefix="")


def _named(
    at: _Instruction | None, sites: list[CallSite], line: int, code: types.CodeType, scope: FrameScope
) -> str | None:
    if at is None:
        name = _likeliest([site for site in _on_line(sites, line) if not _only_counts(site, scope)], code, scope)
        return None if _may_not_be_it(name, sites, line, code, scope) else name
    return _running(at, sites, code, scope) if at.calls() else _consumer(at, sites, code, scope)


def _may_not_be_it(name: str | None, sites: list[CallSite], line: int, code: types.CodeType, scope: FrameScope) -> bool:
    """Whether something else on the line may take as long as the likeliest call: an operator on arrays, an `import`."""
    entry = known(name)
    if entry is not None and not entry.prefix.startswith(_ARRAYS):
        return False
    statements = [*source_of(code.co_filename).statements_at(line)]
    if entry is None and any(isinstance(each, ast.Import | ast.ImportFrom) for each in statements):
        return True
    operations = [node for each in statements[-1:] for node in ast.walk(each) if isinstance(node, ast.BinOp)]
    here = [node for node in operations if node.lineno <= line <= (node.end_lineno or line)]
    named = {site.node for site in sites if callee(site, scope) == name}
    return any(isinstance(each.op, ast.MatMult) or (entry and not named.isdisjoint(ast.walk(each))) for each in here)


def _only_counts(site: CallSite, scope: FrameScope) -> bool:
    """Whether the call is the least part of a loop on its line: `range` in `[n * n for n in range(count)]`."""
    return callee(site, scope) in _CHEAP and (site.repeats or bool(parts([site], COMPREHENSIONS)))


def own_name(code: types.CodeType, namespace: Mapping[str, object]) -> str | None:
    """The public dotted name of the function that `code` is of, `jinja2.Template.render`; None where it has none."""
    module = namespace.get("__name__")
    thing = public_names.found_at(f"{module}.{code.co_qualname}") if type(module) is str else None
    if isinstance(thing, staticmethod | classmethod):
        thing = thing.__func__
    path = public_names.path_of(thing)
    return None if path is None or public_names.is_private(path) else path.removesuffix(".__init__")


def _instruction(code: types.CodeType, lasti: int | None) -> _Instruction | None:
    if lasti is None or not 0 <= lasti < len(code.co_code):
        return None
    first, last, begin, end = next(itertools.islice(code.co_positions(), lasti // 2, None), (None,) * 4)
    if first is None or last is None or begin is None or end is None:
        return None
    while lasti > 1 and code.co_code[lasti] == _CACHE:  # 3.11 and 3.12 stand here while Python code is called
        lasti -= 2
    return _Instruction(dis.opname[code.co_code[lasti]], (first, begin), (last, end))


def _running(at: _Instruction, sites: list[CallSite], code: types.CodeType, scope: FrameScope) -> str | None:
    ending = [site for site in sites if at.end in (site.end, site.name_end)]
    exact = [site for site in ending if site.begin <= at.begin or at.opcode.startswith(_AWAITING)]
    # The position of `with` and `for` (up to 3.12) and of an assert that pytest rewrote is the whole statement.
    inside = [site for site in sites if at.begin <= site.begin and site.end <= at.end]
    name = callee(exact[-1], scope) if exact else _likeliest(inside, code, scope)
    within = [site for site in sites if name in _CONSUMERS | _CONSTANT and exact and _within(site, exact[-1])]
    inner = _likeliest([site for site in within if not _only_counts(site, scope)], code, scope)
    if inner and (name in _CONSTANT or known(inner)):
        return inner
    if not (exact or inside) or (name in _CHEAP and (at.opcode.startswith(_ITERATING) or code.co_name in FRAME_OF)):
        return _consumer(at, sites, code, scope) or (name if not at.opcode.startswith(_ITERATING) else None)
    return name


def _within(site: CallSite, outer: CallSite) -> bool:
    return site is not outer and outer.begin <= site.begin and site.end <= outer.end


def _on_line(sites: list[CallSite], line: int) -> list[CallSite]:
    return [site for site in sites if site.line == line] or [site for site in sites if site.covers(line)] or sites


def _consumer(at: _Instruction, sites: list[CallSite], code: types.CodeType, scope: FrameScope) -> str | None:
    """The call that consumes the lambda, comprehension or generator expression that runs: it waits for that code."""
    kind = FRAME_OF.get(code.co_name)
    kinds = COMPREHENSIONS if kind is None else (kind,)
    running = [each for each in parts(sites, kinds) if spans(each, at.begin, at.end)]
    around = (site for site in sites if any(map(site.holds, running)))
    return next((name for site in around if (name := callee(site, scope)) not in _CHEAP), None)


def _likeliest(sites: list[CallSite], code: types.CodeType, scope: FrameScope) -> str | None:
    named = [(site, name) for site in sites if (name := callee(site, scope))]
    elsewhere, makers = _elsewhere(sites, code), _makers([site for site, _ in named], scope)
    ranked = [
        (rank := _rank(name), elsewhere[site.node], rank > 1 and site.node in makers, order, name)
        for order, (site, name) in enumerate(named)
    ]
    return min(ranked)[-1] if ranked else None


def _elsewhere(sites: Sequence[CallSite], code: types.CodeType) -> dict[ast.expr, bool]:
    """Which calls another frame makes than the one of `code`: by the positions of its instructions, if it has any."""
    ends = _ends_of_calls(code) if len(sites) > 1 else set()
    here = {site.node for site in sites if ends & {site.end, site.name_end}}
    in_own_frame = code.co_name in FRAME_OF
    return {site.node: site.node not in here if here else site.nested != in_own_frame for site in sites}


def _ends_of_calls(code: types.CodeType) -> set[Position]:
    operations = code.co_code
    ends = ((at, last, end) for at, (_, last, _, end) in enumerate(code.co_positions()) if last and end is not None)
    return {(last, end) for at, last, end in ends if dis.opname[operations[2 * at]].startswith(_CALLING)}


def _makers(sites: Sequence[CallSite], scope: FrameScope) -> set[ast.expr]:
    """Calls that make what is then called: `Report()` of `Report().render()`, `find(name)` of `find(name)(row)`."""
    makers = {site.target.value for site in sites if isinstance(site.target, ast.Attribute)}
    made = {each for each in makers if isinstance(each, ast.Call) and _is_class(infer(each.func, scope))}
    return made | {site.target for site in sites if isinstance(site.target, ast.Call)}


def _is_class(what: Inferred | None) -> bool:
    return what is not None and public_names.is_a(what.thing, type)


def _rank(name: str) -> int:
    """The lower, the likelier it is that the line waits for this call."""
    entry = known(name)
    if entry is not None:
        return 0 if entry.network else 1
    if name in _CHEAP:
        return 4
    return 3 if name.startswith(_BUILTIN_TYPES) else 2
