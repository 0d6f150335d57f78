"""What is known of blocking calls, as literals."""
