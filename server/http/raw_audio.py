"""Sound without a header, as telephone systems send it: its content type says what it is (RFC 2586, 3190, 4856)."""

import re
from collections.abc import Callable

from python_multipart.multipart import parse_options_header

from inference.audio.raw import RAW_ENCODINGS, raw_header
from inference.errors import UnsupportedCodec
from server.errors import BadRequest

# Media type → encoding, and the sample rate where the type may leave it out.
_TYPES: dict[str, tuple[str, int | None]] = {
    "audio/basic": ("MULAW", 8_000),
    "audio/pcmu": ("MULAW", 8_000),
    "audio/x-mulaw": ("MULAW", 8_000),
    "audio/pcma": ("ALAW", 8_000),
    "audio/x-alaw": ("ALAW", 8_000),
    "audio/l8": ("U8", None),
    "audio/l16": ("S16BE", None),
    "audio/l24": ("S24BE", None),
    "audio/x-raw": ("S16LE", None),
}
_WITH_HEADER = (b"RIFF", b".snd", b"OggS", b"fLaC", b"ID3", b"caff", b"FORM")
_GSTREAMERS_CAPS = re.compile(r"\s*audio/x-raw\s*[,;]", re.IGNORECASE)  # commas where MIME has semicolons
_GSTREAMERS_TYPE = re.compile(r"^\(\w+\)\s*")  # as in rate=(int)16000


class RawAudio:
    """Passes sound on, behind the header that its content type describes, if it describes one."""

    def __init__(self, append: Callable[[bytes], None]) -> None:
        self._append = append
        self._header = b""
        self._first = b""

    def describe(self, content_type: str) -> None:
        """Take the content type; raise what `header_of` does."""
        self._header = header_of(content_type)

    def append(self, data: bytes) -> None:
        """Pass on; a file with a header of its own keeps that: `audio/basic` is also what `.au` files are called."""
        if self._header:
            self._first += data
            if len(self._first) < 4:
                return
            data = self._first if self._first.startswith(_WITH_HEADER) else self._header + self._first
            self._header = self._first = b""
        self._append(data)

    def finish(self) -> None:
        """Pass on what is too short to be told."""
        if self._first:
            self._append(self._header + self._first)


def header_of(content_type: str) -> bytes:
    """Return the header of such sound, empty for a type that is not one of raw sound.

    Raises BadRequest where a parameter is missing or cannot be, UnsupportedCodec for an unknown format.
    """
    if _GSTREAMERS_CAPS.match(content_type):
        content_type = content_type.replace(",", ";")
    media_type, given = parse_options_header(content_type)
    known = _TYPES.get(media_type.decode("latin-1").lower())
    if known is None:
        return b""
    encoding, rate = known
    values = {name.decode("latin-1").lower(): _GSTREAMERS_TYPE.sub("", value.decode("latin-1"))
              for name, value in given.items()}  # fmt: skip
    if media_type.lower() == b"audio/x-raw":
        encoding = values.get("format", encoding).upper()
        if encoding not in RAW_ENCODINGS or values.get("layout", "interleaved") != "interleaved":
            raise UnsupportedCodec(f"audio/x-raw is taken interleaved, with a format of {', '.join(RAW_ENCODINGS)}")
    if "rate" not in values and rate is None:
        raise BadRequest(f"{media_type.decode('latin-1')} needs a rate: {media_type.decode('latin-1')};rate=8000")
    try:
        return raw_header(encoding, int(values.get("rate", rate or 0)), int(values.get("channels", "1")))
    except ValueError as error:
        raise BadRequest(f"rate and channels of the content type cannot be: {error}") from error
