"""The HTML report: one file that needs no server, no script and no style to be read."""
