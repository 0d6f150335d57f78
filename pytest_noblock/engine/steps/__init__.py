"""The steps of the loop thread: metered, sampled, counted line by line."""
