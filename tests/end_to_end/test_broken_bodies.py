"""Bodies that go wrong on their way are answered at once, and cost nobody else anything."""

import json
import socket

import pytest

from tests.end_to_end.by_hand import HEAD, connected, read_answer, read_to_the_end, with_length
from tests.end_to_end.test_connections import AUDIO, NAMASTE


@pytest.mark.parametrize(
    ("path", "told_as"), [(b"/transcribe", "/problems/bad-request"), (b"/v1/audio/transcriptions", "bad_request")]
)
@pytest.mark.parametrize("media_type", [b"audio/wav", b"multipart/form-data; boundary=B"])
def test_a_body_that_goes_wrong(server, path, told_as, media_type):
    """The answer comes at once, in the API's own shape, not when the rest of the body has failed to come."""
    with connected(server) as connection:
        head = HEAD.replace(b"/transcribe", path) + b"Content-Type: " + media_type + b"\r\n"
        connection.sendall(head + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nZZ\r\n")
        status, headers, content = read_answer(connection)
        assert (status, headers["connection"]) == (400, "close")
        told = json.loads(content)
        assert (told["error"]["code"] if "error" in told else told["type"]) == told_as


@pytest.mark.parametrize("closes", [False, True])
def test_http_1_0_is_answered_but_not_whoever_closes_its_side(server, library_texts, closes):
    """Of such a client nobody could tell whether it has gone, and a proxy that speaks it closes when its own has."""
    with connected(server) as connection:
        connection.sendall(HEAD.replace(b"1.1", b"1.0") + with_length(AUDIO))
        if closes:
            connection.shutdown(socket.SHUT_WR)
            assert read_to_the_end(connection) == b""
        else:
            status, _, content = read_answer(connection)
            assert (status, json.loads(content)["text"]) == (200, library_texts[NAMASTE])


@pytest.mark.parametrize("trailers", [b"X: 1\r\n" * 200, b"X: " + b"1" * 2_000_000])
def test_trailers_without_end(server, trailers):
    with connected(server) as connection:
        connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\n1\r\n0\r\n" + trailers)
        connection.shutdown(socket.SHUT_WR)
        assert b" 200 " not in read_to_the_end(connection)
    assert server.post(AUDIO).status_code == 200
