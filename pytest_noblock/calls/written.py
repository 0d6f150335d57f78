"""How a function is written, and a call in it: pure syntax, by the file, a line and the function's name."""

import ast
import types

from pytest_noblock.calls.sources import (
    COMPREHENSIONS,
    defines,
    functions_at,
    own_nodes,
    source_of,
    statements_of_module,
)

_BINDING = ("staticmethod", "classmethod")
"""Decorators that take a coroutine function as any other."""
AWAITS = (ast.Await, ast.AsyncFor, ast.AsyncWith)


def awaits(file: str, line: int, function: str) -> bool:
    """Whether the innermost function of this name around the line awaits anything; True where it is not found."""
    found = next((each for each in functions_at(file, line) if each.name == function), None)
    return found is None or any(map(_is_await, own_nodes(found)))


def called_at(file: str, line: int, name: str) -> str | None:
    """The callee on this line, as it is written: the one named `name`, or the only one that is not awaited."""
    texts = [_dotted(each.func) for each in _calls_on(file, line)]
    named = {text for text in texts if text is not None and text.rpartition(".")[2] == name}
    found: set[str | None] = {*named} or {*texts}
    return next(iter(found)) if len(found) == 1 else None


def is_called_at(file: str, line: int, name: str) -> bool:
    """Whether a call of this name is written on the line: of a function, or of a method."""
    return any((_dotted(each.func) or "").rpartition(".")[2] == name for each in _calls_on(file, line))


def is_decorated(file: str, line: int, function: str) -> bool:
    """Whether the innermost function of this name around the line has a decorator that knows nothing of coroutines."""
    found = next((each for each in functions_at(file, line) if each.name == function), None)
    return found is not None and any(_dotted(each) not in _BINDING for each in found.decorator_list)


def is_read_at(file: str, line: int, name: str) -> bool:
    """Whether the line reads an attribute of this name and does not call it: a property's."""
    nodes = [node for each in statements_of_module(file, line) for node in ast.walk(each)]
    called = {id(node.func) for node in nodes if isinstance(node, ast.Call)}
    read = (node for node in nodes if isinstance(node, ast.Attribute) and node.attr == name and id(node) not in called)
    return any(each.lineno <= line <= (each.end_lineno or each.lineno) for each in read)


def block_awaits(file: str, line: int) -> bool:
    """Whether a `with` block that begins on the line awaits anything."""
    nodes = (node for each in statements_of_module(file, line) for node in ast.walk(each))
    blocks = [node for node in nodes if isinstance(node, ast.With) and node.lineno == line]
    return any(_is_await(part) for block in blocks for part in ast.walk(block))


def imports(file: str, line: int) -> bool:
    """Whether the line has an `import` statement."""
    return any(isinstance(each, ast.Import | ast.ImportFrom) for each in source_of(file).statements_at(line))


def consumes(file: str, line: int, call: str) -> bool:
    """Whether the call on this line reads a comprehension or a generator expression: it is the loop's, as `sum` is."""
    name = call.rpartition(".")[2]
    same = (each for each in _calls_on(file, line) if (_dotted(each.func) or "").rpartition(".")[2] == name)
    return any(isinstance(node, COMPREHENSIONS) for each in same for part in each.args for node in ast.walk(part))


def _is_await(node: ast.AST) -> bool:
    return isinstance(node, AWAITS) or (isinstance(node, ast.comprehension) and bool(node.is_async))


def _calls_on(file: str, line: int) -> list[ast.Call]:
    """The calls on the line that are not awaited."""
    around = statements_of_module(file, line)
    nodes = [node for each in around for node in ast.walk(each) if isinstance(node, ast.Call | ast.Await)]
    awaited = {id(each.value) for each in nodes if isinstance(each, ast.Await)}
    return [
        each
        for each in nodes
        if isinstance(each, ast.Call)
        and each.lineno <= line <= (each.end_lineno or each.lineno)
        and id(each) not in awaited
    ]


def _dotted(node: ast.expr) -> str | None:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        before = _dotted(node.value)
        return f"{before}.{node.attr}" if before else None
    if isinstance(node, ast.Call):  # `Report().render`: what is called is an attribute of what the call makes
        made = _dotted(node.func)
        return f"{made}({'...' if node.args or node.keywords else ''})" if made else None
    return None


def annotated_return(code: types.CodeType) -> str | None:
    """What the function of this code is written to return: `Reply` of `def get(self) -> "Reply"`."""
    for function in functions_at(code.co_filename, code.co_firstlineno):
        if defines(function, code) and function.returns is not None:
            return ast.unparse(function.returns).strip("'\"")  # it may stand in quotes
    return None
