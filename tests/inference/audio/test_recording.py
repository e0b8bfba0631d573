"""Recordings as windows: all of the sound, once, at its time; channels apart; limits that hold while it is decoded."""

import re
import time

import numpy as np
import pytest

from inference.audio import reading, recording, source
from inference.audio.decode import decode
from inference.audio.flac import with_samples
from inference.audio.recording import End, read_windows
from inference.errors import (
    AudioTooCostly,
    AudioTooLong,
    AudioTooShort,
    InvalidSamples,
    UnavailableOption,
    UndecodableAudio,
    WorkCancelled,
)
from inference.features import FeatureParameters, Featurizer
from inference.types import AudioLimits, Features, Options
from tests.inference.audio.encoders import ffmpeg
from tests.inference.audio.kinds import files_of_every_kind
from tests.samples import encode, noise, tone

LIMITS = AudioLimits(window_seconds=5, detect_speech=False)  # tones and noises are what is heard here
PARAMETERS = FeatureParameters(normalisation="none")
FILES = files_of_every_kind()


def windows_of(audio, limits=LIMITS, parameters=PARAMETERS, **options):
    """The windows, and the end."""
    *windows, end = read_windows(audio, limits, Options(**options), parameters=parameters)
    assert isinstance(end, End)
    return windows, end


def features_of(samples, parameters=PARAMETERS):
    """What windows of it are made of."""
    featurizer = Featurizer(parameters)
    features = featurizer.features(np.asarray(samples, np.float32))
    return Features(featurizer.finished(features.log_mel), features.power)


def joined(windows, channel=None):
    """What the windows own, one behind the other."""
    parts = []
    for window in (window for window in windows if window.channel == channel):
        owned = slice(*(round((each - window.start) * 100) for each in (window.owned.start, window.owned.end)))
        parts.append(Features(window.features.log_mel[:, owned], window.features.power[owned]))
    log_mel = np.concatenate([part.log_mel for part in parts], axis=1)
    return Features(log_mel, np.concatenate([part.power for part in parts]))


@pytest.fixture
def streams(monkeypatch):
    """The samples that features are made of, by their streams, one for each channel."""
    heard, take = {}, recording.FeatureStream.take

    def noticed(stream, samples):
        heard.setdefault(id(stream), []).append(samples.copy())
        return take(stream, samples)

    monkeypatch.setattr(recording.FeatureStream, "take", noticed)
    return lambda: [np.concatenate(parts) for parts in heard.values()]


def assert_same(found, expected):
    """But for rounding: products of other sizes are summed in another order."""
    np.testing.assert_allclose(found.log_mel, expected.log_mel, atol=1e-3)
    np.testing.assert_allclose(found.power, expected.power, rtol=1e-5)


LONG = {
    "WAV": encode(noise(21, 44_100), 44_100),
    "FLAC": encode(noise(21), container="FLAC"),
    "MP3": ffmpeg(noise(21, 44_100), "mp3", "libmp3lame", 44_100),
    "OGG, chained": FILES["OGG, Opus"] + FILES["OGG, Vorbis"] + FILES["OGG, FLAC"] + FILES["OGG, Opus"],
    "MP3 of two rates": FILES["MP3"] + FILES["MP3, 44.1 kHz"] + FILES["MP3"],
    "WAV, joined": FILES["WAV"] + FILES["WAV, A-law"] + FILES["WAV"],
}


@pytest.mark.parametrize("name", LONG)
def test_windows_are_all_of_the_sound_once(streams, name):
    windows, end = windows_of(LONG[name])
    whole = decode(LONG[name], AudioLimits("clip", limit_seconds=60), 16_000)
    (samples,) = streams()
    np.testing.assert_array_equal(samples, whole.waveform.samples)
    assert_same(joined(windows), features_of(samples))
    assert (end.duration, end.clipped, end.warnings) == (whole.duration, False, whole.warnings)
    assert len(windows) > 1
    assert all(window.features.seconds <= 5 for window in windows)


def test_features_are_those_of_the_model():
    """Another sample rate, fewer bins, NeMo's older edges; the detector hears its own."""
    parameters = FeatureParameters(8_000, 64, 256, 160, 80, 0.9, "nemo-1", "none")
    samples = noise(21)
    windows, _ = windows_of(encode(samples), AudioLimits(window_seconds=5, detect_speech=False), parameters)
    at_8_000 = decode(encode(samples), AudioLimits("clip", limit_seconds=60), 8_000).waveform.samples
    found, expected = joined(windows), features_of(at_8_000, parameters)
    inside = slice(2, found.power.size - 2)
    assert found.power.size == expected.power.size
    np.testing.assert_allclose(found.log_mel[:, inside], expected.log_mel[:, inside], atol=1e-3)
    silent, _ = windows_of(encode(samples), AudioLimits(window_seconds=5), parameters)
    assert silent == []


def test_by_name_as_by_bytes(tmp_path):
    path = tmp_path / "a.flac"
    path.write_bytes(LONG["FLAC"])
    by_name, by_bytes = joined(windows_of(path)[0]), joined(windows_of(LONG["FLAC"])[0])
    np.testing.assert_array_equal(by_name.log_mel, by_bytes.log_mel)
    np.testing.assert_array_equal(by_name.power, by_bytes.power)


STEREO = np.stack([tone(12, hertz=440), noise(12), tone(12, hertz=880)], axis=1)


@pytest.mark.parametrize(("channels", "heard"), [("separate", (0, 1, 2)), ((1,), (1,)), ((2, 0, 2), (0, 2))])
def test_channels_apart(streams, channels, heard):
    windows, end = windows_of(encode(STEREO), channels=channels)
    assert {window.channel for window in windows} == set(heard)
    for channel, samples in zip(heard, streams(), strict=True):
        np.testing.assert_allclose(samples, STEREO[:, channel], atol=2**-14)
        alone = decode(encode(STEREO[:, channel]), AudioLimits("clip", limit_seconds=60), 16_000)
        assert_same(joined(windows, channel), features_of(alone.waveform.samples))
    assert end.warnings == ()


def test_one_channel_apart_is_itself():
    windows, _ = windows_of(encode(tone(1)), channels="separate")
    assert [window.channel for window in windows] == [0]


@pytest.mark.parametrize("channels", [(3,), (0, 7), (), (-1,)])
def test_a_channel_that_is_not_there(channels):
    with pytest.raises(UnavailableOption, match="channel"):
        windows_of(encode(STEREO), channels=channels)


def test_channels_that_come_later_or_go():
    mono, stereo = encode(tone(2)), encode(STEREO[:32_000])
    windows, end = windows_of(mono + stereo, channels="separate")
    assert [(window.channel, window.end) for window in windows] == [(0, 4.0)]
    assert end.warnings == ("There are more channels later on; only the first 1 were heard.",)
    windows, _ = windows_of(stereo + mono, channels="separate")
    assert not joined(windows, 1).power[200:].any()
    assert joined(windows, 0).seconds == joined(windows, 1).seconds == 4


def test_a_mix_that_cancels_itself_in_places(streams):
    loud, soft = noise(12), 0.8 * noise(12)
    soft[48_000:112_000] *= -1
    windows, end = windows_of(encode(np.stack([soft, loud], axis=1)))
    expected = (loud + soft) / 2
    expected[48_000:112_000] = loud[48_000:112_000]
    (samples,) = streams()
    np.testing.assert_allclose(samples, expected, atol=2**-13)
    np.testing.assert_allclose(joined(windows).power, features_of(expected).power, rtol=1e-3)
    assert end.warnings == ("The channels cancel each other in places; there channel 2 alone was heard.",)


def test_a_header_that_says_too_much_is_refused_before_anything_is_decoded():
    day = with_samples(FILES["FLAC"], 0, 86_400 * 16_000) + FILES["FLAC"][42:]
    with pytest.raises(AudioTooLong, match="86400 s; 14400 s is the most"):
        windows_of(day)
    with pytest.raises(UndecodableAudio):  # what decoding it would say
        windows_of(day, AudioLimits(longest_seconds=100_000))


@pytest.mark.parametrize("name", ["FLAC", "WebM, of a browser"])
def test_what_does_not_say_its_length_is_refused_where_it_is_reached(name):
    with pytest.raises(AudioTooLong, match=r"1\.5 s"):
        windows_of(FILES[name], AudioLimits(longest_seconds=1.5))


@pytest.mark.parametrize("overlength", ["clip", "reject"])
def test_channels_apart_where_recordings_are_not_taken(overlength):
    limits = AudioLimits(overlength, limit_seconds=3, detect_speech=False)
    if overlength == "reject":
        with pytest.raises(AudioTooLong, match="3 s is the most"):
            windows_of(encode(STEREO), limits, channels="separate")
        return
    windows, end = windows_of(encode(STEREO), limits, channels="separate")
    assert joined(windows, 2).seconds == 3
    assert (end.duration, end.clipped) == (12, True)


def test_processor_time_is_bounded_and_grows_with_the_audio():
    slow = AudioLimits(decode_seconds=0.0)
    with pytest.raises(AudioTooCostly):
        windows_of(LONG["FLAC"], slow)
    windows_of(LONG["FLAC"], AudioLimits(decode_seconds=0.3))  # 21 s by a rate of a tenth


def test_time_of_whoever_takes_the_windows_is_not_counted(monkeypatch):
    monkeypatch.setattr(reading, "PROCESSOR_SHARE", 0.0)
    for _ in read_windows(
        LONG["FLAC"], AudioLimits(decode_seconds=0.2, window_seconds=5, detect_speech=False), Options()
    ):
        began = time.thread_time()
        while time.thread_time() < began + 0.1:
            pass


def test_faults_of_the_end_are_found_at_the_end():
    half = FILES["M4A, AAC"]
    with pytest.raises(UndecodableAudio):
        windows_of(half[: len(half) // 2])
    damaged = noise(21).astype(np.float32)
    damaged[300_000] = np.nan
    with pytest.raises(InvalidSamples):
        windows_of(encode(damaged, subtype="FLOAT"))
    with pytest.raises(AudioTooShort):
        windows_of(encode(tone(0.05)), channels="separate")


@pytest.mark.parametrize("stretch", [1, 5, 64, 1000])
def test_a_file_is_searched_in_stretches(monkeypatch, stretch):
    monkeypatch.setattr(source, "_STRETCH", stretch)
    data, pattern = b"0123 hit 9hithit " * 9, re.compile(b"hit")
    found = list(source.occurrences(pattern, data, 3, len(data) - 2, lambda: None))
    assert found == [each.start() for each in pattern.finditer(data, 3, len(data) - 2)]


def test_it_can_be_stopped():
    calls = []

    def checkpoint():
        calls.append(None)
        if len(calls) > 3:
            raise WorkCancelled("gone")

    with pytest.raises(WorkCancelled):
        list(read_windows(LONG["WAV"], LIMITS, Options(), checkpoint))
