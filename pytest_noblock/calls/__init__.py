"""Which call a line makes, by the name people know, and what is known of it. Reads code; runs and imports none."""
