"""Forced alignment against every path there is, and times against sounds whose places are known."""

import itertools

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.decoding.alignment import Aligner
from inference.decoding.vocabulary import Vocabulary
from inference.decoding.word_times import word_times
from inference.types import Features, Options, Waveform
from tests.samples import CLIPS, sentence_of

PIECES = ("<unk>", "▁", "▁क", "क", "म", "कम")
VOCABULARY = Vocabulary(PIECES)
RATE = 16_000


STEPS = 5


def collapsed(path):
    """The tokens of a path with their first and last steps, without blanks."""
    tokens, step = [], 0
    for token, group in itertools.groupby(path):
        first, step = step, step + len(list(group))
        tokens.append((token, first, step - 1))
    return [row for row in tokens if row[0] != VOCABULARY.blank]


@pytest.fixture(scope="module")
def paths():
    """What a text can be said by: text → paths `[paths, STEPS]`."""
    found = {}
    for path in itertools.product(range(len(PIECES) + 1), repeat=STEPS):
        said = VOCABULARY.text(token for token, _, _ in collapsed(path)).replace("⁇", " ").split()
        found.setdefault(" ".join(said), []).append(path)
    return {text: np.array(some) for text, some in found.items()}


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("text", ["क", "म", "कम", "क म", "कक", "क क", "कमक", "म म म", "  क  म "])
def test_the_likeliest_of_all_paths(paths, text, seed):
    logits = np.random.default_rng(seed).normal(scale=2, size=(STEPS, len(PIECES) + 1))
    log_probabilities = (logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))).astype(np.float32)
    some = paths[" ".join(text.split())]
    best = some[log_probabilities[np.arange(STEPS), some].sum(axis=1).argmax()]
    expected = [row for row in collapsed(best.tolist()) if row[0] > 1]  # without marks alone
    tokens = Aligner(VOCABULARY)(log_probabilities, text)
    assert [(token.token, token.first, token.last) for token in tokens] == expected


@pytest.mark.parametrize("seed", range(60))
def test_a_text_that_the_steps_say_by_themselves(paths, seed):
    """Where the likeliest tokens of all steps say the text, no search is needed, and the path is the same."""
    logits = np.random.default_rng(seed).normal(scale=2, size=(STEPS, len(PIECES) + 1))
    logits[:, 0] = -9  # SentencePiece has letters for all it says
    log_probabilities = (logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))).astype(np.float32)
    path = log_probabilities.argmax(axis=1).tolist()
    text = " ".join(VOCABULARY.text(token for token, _, _ in collapsed(path)).split())
    aligner = Aligner(VOCABULARY)
    tokens, words = aligner.likeliest(log_probabilities), text.split()
    assert any(path == list(row) for row in paths[text])
    assert [(token.token, token.first, token.last) for token in tokens] == [
        row for row in collapsed(path) if row[0] > 1
    ]
    for place, word in enumerate(words):
        assert "".join(PIECES[token.token].lstrip("▁") for token in tokens if token.word == place) == word
    assert aligner(log_probabilities, text) == tokens


@pytest.mark.parametrize("text", ["", "  ", "ख", "क ख", "क म क म क म", "ककक कक क"])
def test_what_cannot_be_aligned_is_empty(text):
    assert Aligner(VOCABULARY)(np.zeros((STEPS, len(PIECES) + 1), np.float32), text) == ()


def test_words_that_cannot_be_aligned_share_the_time():
    words = word_times(["क", "कमल"], (), loud(np.zeros(100)), 0.04)
    assert [(word.text, word.start, word.end) for word in words] == [("क", 0, 0.25), ("कमल", 0.25, 1)]


def loud(power):
    """Features of sound with that power."""
    return Features(np.zeros((80, len(power)), np.float32), np.asarray(power, np.float32))


TEXTS = st.text(alphabet="कम ख", max_size=30)


@settings(max_examples=60)
@given(TEXTS, st.integers(1, 60), st.integers(0, 2**32 - 1), st.floats(-0.5, 0.5), st.sampled_from([0.0, 1e-3, 1.0]))
def test_times_are_in_order_and_inside(text, steps, seed, more, loudness):
    chance = np.random.default_rng(seed)
    log_probabilities = chance.normal(scale=3, size=(steps, len(PIECES) + 1)).astype(np.float32)
    bursts = np.repeat(chance.choice([0.0, 0.01, 1.0], size=steps + 1), 4)[: int((steps + more) * 4)]
    features = loud((loudness * bursts * chance.uniform(0.5, 2, bursts.size)) ** 2)
    words = word_times(text.split(), Aligner(VOCABULARY)(log_probabilities, text), features, 0.04)
    assert [word.text for word in words] == text.split()
    times = [time for word in words for time in (word.start, word.end)]
    assert times == sorted(times)
    assert not times or (times[0] >= 0 and times[-1] <= features.seconds)


def test_words_stand_where_they_were_said(pipeline, spoken_texts):
    """Whole clips as the words: where each begins and ends is known to the sample."""
    sounds, edges, at = [], [], 0
    for number, path in enumerate([*CLIPS, *CLIPS]):
        samples = sound_of(path)
        pause = np.zeros(int((0.1 + 0.15 * (number % 4)) * RATE), np.float32)
        sounds += [pause, samples]
        edges.append(((at + pause.size) / RATE, (at + pause.size + samples.size) / RATE))
        at += pause.size + samples.size
    transcript = pipeline.recognise(Waveform(np.concatenate(sounds), RATE), Options(words=True))
    words = transcript.segments[0].words
    assert " ".join(word.text for word in words) == transcript.text
    counts = [len(spoken_texts[path].split()) for path in [*CLIPS, *CLIPS]]
    assert transcript.text == " ".join(spoken_texts[path] for path in [*CLIPS, *CLIPS])
    last = np.cumsum(counts) - 1
    starts = [words[index].start - edge for index, (edge, _) in zip(last - counts + 1, edges, strict=True)]
    ends = [words[index].end - edge for index, (_, edge) in zip(last, edges, strict=True)]
    for errors in (np.abs(starts), np.abs(ends)):
        assert np.median(errors) <= 0.04
        assert errors.max() <= 0.12


@pytest.mark.parametrize("words", [False, True])
@pytest.mark.parametrize("path", CLIPS)
def test_what_is_heard_whole_begins_with_its_first_word_and_ends_with_its_last(pipeline, path, words):
    """Asked for words or not, and whatever silence lies around it."""
    samples, silence = sound_of(path), np.zeros(round(0.5 * RATE), np.float32)
    waveform = Waveform(np.concatenate([silence, samples, silence]), RATE)
    (segment,) = pipeline.recognise(waveform, Options(words=words), detect_speech=False).segments
    assert segment.start == pytest.approx(0.5, abs=0.12)
    assert segment.end == pytest.approx(0.5 + samples.size / RATE, abs=0.12)


def sound_of(path):
    """A clip from its first sound to its last."""
    samples = soundfile.read(path, dtype="float32")[0]
    loud = np.flatnonzero(np.abs(samples) > 0.01 * np.abs(samples).max())
    return samples[loud[0] : loud[-1] + 1]


def test_words_are_a_wish(pipeline):
    clip = sentence_of(5)
    assert pipeline.transcribe(clip).segments[0].words == ()
    for decoding in ("greedy", "beam"):
        (segment,) = pipeline.transcribe(clip, options=Options(decoding=decoding, words=True)).segments
        assert " ".join(word.text for word in segment.words) == " ".join(segment.text.split())
