"""What the user accepts, with a reason: pure functions of checks."""
