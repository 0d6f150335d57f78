"""What all tests share."""

import contextlib

import pytest

with contextlib.suppress(ImportError):
    # anyio keeps the first backend that it loads: an inner run that brought trio and took it away again
    # would leave one whose trio is not the next run's.
    import trio  # noqa: F401


@pytest.fixture
def pytester(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """Inner runs are the same everywhere: in the order they are written, and with nothing that CI sets."""
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:randomly -W 'ignore:The configuration option:DeprecationWarning'")
    for name in ("CI", "BUILD_NUMBER", "COLUMNS", "FORCE_COLOR"):  # pytest cuts no summary line where CI is set
        monkeypatch.delenv(name, raising=False)
    return pytester
