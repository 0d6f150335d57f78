"""What the app prints while a sweep imports it, starts it and sends its requests is captured, as a test's output is.

pytest captures while a test runs. A sweep sends all requests before its first item does: an engine with `echo=True`
would print a thousand lines between the progress and the dots. `-s` lets all of it through.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import pytest

Told = Callable[[str, str], None]
"""Takes the name of a stream, `stdout`, and what was printed there; not called where nothing was."""


@contextmanager
def captured(config: pytest.Config, told: Told) -> Iterator[None]:
    """Capture what is printed in the block, as `-s` and `--capture` say."""
    manager = _manager(config)
    if manager is None:
        yield
        return
    manager.resume_global_capture()
    try:
        yield
    finally:
        manager.suspend_global_capture(in_=False)
        for stream, text in zip(("stdout", "stderr"), manager.read_global_capture(), strict=True):
            if text:
                told(stream, text)


def printing(config: pytest.Config) -> AbstractContextManager[None]:
    """What is printed in the block is seen, also within `captured`."""
    manager = _manager(config)
    return nullcontext() if manager is None else manager.global_and_fixture_disabled()


def _manager(config: pytest.Config) -> Any:
    """pytest's CaptureManager; None under `-p no:capture`, and once an interrupt has ended all capturing."""
    manager = config.pluginmanager.get_plugin("capturemanager")
    ended = getattr(manager, "_global_capturing", None) is None  # private (pytest 8.4 to 9.2)
    return None if ended else manager
