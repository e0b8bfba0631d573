"""Calls in which silence is not sent (DTX): their times go on where no packets are, and words keep their places."""

import itertools
import struct

import numpy as np
import pytest

from inference.audio.containers import identify
from inference.audio.decode import decode
from inference.audio.opus import opus_has_gaps
from inference.audio.pyav_blocks import pyav_blocks
from inference.audio.source import Part
from inference.types import AudioLimits
from tests.inference.audio.encoders import ffmpeg, remuxed, with_checksum
from tests.samples import encode, tone

LIMITS = AudioLimits("clip")
OPUS = {
    container: ffmpeg(
        np.concatenate([tone(2, 48_000, 440), np.zeros(2 * 48_000), tone(2, 48_000, 880)]),
        container,
        "libopus",
        48_000,
        options={"page_duration": "100000"} if container == "ogg" else {},
    )
    for container in ("ogg", "webm", "mp4")
}


def unsent(packet):
    """Within the silence."""
    return not 2.1 < packet.pts * packet.time_base < 3.9


@pytest.mark.parametrize("container", OPUS)
def test_what_was_not_sent_is_silence(container):
    sent = remuxed(OPUS[container], container, unsent)
    assert len(sent) < len(OPUS[container])
    decoded = decode(sent, LIMITS, 16_000)
    assert decoded.duration == pytest.approx(6, abs=0.05)
    assert decoded.warnings == ()
    for second, hertz in ((1, 440), (5, 880)):
        there = decoded.waveform.samples[second * 16_000 - 8_000 : second * 16_000 + 8_000]
        assert np.abs(np.fft.rfft(there * np.hanning(there.size))).argmax() == hertz
    assert not decoded.waveform.samples[36_000:60_000].any()


BEEPS = np.tile(np.concatenate([np.zeros(47_000), tone(1_000 / 48_000, 48_000)]), 20)


@pytest.mark.parametrize("every", [10, 100])
@pytest.mark.parametrize("container", ["webm", "ogg", "matroska", "mp4", "mpegts", "flv"])
def test_single_packets_that_are_lost_add_up(container, every):
    codec = "libopus" if container in {"webm", "ogg"} else "aac"
    numbers = itertools.count()
    sent = remuxed(ffmpeg(BEEPS, container, codec, 48_000), container, lambda _: next(numbers) % every != every // 2)
    decoded = decode(sent, AudioLimits("clip", limit_seconds=30), 16_000)
    assert decoded.duration == pytest.approx(20, abs=0.15)
    assert bool(decoded.warnings) == (codec == "aac")  # Opus may send nothing
    loud = np.flatnonzero(np.abs(decoded.waveform.samples) > 0.2) / 16_000
    late = (loud + 0.5) % 1 - 0.5
    assert -(0.15 if container == "ogg" else 0.08) < late.min()  # OGG has the times of pages alone
    assert late.max() < 0.08


def test_times_that_shake_add_no_silence():
    numbers = itertools.count()

    def shaken(packet):
        packet.pts += 80 * (next(numbers) % 20 == 10)
        return True

    shaking = remuxed(OPUS["webm"], "webm", shaken)
    assert decode(shaking, LIMITS, 16_000).duration == pytest.approx(6, abs=0.1)


def slow_clock(packet):
    """A hundredth of a second in a hundred; the container's own clock counts milliseconds."""
    packet.pts = packet.dts = round(packet.pts * 1.01)
    return True


@pytest.mark.parametrize("container", ["matroska", "mpegts"])
def test_a_clock_that_runs_a_little_faster_has_lost_nothing(container):
    drifting = remuxed(ffmpeg(BEEPS, container, "aac", 48_000), container, slow_clock)
    decoded = decode(drifting, AudioLimits("clip", limit_seconds=30), 16_000)
    assert decoded.duration == pytest.approx(20.2, abs=0.1)  # words keep their times
    assert decoded.warnings == ()


def test_of_a_drifting_clock_what_was_lost_is_told():
    def sent(packet):
        return not 8 < packet.pts * packet.time_base < 10 and slow_clock(packet)

    drifting = remuxed(ffmpeg(BEEPS, "matroska", "aac", 48_000), "matroska", sent)
    decoded = decode(drifting, AudioLimits("clip", limit_seconds=30), 16_000)
    assert decoded.warnings == ("2.0 s of sound are missing; silence stands in their place.",)


def test_a_clock_that_leaps_by_hours_is_not_believed():
    sent = remuxed(OPUS["webm"], "webm", lambda packet: unsent(packet) and leap(packet))
    assert decode(sent, LIMITS, 16_000).duration == pytest.approx(4.2, abs=0.1)


def leap(packet):
    if packet.pts * packet.time_base > 3:
        packet.pts += 7_200_000
        packet.dts = packet.pts
    return True


def test_silence_is_made_no_further_than_it_is_wanted():
    sent = remuxed(OPUS["webm"], "webm", unsent)
    decoded = decode(sent, AudioLimits("clip", limit_seconds=3), 16_000)
    assert (decoded.clipped, decoded.waveform.samples.size) == (True, 48_000)


def opus_of(frames, code):
    """Pages of OGG with one packet each, that announce frames of 20 ms as RFC 6716 codes their number."""
    packet = {0: bytes([0x78]), 1: bytes([0x79]), 2: bytes([0x7A]), 3: bytes([0x7B, frames])}[code] + bytes(300)
    pages = b""
    for number in range(4):
        granule = max(0, number - 1) * 960 * frames
        segments = bytes([255, len(packet) - 255])
        page = b"OggS\0" + bytes([2 * (number == 0)]) + struct.pack("<qIII", granule, 1, number, 0)
        pages += with_checksum(page + bytes([len(segments)]) + segments + packet)
    return pages


@pytest.mark.parametrize(("frames", "code"), [(1, 0), (2, 1), (2, 2), (3, 3)])
def test_packets_are_counted(frames, code):
    whole = opus_of(frames, code)
    assert not opus_has_gaps(whole, 0, len(whole), lambda: None)
    later = bytearray(whole)
    place = whole.rindex(b"OggS") + 6
    later[place : place + 8] = struct.pack("<q", 3 * 960 * frames + 10_000)
    assert opus_has_gaps(bytes(later), 0, len(later), lambda: None)


@pytest.mark.parametrize("rate", [8_000, 48_000])
def test_a_recording_without_gaps_has_none(rate):
    for data in (encode(tone(3, rate), rate, "OGG", "OPUS"), OPUS["ogg"]):
        assert not opus_has_gaps(data, 0, len(data), lambda: None)


def test_blocks_of_silence_are_short():
    sent = remuxed(OPUS["webm"], "webm", unsent)
    with pyav_blocks(Part(sent, 0, len(sent)), identify(sent)[0]) as blocks:
        assert max(len(block.samples) / block.sample_rate for block in blocks) < 2.1
