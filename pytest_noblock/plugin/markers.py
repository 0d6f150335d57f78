"""The markers. Each is a function: its signature is the marker's help, and what its arguments are checked against."""

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

import pytest

if TYPE_CHECKING:
    from pytest_noblock.acceptance.allowances import Allowance


def noblock(
    *,
    max_block: str | None = None,
    max_total: str | None = None,
    probe: str | list[str] | None = None,
    app: object = None,
    action: str | None = None,
) -> None:
    """fail the test when a request that it makes blocks the event loop for `max_block` ("50 ms") or longer"""


def noblock_allow(reason: str, *, call: str | None = None, kinds: list[str] | None = None) -> None:
    """accept findings, for a reason; `call` ("sqlite3") and `kinds` (["cpu"]) narrow it to some"""


def noblock_background(*names: str) -> None:
    """these BackgroundTasks ran, in this order, after their response was complete, to their end"""


_MARKERS: dict[str, Callable[..., None]] = {
    "noblock": noblock,
    "noblock_allow": noblock_allow,
    "noblock_background": noblock_background,
}


def register(config: pytest.Config) -> None:
    """Registers the markers; what `pytest --markers` shows is made of their signatures."""
    for name, marker in _MARKERS.items():
        arguments = ", ".join(_shown(each) for each in inspect.signature(marker).parameters.values())
        config.addinivalue_line("markers", f"{name}({arguments}): {inspect.getdoc(marker)}")


def _shown(parameter: inspect.Parameter) -> str:
    required = parameter.default is parameter.empty
    if parameter.kind is parameter.VAR_POSITIONAL:
        return f"*{parameter.name}"
    return parameter.name if required else f"{parameter.name}={parameter.default!r}"


class Marked(NamedTuple):
    """Our markers of one test, its class and its module, the closest to the test first."""

    marks: tuple[pytest.Mark, ...]

    def named(self, name: str) -> list[dict[str, Any]]:
        """What each marker of this name was given, by argument. Raises UsageError."""
        return [_arguments(mark) for mark in self.marks if mark.name == name]


def marked(item: pytest.Item) -> Marked:
    found: list[pytest.Mark] = []
    node: Any = item
    while node is not None:  # for every test, with --noblock: `iter_markers` is slower
        if node.own_markers:
            found += [mark for mark in node.own_markers if mark.name in _MARKERS]
        node = node.parent
    return Marked(tuple(found))


def watches(item: pytest.Item) -> bool:
    """Whether a marker asks for the requests of this test to be watched."""
    return any(mark.name in ("noblock", "noblock_background") for mark in item.iter_markers())


def allowances(ours: Marked) -> "list[Allowance]":
    """What the test, its class and its module accept. Raises UsageError."""
    return [_allowance(given) for given in ours.named("noblock_allow")]


_NAMES = (
    'write the names one after the other, @pytest.mark.noblock_background("write_log", "send_email"), '
    "or none for all tasks"
)


def background_names(ours: Marked) -> list[str] | None:
    """The names of the tasks that must run, from the marker that is closest to the test. Raises UsageError.

    Empty for all tasks; None where no marker asks.
    """
    for given in ours.named("noblock_background"):
        return [_task_name(each) for each in given.get("names", ())]
    return None


def _task_name(given: object) -> str:
    if isinstance(given, str) and given.strip():
        return given
    module, name = _text_of(given, "__module__"), _text_of(given, "__qualname__")
    if callable(given) and module and name:
        return f"{module}.{name}"
    if isinstance(given, list | tuple | set):
        raise pytest.UsageError(f"@pytest.mark.noblock_background takes no {type(given).__name__}; {_NAMES}")
    raise pytest.UsageError(f"noblock_background: {_shown_value(given)} is neither the name of a task nor a function")


def _text_of(given: object, name: str) -> str | None:
    try:
        text = getattr(given, name, None)
    except Exception:  # noqa: BLE001  # code of the user's
        return None
    return text if isinstance(text, str) else None


def _shown_value(given: object) -> str:
    from pytest_noblock.model import shown  # only a mistake needs it

    return shown.value(given)


def _allowance(given: dict[str, Any]) -> "Allowance":
    from pytest_noblock.acceptance.allowances import Allowance

    reason, call, kinds = given.get("reason"), given.get("call"), given.get("kinds")
    if not isinstance(reason, str) or not reason.strip():
        raise pytest.UsageError(f"noblock_allow needs a reason in words, not {_shown_value(reason)}")
    if call is not None and not (isinstance(call, str) and call.strip()):
        raise pytest.UsageError(f'noblock_allow: call={_shown_value(call)} is not a name such as "sqlite3"')
    return Allowance(reason, call, None if kinds is None else _kinds(kinds))


def _kinds(given: object) -> tuple[str, ...]:
    from pytest_noblock.model.kinds import Kind

    known = get_args(Kind)
    kinds = tuple(given) if isinstance(given, list | tuple) else ()
    if kinds and all(isinstance(each, str) and each in known for each in kinds):
        return kinds
    raise pytest.UsageError(
        f"noblock_allow: kinds={_shown_value(given)} is not a list of {', '.join(known)}; without it all are"
    )


def _arguments(mark: pytest.Mark) -> dict[str, Any]:
    """The arguments of a marker, by name. Raises UsageError for an argument that the marker does not take."""
    if mark.name == "noblock_background" and mark.kwargs:
        raise pytest.UsageError(f"@pytest.mark.noblock_background takes no {'=, '.join(mark.kwargs)}=; {_NAMES}")
    signature = inspect.signature(_MARKERS[mark.name])
    try:
        given = signature.bind(*mark.args, **mark.kwargs).arguments
    except TypeError as error:
        from pytest_noblock.model import shown

        known = ", ".join(signature.parameters)
        raise pytest.UsageError(f"@pytest.mark.{mark.name}: {shown.one_line(error)}; it takes {known}") from None
    return {name: value for name, value in given.items() if value is not None}
