"""The markers: their signatures are their help, and what they are checked against."""

import inspect
from collections.abc import Callable

import pytest


def noblock(
    *,
    max_block: str | None = None,
    probe: str | list[str] | None = None,
    app: object = None,
    action: str | None = None,
) -> None:
    """fail the test when a request that it makes blocks the event loop for `max_block` ("50 ms") or longer"""


_MARKERS: dict[str, Callable[..., None]] = {"noblock": noblock}


def register(config: pytest.Config) -> None:
    """The help that `pytest --markers` shows is generated, so it cannot drift."""
    for name, marker in _MARKERS.items():
        signature = ", ".join(f"{each.name}={each.default!r}" for each in inspect.signature(marker).parameters.values())
        config.addinivalue_line("markers", f"{name}({signature}): {inspect.getdoc(marker)}")


def arguments(mark: pytest.Mark, where: str) -> dict[str, object]:
    """The keywords given to a marker. Raises UsageError for unknown ones, and for positional ones."""
    signature = inspect.signature(_MARKERS[mark.name])
    try:
        return dict(signature.bind(*mark.args, **mark.kwargs).arguments)
    except TypeError as error:
        known = ", ".join(signature.parameters)
        raise pytest.UsageError(f"{where}: @pytest.mark.{mark.name}: {error}; it takes {known}") from None
