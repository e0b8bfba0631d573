"""Files of every kind, made on the spot by FFmpeg's encoders (PyAV) and by libsndfile."""

import io
import struct
import tempfile
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from tests.samples import encode

_LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1", 16: "hexadecagonal"}


def ffmpeg(
    samples, container, codec, rate=16_000, *, options=None, of_codec=None, bit_rate=None, video=False, cover=False,
    streamed=False,
):  # fmt: skip
    """A file in memory of mono `[frames]` or `[frames, channels]` samples, at the encoder's own rate.

    `options` are the container's, `of_codec` the encoder's.
    """
    buffer = io.BytesIO()
    if streamed:  # as into a pipe: nothing can be filled in later
        buffer.seekable = lambda: False
    name = Path(tempfile.mkdtemp(), "moved") if "faststart" in str(options) else None  # read again by its name
    samples = np.asarray(samples, np.float32)
    layout = _LAYOUTS[samples.shape[1] if samples.ndim > 1 else 1]
    with av.open(str(name) if name else buffer, "w", format=container, options=options or {}) as output:
        shown = _picture(output) if video else _cover(output) if cover else []
        stream = output.add_stream(
            codec, rate=rate, layout=layout, options={"strict": "experimental", **(of_codec or {})}
        )
        if bit_rate:
            stream.bit_rate = bit_rate
        frames = list(_frames(samples, rate, layout, stream.codec_context))
        for packet in shown:
            output.mux(packet)
        for frame in frames:
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return name.read_bytes() if name else buffer.getvalue()


def silent_film(container="mp4", codec="mpeg4"):
    """A video without sound."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container) as output:
        for packet in _picture(output, codec, frames=10):
            output.mux(packet)
    return buffer.getvalue()


def film_with_attachments(name):
    """Matroska with a font and a cover picture beside the sound, two seconds."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="matroska") as output:
        output.add_attachment(name, "application/x-truetype-font", b"\0\1\0\0" + bytes(1000))
        output.add_attachment("cover.jpg", "image/jpeg", picture())
        stream = output.add_stream("aac", rate=16_000, layout="mono")
        samples = np.zeros(32_000, np.float32)
        for frame in _frames(samples, 16_000, "mono", stream.codec_context):
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return buffer.getvalue()


def film_with_subtitles(samples, rate=16_000):
    """Matroska with a line of text beside the sound."""
    text = b"1\n00:00:00,000 --> 00:00:02,000\nA line.\n"
    buffer = io.BytesIO()
    with av.open(io.BytesIO(text), format="srt") as lines, av.open(buffer, "w", format="matroska") as output:
        shown = output.add_stream_from_template(lines.streams[0])
        stream = output.add_stream("aac", rate=rate, layout="mono")
        for frame in _frames(np.asarray(samples, np.float32), rate, "mono", stream.codec_context):
            output.mux(stream.encode(frame))
        for packet in lines.demux():
            if packet.size:
                packet.stream = shown
                output.mux(packet)
        output.mux(stream.encode(None))
    return buffer.getvalue()


def picture(codec="mjpeg"):
    """A JPEG."""
    context = av.CodecContext.create(codec, "w")
    context.width = context.height = 64
    context.pix_fmt, context.time_base = "yuvj420p", Fraction(1, 25)
    frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24").reformat(format="yuvj420p")
    frame.pts = 0
    return b"".join(bytes(packet) for packet in [*context.encode(frame), *context.encode(None)])


def remuxed(data, container, keep=bool):
    """The packets of sound of a file, those that `keep` wants, in a container of another kind, with their times."""
    buffer = io.BytesIO()
    with av.open(io.BytesIO(data)) as source, av.open(buffer, "w", format=container) as output:
        stream = output.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(source.streams.audio[0]):
            if packet.size and keep(packet):
                packet.stream = stream
                output.mux(packet)
    return buffer.getvalue()


def with_checksum(page):
    """A page of OGG with the checksum that it should have (RFC 3533: CRC-32, polynomial 0x04c11db7)."""
    page = page[:22] + bytes(4) + page[26:]
    value = 0
    for byte in page:
        value ^= byte << 24
        for _ in range(8):
            value = value << 1 ^ (0x104C11DB7 if value & 0x80000000 else 0)
    return page[:22] + value.to_bytes(4, "little") + page[26:]


def amr_wide(frames=50):
    """AMR-WB of a telephone that sends nothing: frames that describe silence, and empty ones."""
    return b"#!AMR-WB\n" + (bytes([9 << 3 | 4]) + bytes(5) + bytes([15 << 3 | 4]) * 7) * (frames // 8)


def id3(size=1000):
    """An ID3v2 tag of nothing."""
    return b"ID3\x04\0\0" + bytes([size >> 21 & 127, size >> 14 & 127, size >> 7 & 127, size & 127]) + bytes(size)


def rf64(samples, rate=16_000):
    """RF64 as EBU Tech 3306 has it."""
    plain = encode(samples, rate)
    sizes = struct.pack("<QQQI", len(plain) + 28, len(plain) - 44, len(plain) // 2, 0)
    return b"RF64\xff\xff\xff\xffWAVEds64" + struct.pack("<I", 28) + sizes + plain[12:40] + b"\xff" * 4 + plain[44:]


def _frames(samples, rate, layout, context):
    if not samples.size:
        context.open(strict=False)
        return
    whole = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="flt", layout=layout)
    whole.sample_rate = rate
    resampler = av.AudioResampler(format=context.format.name, layout=context.layout.name, rate=rate)
    fifo = av.AudioFifo()
    for frame in [*resampler.resample(whole), *resampler.resample(None)]:
        frame.pts = None
        fifo.write(frame)
    context.open(strict=False)
    place, size = 0, context.frame_size or 1024
    while frame := fifo.read(size) or fifo.read(size, partial=True):
        frame.pts, frame.time_base = place, Fraction(1, rate)
        place += frame.samples
        yield frame


def _cover(output):
    stream = output.add_stream("mjpeg", rate=25)
    stream.width = stream.height = 64
    stream.pix_fmt = "yuvj420p"
    stream.disposition = av.stream.Disposition.attached_pic
    packet = av.Packet(picture())
    packet.stream, packet.pts, packet.dts, packet.time_base, packet.is_keyframe = stream, 0, 0, Fraction(1, 25), True
    return [packet]


def _picture(output, codec="mpeg4", frames=1):
    stream = output.add_stream(codec, rate=25)
    stream.width = stream.height = 64
    stream.pix_fmt = "yuv420p"
    packets = []
    for place in range(frames):
        frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
        frame.pts = place
        packets += stream.encode(frame)
    return [*packets, *stream.encode(None)]
