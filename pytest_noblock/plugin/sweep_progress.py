"""How far a sweep has come: one line that is rewritten, or in a log one line for each tenth. Quiet under `-q`."""

from functools import partial
from types import TracebackType
from typing import Self

import pytest

from pytest_noblock.plugin.app_output import printing

_STEP = 10
"""Per cent."""


class Progress:
    """`with progress:` stands around the sweep. In a process that does not print it does nothing, as in a worker."""

    def __init__(self, config: pytest.Config) -> None:
        terminal: pytest.TerminalReporter | None = config.pluginmanager.get_plugin("terminalreporter")
        self._printing = partial(printing, config)
        self._terminal = terminal if config.get_verbosity() >= 0 else None
        self._told = -1
        """The tenth that was told last."""

    def __enter__(self) -> Self:
        if self._terminal is not None:
            with self._printing():
                self._terminal.ensure_newline()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if self._terminal is not None and _is_a_screen(self._terminal) and self._told >= 0:
            with self._printing():
                self._terminal.line("")

    def show(self, over: int, everything: int) -> None:
        """So many of all requests have been answered."""
        terminal = self._terminal
        if terminal is None or not everything:
            return
        with self._printing():
            self._show(terminal, over, everything)

    def _show(self, terminal: pytest.TerminalReporter, over: int, everything: int) -> None:
        percent = 100 * over // everything
        line = f"noblock sweep: {over} of {everything} requests answered [{percent:>3}%]"
        if _is_a_screen(terminal):
            terminal.rewrite(line, erase=True)
            self._told = percent // _STEP
        elif percent // _STEP > self._told and (over or self._told >= 0):
            self._told = percent // _STEP
            terminal.write_line(line)


def _is_a_screen(terminal: pytest.TerminalReporter) -> bool:
    """`isatty` is a method in pytest 9.2, and a value in 8.4."""
    found: object = terminal.isatty
    return bool(found() if callable(found) else found)
