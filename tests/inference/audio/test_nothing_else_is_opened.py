"""Whatever the bytes say, nothing but themselves is read: no file, no address, no name.

A process of its own decodes what is hostile. The kernel tells (inotify) who opens the file that the bytes point at,
Python tells (audit hook) what it opens itself, and a socket listens where the bytes ask it to call.
"""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.inference.audio.encoders import film_with_attachments
from tests.inference.audio.kinds import files_of_every_kind
from tests.samples import wav

# Reads lines of a file name in hexadecimal; decodes each by the front door and past it by every demuxer.
CHILD = """
import contextlib, ctypes, io, json, os, sys
from pathlib import Path
import av
from inference.audio.containers import CONTAINERS
from inference.audio.decode import decode
from inference.audio.pyav_blocks import pyav_blocks
from inference.audio.source import Part
from inference.errors import InputError
from inference.types import AudioLimits

bait, hostile, with_defaults = Path(sys.argv[1]), [bytes.fromhex(line) for line in sys.stdin], sys.argv[2] == "defaults"
os.chdir(bait.parent)
decode(bytes.fromhex(sys.argv[3]), AudioLimits(), 48_000)  # all that is imported late, and encodings
libc = ctypes.CDLL(None)
watcher = libc.inotify_init1(os.O_NONBLOCK)
assert libc.inotify_add_watch(watcher, os.fsencode(bait), 0x21) >= 0  # IN_OPEN and IN_ACCESS
seen, outcomes = [], []

def hook(event, arguments):
    if event.split(".")[0] in ("open", "socket", "os", "subprocess"):
        seen.append(event)

sys.addaudithook(hook)
for data in hostile:
    if with_defaults:
        with contextlib.suppress(Exception), av.open(io.BytesIO(data)) as container:
            list(container.decode(audio=0))
        continue
    try:
        outcomes.append(f"{decode(data, AudioLimits(), 16_000).duration:.2f}")
    except InputError as error:
        outcomes.append(type(error).__name__)
    for kind in CONTAINERS:
        with contextlib.suppress(InputError), pyav_blocks(Part(data, 0, len(data)), kind) as blocks:
            list(blocks)
try:
    opened = os.read(watcher, 4096)
except BlockingIOError:
    opened = b""
print(json.dumps({"opened": len(opened), "seen": seen, "outcomes": outcomes}))
"""


@pytest.fixture(scope="module")
def bait(tmp_path_factory):
    """A file worth reading."""
    path = tmp_path_factory.mktemp("bait") / "bait.wav"
    path.write_bytes(wav())
    return path


@pytest.fixture(scope="module")
def listener():
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server


def hostile(path, port):
    """Name → bytes that ask for a file or an address."""
    address = f"http://127.0.0.1:{port}/a.wav"
    references = {"file": str(path), "file URL": f"file:{path}", "address": address, "relative name": path.name}
    playlists = {
        "concat": "ffconcat version 1.0\nfile {}\n",
        "HLS": "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{}\n#EXT-X-ENDLIST\n",
        "DASH": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
        'mediaPresentationDuration="PT2S"><Period><AdaptationSet mimeType="audio/mp4"><Representation id="1" '
        'bandwidth="1"><BaseURL>{}</BaseURL></Representation></AdaptationSet></Period></MPD>',
        "SMIL": '<smil><body><audio src="{}"/></body></smil>',
        "PLS": "[playlist]\nFile1={}\n",
        "name alone": "{}",
        "concat protocol": "concat:{}",
        "subfile": "subfile,,start,0,end,0,,:{}",
        "ASX": '<asx version="3.0"><entry><ref href="{}"/></entry></asx>',
        "RTSP": "RTSPtextRTSP://{}",
    }
    inputs = {f"{kind}, {what}": text.format(ref).encode() for kind, text in playlists.items()
              for what, ref in references.items()}  # fmt: skip
    inputs["SDP"] = (
        f"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio {port} RTP/AVP 0\n".encode()
    )
    inputs["subtitles, SubRip"] = b"1\n00:00:00,000 --> 00:00:02,000\n<font face='" + str(path).encode() + b"'>a\n"
    inputs["subtitles, ASS"] = b"[Script Info]\n[Fonts]\nfontname: " + str(path).encode() + b"\n[Events]\n"
    inputs["a data reference"] = external(files_of_every_kind()["MOV, PCM"], str(path))
    return inputs


def external(movie, path):
    """A QuickTime file whose samples are said to be in another file."""
    own = b"\0\0\0\x0curl \0\0\0\x01"
    assert own in movie
    return movie.replace(own, b"\0\0\0\x0curl \0\0\0\0").replace(b"minf", b"minf") + path.encode()


def decoded_apart(bait, inputs, way="ours"):
    child = subprocess.run(
        [sys.executable, "-c", CHILD, bait, way, files_of_every_kind()["MP3"].hex()],
        input="\n".join(data.hex() for data in inputs),
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
    )
    return json.loads(child.stdout)


def calls(listener):
    try:
        listener.accept()[0].close()
    except BlockingIOError:
        return 0
    return 1


def test_no_file_and_no_address_is_opened(bait, listener):
    inputs = hostile(bait, listener.getsockname()[1])
    report = decoded_apart(bait, inputs.values())
    assert (report["opened"], report["seen"]) == (0, [])
    outcomes = dict(zip(inputs, report["outcomes"], strict=True))
    # A movie that is said to be elsewhere is decoded from its own bytes or not at all.
    assert outcomes.pop("a data reference") in ("2.00", "UndecodableAudio")
    assert set(outcomes.values()) == {"UndecodableAudio"}
    assert not calls(listener)


def test_fonts_and_covers_inside_are_left_alone(bait):
    report = decoded_apart(bait, [film_with_attachments(str(bait))])
    assert (report["opened"], report["seen"], report["outcomes"]) == (0, [], ["2.05"])


def test_the_watch_sees_what_the_defaults_would_open(bait):
    assert decoded_apart(bait, [b"ffconcat version 1.0\nfile bait.wav\n"], "defaults")["opened"]
