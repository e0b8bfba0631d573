"""Keys and tokens that somebody has put into a path: logs have them without their secret."""

import time

import pytest

from server.http.context import _path


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/v1/asr_0123456789ab_" + "f" * 64, "/v1/asr_0123456789ab…"),
        ("/v1/eyJhbGciOiJub25l.eyJzdWIiOiJhIn0.c2VzYW1l/x", "/v1/eyJhbGciOiJub25l…/x"),
        ("/v1/transcriptions", "/v1/transcriptions"),
    ],
)
def test_what_is_secret_is_left_out(path, told):
    assert _path({"path": path}) == told


@pytest.mark.parametrize("piece", ["eyJ", "asr_", "eyJ.", "eyJaaaa.eyJ", "a-"])
def test_a_long_path_takes_no_more_time_than_its_length(piece):
    """A stranger may send 32 KiB. Four times as much would take 16 times as long, were all tried from each place."""
    short, long = (min(_seconds(piece * (size // len(piece))) for _ in range(5)) for size in (8_000, 32_000))
    assert long < 10 * short


def _seconds(path):
    began = time.process_time()
    for _ in range(3):
        _path({"path": path})
    return time.process_time() - began
