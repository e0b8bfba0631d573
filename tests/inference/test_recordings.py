"""Files of any length by the library alone: one Transcript, of one channel or of several."""

import numpy as np
import pytest
import soundfile

from inference.audio.recording import read_windows
from inference.audio.windows import Window
from inference.errors import AudioTooLong, LongerThanWindow, WorkCancelled
from inference.types import AudioLimits, Options, Waveform
from tests.samples import CLIPS, encode

RATE = 16_000
GAP = np.zeros(round(1.2 * RATE))
SPOKEN = [soundfile.read(path)[0] for path in CLIPS]


def said(clips):
    """The clips one after another with pauses between them, and when each begins and ends, in seconds."""
    parts, times, place = [GAP], [], GAP.size
    for samples in clips:
        times.append((place / RATE, (place + samples.size) / RATE))
        parts += [samples, GAP]
        place += samples.size + GAP.size
    return np.concatenate(parts), times


@pytest.fixture(scope="module")
def texts(spoken_texts):
    return [spoken_texts[path] for path in CLIPS]


def test_a_recording_is_all_that_was_said_where_it_was_said(pipeline, texts):
    samples, times = said(SPOKEN)
    transcript = pipeline.transcribe(encode(samples, container="FLAC"), options=Options(words=True))
    assert transcript.duration == samples.size / RATE > 15
    assert transcript.text.split() == " ".join(texts).split()
    for segment in transcript.segments:
        assert " ".join(word.text for word in segment.words) == segment.text
        assert any(start - 0.1 < segment.start < segment.end < end + 0.1 for start, end in times)
    assert [time.stage for time in transcript.stages] == ["decode", "inference", "decoding"]
    assert (transcript.clipped, transcript.warnings) == (False, ())
    assert sum(end - start for start, end in times) / 2 < transcript.heard < transcript.duration


def test_words_that_nobody_asks_for_change_neither_texts_nor_times(pipeline):
    """Some windows stand alone; others are cut where speech goes on, and their words divided."""
    clip = encode(np.concatenate([said(SPOKEN)[0], *SPOKEN, GAP]), container="FLAC")
    limits = AudioLimits(window_seconds=3.5)
    shared = [item.shared for item in read_windows(clip, limits, Options()) if isinstance(item, Window)]
    assert {True, False} <= set(shared)
    with_words, without = (pipeline.transcribe(clip, limits, Options(words=words)).segments for words in (True, False))
    assert [segment.text for segment in without] == [segment.text for segment in with_words]
    assert not any(segment.words for segment in without)
    for mine, theirs in zip(without, with_words, strict=True):
        assert (mine.start, mine.end) == pytest.approx((theirs.start, theirs.end), abs=0.08)


def test_each_channel_has_its_own_segments_merged_by_time(pipeline, texts):
    left, times = said(SPOKEN[:3])
    right = np.concatenate([np.zeros(round(times[1][1] * RATE)), SPOKEN[3]])
    both = np.zeros((max(left.size, right.size), 2))
    both[: left.size, 0], both[: right.size, 1] = left, right
    transcript = pipeline.transcribe(encode(both), options=Options(channels="separate"))
    for channel, expected in enumerate((texts[:3], texts[3:4])):
        own = [segment.text for segment in transcript.segments if segment.channel == channel]
        assert " ".join(own).split() == " ".join(expected).split()
    starts = [segment.start for segment in transcript.segments]
    assert starts == sorted(starts)
    assert not any(segment.words for segment in transcript.segments)
    only = pipeline.transcribe(encode(both), options=Options(channels=(1,)))
    assert (only.text, {segment.channel for segment in only.segments}) == (texts[3], {1})


def test_a_clip_is_what_is_heard_at_once(pipeline):
    long, _ = said(SPOKEN)
    with pytest.raises(LongerThanWindow):
        pipeline.transcribe_clip(encode(long))
    with pytest.raises(LongerThanWindow):
        pipeline.transcribe_clip(encode(SPOKEN[0]), options=Options(channels="separate"))
    with pytest.raises(AudioTooLong):
        pipeline.transcribe(encode(long), AudioLimits(longest_seconds=16))


def test_a_recording_can_be_stopped(pipeline):
    calls = []

    def checkpoint():
        calls.append(None)
        if len(calls) > 60:
            raise WorkCancelled("gone")

    long, _ = said(SPOKEN * 2)
    with pytest.raises(WorkCancelled):
        pipeline.transcribe(encode(long), checkpoint=checkpoint)


def test_samples_of_another_rate_are_heard_as_they_are(pipeline, texts):
    samples, rate = np.repeat(SPOKEN[1], 2).astype(np.float32), 2 * RATE
    assert pipeline.recognise(Waveform(samples, rate)).text == texts[1]


@pytest.mark.parametrize("overlength", ["clip", "reject"])
def test_a_limit_beyond_what_the_model_takes_at_once(pipeline, overlength):
    samples, _ = said(SPOKEN * 6)
    seconds = samples.size / RATE
    assert seconds > pipeline.package.longest_seconds
    whole = pipeline.transcribe(encode(samples), AudioLimits(overlength, limit_seconds=300))
    assert whole.text == pipeline.transcribe(encode(samples)).text
    assert (whole.duration, whole.clipped) == (seconds, False)


def test_what_is_beyond_such_a_limit(pipeline):
    samples, _ = said(SPOKEN * 6)
    with pytest.raises(AudioTooLong):
        pipeline.transcribe(encode(samples), AudioLimits("reject", limit_seconds=61))
    assert pipeline.transcribe(encode(samples), AudioLimits("clip", limit_seconds=61)).clipped
