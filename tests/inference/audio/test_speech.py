"""The trained detector: hears speech however soft, hears none in what is not speech, in whatever pieces it comes."""

import asyncio
from dataclasses import replace

import numpy as np
import pytest
import soundfile

from inference.audio.decoder_process import DecoderProcess
from inference.audio.decoder_start import Work
from inference.audio.recording import read_windows
from inference.audio.speech import FRAME_SECONDS, spans
from inference.audio.speech_network import PARAMETERS, SpeechNetwork, probabilities, probabilities_of_features
from inference.features import Featurizer
from inference.types import AudioLimits, Options, Waveform
from loadtest.harness.tape import make_tape, read_spoken
from tests.samples import CLIPS, encode, noise, tone
from training.acoustics.instruments import music
from training.wordless import KINDS, clip

RATE = 16_000
SECONDS = 3


def samples_of(path):
    return soundfile.read(path, dtype="float32")[0]


def heard(samples, rate=RATE):
    return spans(probabilities(Waveform(np.asarray(samples, np.float32), rate)))


@pytest.fixture(params=CLIPS, ids=lambda path: path.stem)
def spoken(request):
    return samples_of(request.param)


def test_pieces_change_nothing(spoken):
    log_mel, random = Featurizer(PARAMETERS).log_mel(spoken), np.random.default_rng(2)
    whole = probabilities_of_features(log_mel)
    for longest in (3, 20, 250):
        detector, found, at = SpeechNetwork(), [], 0
        while at < log_mel.shape[1]:
            piece = int(random.integers(0, longest))
            found.append(detector.take(log_mel[:, at : at + piece]))
            at += piece
        found.append(detector.finish())
        np.testing.assert_allclose(np.concatenate(found), whole, atol=1e-5)


@pytest.mark.parametrize("frames", [0, 1, 3, 4, 5, 11])
def test_every_frame_of_features_lies_in_one_of_the_detectors(frames):
    detector = SpeechNetwork()
    first = detector.take(np.zeros((80, frames), np.float32))
    assert first.size + detector.finish().size == -(-frames // 4)


@pytest.mark.parametrize("samples", [1, 399, 640, 641, 1_700])
def test_every_sample_lies_in_a_frame(samples):
    assert probabilities(Waveform(np.zeros(samples, np.float32), RATE)).size == -(-samples // 640)


@pytest.mark.parametrize("semantics", ["nemo-1", "nemo-2.5"])
def test_a_lanes_features_say_the_same(spoken, semantics):
    whole = spoken[: spoken.size // 640 * 640]
    log_mel = Featurizer(replace(PARAMETERS, semantics=semantics)).log_mel(whole)
    found = probabilities_of_features(log_mel)[: whole.size // 640]
    expected = probabilities(Waveform(whole, RATE))
    np.testing.assert_allclose(found[2:-8], expected[2:-8], atol=1e-3 if semantics == "nemo-2.5" else 0.1)
    assert spans(found)[0].start == spans(expected)[0].start


@pytest.mark.parametrize("decibels", [0, -20, -40, -50])
def test_soft_speech_is_heard(spoken, decibels):
    """Of full scale, by its loudest sample; with what sixteen bits leave of it."""
    soft = np.round(spoken / np.abs(spoken).max() * 10 ** (decibels / 20) * 32_767) / 32_768
    (first, *_), *_, last = heard(spoken)[:1], heard(spoken)[-1]
    found = heard(soft)
    assert found[0].start <= first.start + 2 * FRAME_SECONDS
    assert found[-1].end >= last.end - 4 * FRAME_SECONDS


@pytest.mark.parametrize("rate", [8_000, 22_050, 48_000])
def test_models_of_other_sample_rates(spoken, rate):
    resampled = np.interp(np.arange(0, spoken.size / RATE, 1 / rate), np.arange(spoken.size) / RATE, spoken)
    assert heard(resampled, rate)
    assert not heard(noise(SECONDS, rate), rate)


def test_the_beginning_of_a_clip_that_begins_in_speech(spoken):
    """Wherever in a word a clip begins, nothing of it lies before the first span."""
    voiced = np.flatnonzero(probabilities(Waveform(spoken, RATE)) > 0.9)
    for frame in voiced[voiced < spoken.size // 640 - 20]:
        assert heard(spoken[frame * 640 :])[0].start == 0


@pytest.mark.parametrize(
    "samples",
    [
        np.zeros(SECONDS * RATE),
        np.zeros(1_600),
        np.full(SECONDS * RATE, 0.3),
        np.random.default_rng(3).integers(-1, 2, SECONDS * RATE) / 32_768,
        *(noise(SECONDS) * 10 ** (level / 20) for level in (-60, -40, -20, 0)),
        *(tone(SECONDS, hertz=hertz) for hertz in (50, 200, 440, 1_000)),
    ],
)
def test_nobody_speaks(samples):
    assert not heard(samples)


def test_nobody_speaks_in_sounds_of_many_kinds():
    """Other sounds than it was taught with, kinds among them that it never met."""
    clips = [(kind, (7, number, turn)) for number, kind in enumerate(KINDS) for turn in range(2)]
    wrong = [kind for kind, seed in clips if heard(clip(kind, np.random.default_rng(seed)))]
    assert len(wrong) <= 1, wrong


def made_up_music(seconds, decibels, seed):
    """By an instrument that no other seed gives, so many dB below full scale by its root mean square."""
    piece = music(round(seconds * RATE), np.random.default_rng((9, seed)))
    return piece * 10 ** (decibels / 20) / np.sqrt(np.square(piece).mean())


def test_music_behind_speech_is_not_speech():
    """Where somebody has just spoken, more speech is likely, and a plucked chord begins as a syllable does."""
    tape = make_tape(read_spoken(), 240.0, ("music",), seed=5)
    sure = [(span.start + 0.4, span.end - 0.4) for span in heard(tape.samples / 32_768)]
    stretches = [stretch for stretch in tape.stretches if stretch.kind == "music"]
    wrong = [each.start for each in stretches if any(start < each.end and end > each.start for start, end in sure)]
    assert len(stretches) > 10
    assert len(wrong) <= 3, wrong  # of a former detector: 10


def test_music_of_many_instruments_is_not_speech():
    wrong = [seed for seed in range(40) if heard(made_up_music(4, -20 - seed % 4 * 10, seed))]
    assert len(wrong) <= 2, wrong


@pytest.mark.parametrize("seed", range(4))
def test_speech_is_heard_beside_music(spoken, seed):
    level = 20 * np.log10(np.sqrt(np.square(spoken).mean()))
    among = spoken + made_up_music(spoken.size / RATE, level - 20, seed)
    missed = [span for span in heard(spoken) if not any(each.start < span.end for each in heard(among))]
    alone, found = heard(spoken), heard(among)
    assert missed == []
    assert found[0].start <= alone[0].start + 0.2
    assert found[-1].end >= alone[-1].end - 0.2


def test_recordings_are_heard_where_somebody_speaks():
    """In the decoder process too, which may open no file once it has begun."""
    speech = np.concatenate([samples_of(path) for path in CLIPS])
    audio = encode(np.concatenate([speech, 0.1 * noise(20), speech]))
    *windows, end = read_windows(audio, AudioLimits(), Options())
    begins, ends = speech.size / RATE, speech.size / RATE + 20
    assert end.duration == pytest.approx(begins + ends)
    assert windows[0].start < 1
    assert windows[-1].start > ends - 1
    assert not [window for window in windows if begins + 1 < window.owned.start < ends - 1]

    async def decoded():
        async with DecoderProcess(Work(audio, AudioLimits(), Options())) as process:
            return [window async for window in process]

    for ours, theirs in zip(asyncio.run(decoded()), windows, strict=True):
        assert ours.owned == theirs.owned
        np.testing.assert_array_equal(ours.features.log_mel, theirs.features.log_mel)


def test_where_nobody_speaks_no_model_runs(pipeline):
    transcript = pipeline.transcribe(encode(noise(SECONDS)))
    assert transcript.text == ""
    assert transcript.heard == transcript.duration == SECONDS
    assert [time.stage for time in transcript.stages] == ["decode", "features", "speech"]


def test_what_is_around_speech_changes_neither_text_nor_times(pipeline, library_texts):
    """Times count from the beginning of the clip, however much of it the model hears."""
    for path in CLIPS:
        speech, options = samples_of(path), Options(words=True)
        alone = pipeline.transcribe(encode(speech), options=options)
        longer = np.concatenate([0.003 * noise(2.48), speech, 0.003 * noise(2, seed=1)])
        among = pipeline.transcribe(encode(longer), AudioLimits("clip", limit_seconds=20), options)
        assert among.text == alone.text == library_texts[path]
        (segment,), words = among.segments, alone.segments[0].words
        assert 1.9 < segment.start < 2.9
        assert segment.end < 2.48 + speech.size / RATE + 0.6
        for ours, theirs in zip(segment.words, words, strict=True):
            assert ours.start == pytest.approx(theirs.start + 2.48, abs=0.13)


@pytest.mark.parametrize("silence", [0.5, 5.0])
def test_a_model_hears_a_little_more_than_a_second_around_speech(pipeline, monkeypatch, silence):
    frames, recogniser = [], pipeline._recogniser

    def counted(features):
        frames.append(features.shape[-1] / 100)
        return recogniser(features)

    monkeypatch.setattr(pipeline, "_recogniser", counted)
    speech = samples_of(CLIPS[0])
    quiet = 0.001 * noise(silence)
    pipeline.transcribe(encode(np.concatenate([quiet, speech, quiet])), AudioLimits("clip", limit_seconds=20))
    whole, spoken = speech.size / RATE + 2 * silence, speech.size / RATE
    assert frames[0] == pytest.approx(min(whole, spoken + 2.3), abs=0.5 if silence > 1 else 0.02)


def test_it_can_be_switched_off(pipeline):
    transcript = pipeline.transcribe(encode(noise(SECONDS)), AudioLimits(detect_speech=False))
    assert [time.stage for time in transcript.stages] == ["decode", "features", "inference", "decoding"]
