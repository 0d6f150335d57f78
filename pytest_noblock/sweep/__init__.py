"""The sweep: every route of an app, no test code."""
