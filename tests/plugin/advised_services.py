"""The services that `advised_app` asks: one sends a line to who connects, and one for each byte; one shakes hands."""

import contextlib
import socket
import ssl
import threading

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


def serve(listener, each):
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=each, args=(connection,), daemon=True).start()


threading.Thread(target=serve, args=(LISTENER, answer), daemon=True).start()
threading.Thread(target=serve, args=(SECURE_LISTENER, shake_hands), daemon=True).start()
