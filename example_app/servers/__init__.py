"""One program for each service: `python -m example_app.servers.NAME`.

Each prints its address, or why there is none, and ends with its standard input: so it ends with
the process that started it, however that ends. Data are in temporary folders, ports on 127.0.0.1.
"""
