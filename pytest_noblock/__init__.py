"""A pytest plugin that asserts that ASGI endpoints do not block the event loop."""

from pytest_noblock.findings import Check, Finding, ProbeWaits, TaskRun

__all__ = ["Check", "Finding", "ProbeWaits", "TaskRun"]
