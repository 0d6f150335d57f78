"""Twins: every way to block an event loop, beside the ways to repair it. `uvicorn example_app.main:app`."""
