"""Renders a Check as what people and programs read. Pure, but for `formats.write`."""
