"""Goes beside an app that connects to itself: `server` answers each connection with one byte."""

import socket
import threading

server = socket.create_server(("127.0.0.1", 0))


def _serve() -> None:
    while True:
        connection, _ = server.accept()
        connection.recv(9)
        connection.sendall(b"x")
        connection.close()


threading.Thread(target=_serve, daemon=True).start()
