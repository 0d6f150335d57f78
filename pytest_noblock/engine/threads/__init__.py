"""The other threads: pools, who works in them, who keeps the GIL, where tasks wait."""
