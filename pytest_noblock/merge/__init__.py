"""Judges the JSON reports of many jobs as one run."""
