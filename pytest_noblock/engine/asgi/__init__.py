"""The border between client and app: where requests enter, how the app runs."""
