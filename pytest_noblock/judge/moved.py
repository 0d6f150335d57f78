"""How a call is written that is awaited, or moved to a thread: pure functions of its dotted name."""

import re

from pytest_noblock.calls.known import KNOWN_MODULES, entry_of
from pytest_noblock.model.where import Used

_CLASS = re.compile(r"^(?:cursor|connection|socket)$|(?:[A-Z][a-z0-9_]+|[A-Z]+[0-9]*)$")
"""Matches the name of a class. It yields the last word of `PoolManager`, `Manager`, and the classes that begin with a
small letter."""


def filled(template: str, call: str | None, prefix: str) -> str:
    """The template with the method that is called, and with the call, or without both where nobody knows them."""
    method = _method(call or "", prefix)
    text = template.replace("{name}", method) if method else re.sub(r"\.\{name\}| \(.*\{name\}.*\)", "", template)
    return text.replace("{call}, ...", f"{written(call)}, ..." if call and written(call) else "...")


def as_in_code(text: str, call: str | None, code: str | None) -> str:
    """The text with the client's name of this line of code in the place of a made-up one."""
    made = written(call) if call else ""
    method = made.rpartition(".")[2]
    found = re.findall(rf"(?<![\w.)\]])((?:[^\W\d]\w*\.)*{method})\(", code or "") if method.isidentifier() else []
    if len(set(found)) != 1:
        return text
    return text.replace(f"({made}, ...)", f"({found[0]}, ...)").replace(f"({made}(...)", f"({found[0]}(...)")


_ALONE = r"asyncio\.to_thread\({}\.\.\.\)(?! at | around | of )"
"""Matches a thread that has the call alone. What is behind it says which line, or which other function, is moved."""
_ALL_OF: dict[Used, str] = {
    "line": "does all of this line",
    "awaiting line": "makes the call and reads its answer",
    "loop": "has the whole loop",
    "with": "has the whole with block",
}


def with_answer(text: str, call: str | None, used: Used | None) -> str:
    """The text, in which a thread has not only the call, but also what waits again as its answer is read."""
    if used is None:
        return text
    made = written(call) if call else ""
    owner, _, method = made.rpartition(".")
    if used == "part":
        moved = f"asyncio.to_thread({made}, ...), where {owner} is what stands before .{method}" if owner else None
    else:
        moved = f"asyncio.to_thread(f, ...), where f {_ALL_OF.get(used) or f'returns list({made}(...))'}"
    alone = _ALONE.format(re.escape(f"{made}, ") if made else "")
    return re.sub(alone, lambda found: moved or found[0], text)


def written(call: str) -> str:
    """The call as code writes it: `requests.get`, but `session.get` for `requests.Session.get`; empty if unknown."""
    parts = call.split(".")
    if parts[-1].startswith("__") or parts[-1].endswith(")"):
        return ""
    for at in range(len(parts) - 2, 0, -1):
        word = None if ".".join(parts[: at + 1]) in KNOWN_MODULES else _CLASS.search(parts[at])
        if word:
            variable = "client" if word[0].lower() == parts[0] and _is_network(call) else word[0].lower()
            return ".".join((variable, *parts[at + 1 :]))
    return call


def _method(call: str, prefix: str) -> str:
    path = call.partition("()")[0]
    name = (path if path == prefix and "." in path else path.removeprefix(prefix)).rpartition(".")[2]
    return name if name.isidentifier() and name[0].islower() else ""


def _is_network(call: str) -> bool:
    entry = entry_of(call)
    return entry is not None and entry.network
