"""Many requests under way at once, as in a sweep."""
