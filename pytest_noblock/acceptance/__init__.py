"""What the user accepts, with a reason. Pure."""
