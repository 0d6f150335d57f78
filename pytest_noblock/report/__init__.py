"""Pure functions of a Check: what people and programs read."""
