"""A web service that answers late: `GET /slow?ms=150`. Prints its port, ends with its standard input."""

import time
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from threading import Thread
from urllib.parse import parse_qs, urlsplit

from example_app.servers.programs import say, until_input_ends

RATES = b'{"EUR": 1.0, "USD": 1.09}'


class Upstream(ThreadingMixIn, TCPServer):
    """Not `http.server.ThreadingHTTPServer`: that one looks its own name up when it starts."""

    daemon_threads = True


class SlowAnswer(BaseHTTPRequestHandler):
    wbufsize = -1  # head and body in one piece: who reads one has both

    def do_GET(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        time.sleep(int(query.get("ms", ["150"])[0]) / 1000)
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(RATES)))
        self.end_headers()
        self.wfile.write(RATES)

    def log_message(self, *_: object) -> None:
        """Says nothing: the terminal is the app's."""


if __name__ == "__main__":
    server = Upstream(("127.0.0.1", 0), SlowAnswer)
    Thread(target=server.serve_forever, daemon=True).start()
    say(str(server.server_address[1]))
    until_input_ends()
