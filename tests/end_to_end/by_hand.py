"""HTTP written by hand, for what no client library would send."""

import contextlib
import http.client
import socket

from loadtest.harness.processes import PATIENCE

HEAD = b"POST /transcribe HTTP/1.1\r\nHost: test\r\n"


@contextlib.contextmanager
def connected(server):
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as connection:
        yield connection


def with_length(audio):
    return b"Content-Length: %d\r\n\r\n" % len(audio) + audio


def chunked(audio):
    return b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(audio), audio)


def read_answer(connection):
    """Status, headers and content of the next answer that is not an interim one."""
    status = 100
    while status < 200:
        response = http.client.HTTPResponse(connection)
        response.begin()
        status = response.status
    return response.status, response.headers, response.read()


def read_to_the_end(connection):
    received = b""
    with contextlib.suppress(ConnectionError):
        while piece := connection.recv(65_536):
            received += piece
    return received
