"""Through a codec and back, as a telephone, a headset, a messenger or a recorder does."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import cast

import av
import numpy as np
import soxr
from numpy.typing import NDArray

Samples = NDArray[np.float32]
_RATE = 16_000


@dataclass(frozen=True)
class Codec:
    """An encoder of FFmpeg's, the container it is put into, and how coarse it may be."""

    encoder: str
    container: str
    rate: int
    bit_rates: tuple[int, ...]
    sample_format: str = "s16"
    options: dict[str, str] = field(default_factory=dict)


CODECS = (
    Codec("libmp3lame", "mp3", 16_000, (16_000, 24_000, 32_000, 64_000), "s16p"),
    Codec("aac", "mp4", 16_000, (16_000, 24_000, 32_000), "fltp"),
    Codec("libopus", "ogg", 16_000, (6_000, 10_000, 16_000), options={"compression_level": "3"}),
    Codec("libopencore_amrnb", "amr", 8_000, (4_750, 5_900, 7_950, 12_200)),
    Codec("g722", "wav", 16_000, (64_000,)),
    Codec("g726", "wav", 8_000, (24_000, 32_000)),
)


def through_codec(samples: Samples, chance: np.random.Generator, codec: Codec | None = None) -> Samples:
    """`[samples]` at 16 kHz through a codec, by default any, and back, as many samples as before."""
    codec = codec or CODECS[int(chance.integers(len(CODECS)))]
    heard = _decoded(_encoded(samples, codec, int(chance.choice(codec.bit_rates))), len(samples))
    return np.pad(heard, (0, max(0, len(samples) - len(heard))))[: len(samples)]


def _encoded(samples: Samples, codec: Codec, bit_rate: int) -> io.BytesIO:
    narrow = np.clip(soxr.resample(samples, _RATE, codec.rate), -1, 1)
    frame = av.AudioFrame.from_ndarray((narrow * 32767).astype(np.int16)[None], format="s16", layout="mono")
    frame.sample_rate = codec.rate
    packed = io.BytesIO()
    with av.open(packed, "w", format=codec.container) as box:
        stream = cast("av.AudioStream", box.add_stream(codec.encoder, rate=codec.rate, options=codec.options))
        stream.codec_context.format, stream.codec_context.layout = codec.sample_format, "mono"
        stream.codec_context.bit_rate = bit_rate
        box.mux(stream.encode(frame))
        box.mux(stream.encode(None))
    packed.seek(0)
    return packed


def _decoded(packed: io.BytesIO, most: int) -> Samples:
    resampler, parts = av.AudioResampler("flt", "mono", _RATE), list[Samples]()
    with av.open(packed, "r") as box:
        for frame in box.decode(audio=0):
            parts += [each.to_ndarray()[0] for each in resampler.resample(frame)]
    parts += [each.to_ndarray()[0] for each in resampler.resample(None)]
    return np.concatenate(parts)[:most]
