"""The services that `advised_app` asks: one sends a line to who connects, and one for each byte; one shakes hands.

One answers HTTP, and takes its time before each part of the answer.
"""

import contextlib
import socket
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LISTENER = socket.create_server(("127.0.0.1", 0))
LINES = LISTENER.getsockname()
SECURE_LISTENER = socket.create_server(("127.0.0.1", 0))
SECURE = SECURE_LISTENER.getsockname()


def context(side):
    """Without a certificate: TLS 1.2 can agree on a key anonymously."""
    made = ssl.SSLContext(side)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    made.maximum_version = ssl.TLSVersion.TLSv1_2
    made.set_ciphers("AECDH:@SECLEVEL=0")
    return made


CONTEXT, OF_SERVER = context(ssl.PROTOCOL_TLS_CLIENT), context(ssl.PROTOCOL_TLS_SERVER)


def answer(connection):
    with connection, contextlib.suppress(OSError):  # the client may be gone
        connection.sendall(b"ready\n")
        while connection.recv(1):
            connection.sendall(b"tea\n")


def shake_hands(connection):
    with connection, contextlib.suppress(OSError), OF_SERVER.wrap_socket(connection, server_side=True) as secured:
        secured.recv(1)
        secured.unwrap().close()


class Pages(BaseHTTPRequestHandler):
    """Of `/at-once` the body comes with the head."""

    def do_GET(self):
        time.sleep(0.06)
        self.send_response(200)
        self.end_headers()
        self.wfile.flush()
        time.sleep(0 if self.path == "/at-once" else 0.06)
        self.wfile.write(b"tea\nmilk\n")

    def log_message(self, *args):
        """Not on the terminal."""


PAGES = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
SLOW = f"http://127.0.0.1:{PAGES.server_port}/"
threading.Thread(target=PAGES.serve_forever, daemon=True).start()


def serve(listener, each):
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=each, args=(connection,), daemon=True).start()


threading.Thread(target=serve, args=(LISTENER, answer), daemon=True).start()
threading.Thread(target=serve, args=(SECURE_LISTENER, shake_hands), daemon=True).start()
