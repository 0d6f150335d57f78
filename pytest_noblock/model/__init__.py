"""Frozen values and their units: what the engine records, what the judges find. Imports nothing else of ours."""
