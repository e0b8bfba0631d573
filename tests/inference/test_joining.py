"""Windows joined: made of times alone, and of speech that the model hears."""

import difflib
import itertools

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.audio.speech import EverythingIsSpeech
from inference.audio.windows import Window, WindowPlanner
from inference.features import Featurizer
from inference.joining import Joiner
from inference.types import Features, Options, Segment, Span, Token, Transcript, Waveform, Word
from tests.samples import CLIPS, DATA

RATE = 16_000
CONTEXT = 1.5
TOKEN = Token(7, "क", -0.1)


def window(start, end, owned, channel=None):
    frames = round((end - start) * 100)
    features = Features(np.zeros((80, frames), np.float32), np.zeros(frames, np.float32))
    return Window(features, channel, start, Span(*owned))


def transcript(words, start=0.0):
    """What a lane would answer: `words` at the recording's times, in one segment."""
    heard = tuple(Word(text, begin - start, end - start, 0.75, (TOKEN,)) for text, begin, end in words)
    segment = Segment(" ".join(word.text for word in heard), 0.0, 15.0, heard)
    return Transcript((segment,), "hi", "model", 15.0, 15.0, clipped=False, stages=())


def join(*heard):
    """Segments of windows and what was heard in them."""
    joiner = Joiner()
    segments = [segment for each, words in heard for segment in joiner.add(each, transcript(words, each.start))]
    return [*segments, *joiner.finish()]


def said(segments):
    words = [word for segment in segments for word in segment.words]
    assert all((word.confidence, word.tokens) == (0.75, (TOKEN,)) for word in words)
    return [(word.text, word.start, word.end) for word in words]


def test_a_word_in_two_windows_stands_there_once():
    words = [("एक", 8.0, 8.4), ("दो", 9.0, 9.4), ("तीन", 9.9, 10.3), ("चार", 10.5, 10.7), ("पाँच", 11.0, 11.5)]
    first, second = window(0, 10.8, (0, 10)), window(9.2, 20, (10, 20))
    segments = join((first, [*words[:4]]), (second, words[2:]))
    assert said(segments) == words


def test_true_repetitions_stay():
    words = [("हाँ", 9 + number / 4, 9.2 + number / 4) for number in range(8)]
    segments = join((window(0, 10.8, (0, 10)), words[:7]), (window(9.2, 20, (10, 20)), words[1:]))
    assert said(segments) == words


def test_a_word_cut_off_is_taken_from_where_it_is_whole():
    first = window(0, 10.8, (0, 10)), [("एक", 9.3, 9.5), ("अस्", 10.3, 10.8)]
    second = window(9.2, 20, (10, 20)), [("क", 9.2, 9.5), ("अस्पताल", 10.3, 11.2)]
    assert said(join(first, second)) == [("एक", 9.3, 9.5), ("अस्पताल", 10.3, 11.2)]


def test_words_without_a_pause_meet_where_both_windows_agree_most():
    first = window(0, 10.8, (0, 10)), [("सब", 9.0, 9.62), ("कुछ", 9.62, 10.1), ("ठीक", 10.1, 10.7)]
    second = window(9.2, 20, (10, 20)), [("ब", 9.2, 9.58), ("कुछ", 9.58, 10.06), ("ठीक", 10.06, 10.76)]
    words = said(join(first, second))
    assert [text for text, _, _ in words] == ["सब", "कुछ", "ठीक"]
    times = [time for _, start, end in words for time in (start, end)]
    assert times == sorted(times)


def test_windows_that_do_not_touch_keep_all():
    segments = join((window(0, 4, (0, 4)), [("एक", 3, 4)]), (window(5, 9, (5, 9)), [("दो", 5, 6)]))
    assert [(segment.text, segment.start, segment.end) for segment in segments] == [("एक", 3, 4), ("दो", 5, 6)]


def test_segments_come_as_soon_as_they_are_final_and_end_at_pauses():
    joiner = Joiner(words=False)
    first, second = window(0, 9, (0, 9), 1), window(20, 29, (20, 29), 1)
    assert joiner.add(first, transcript([("एक", 1, 2), ("दो", 2.5, 3), ("तीन", 5, 6)])) == ()
    assert joiner.add(second, transcript([])) == (Segment("एक दो", 1, 3, (), 1), Segment("तीन", 5, 6, (), 1))
    assert joiner.finish() == ()


def undivided(text, start, end):
    """What a lane would answer that was not asked for words."""
    return Transcript((Segment(text, start, end),), "hi", "model", 9, 9, clipped=False, stages=())


@pytest.mark.parametrize(("words", "owned"), [(True, (0, 9)), (False, (0, 8)), (False, (1, 9))])
def test_what_is_to_be_divided_or_told_by_words_needs_them(words, owned):
    with pytest.raises(ValueError, match=r"Options\.words"):
        Joiner(words=words).add(window(0, 9, owned), undivided("एक", 0, 1))


def test_a_window_that_shares_nothing_needs_no_words():
    joiner = Joiner(words=False)
    assert joiner.add(window(0, 4, (0, 4)), undivided("एक दो", 0.25, 3.5)) == ()
    assert joiner.add(window(6, 9, (6, 8)), transcript([("तीन", 6.5, 7)], 6)) == (Segment("एक दो", 0.25, 3.5),)
    assert joiner.add(window(7, 12, (8, 12)), transcript([("चार", 8.5, 9)], 7)) == (Segment("तीन", 6.5, 7),)
    assert joiner.add(window(12, 15, (12, 15)), undivided("", 0, 3)) == (Segment("चार", 8.5, 9),)
    assert joiner.finish() == ()


@settings(max_examples=200)
@given(
    st.lists(st.tuples(st.floats(0.12, 0.9), st.sampled_from([0.0, 0.0, 0.05, 0.3, 1.5])), min_size=1, max_size=80),
    st.floats(2.4, 14.0),
    st.integers(0, 1000),
)
def test_whatever_is_cut_where_each_word_stands_there_once(lengths, every, seed):
    words, at = [], 0.0
    for number, (length, pause) in enumerate(lengths):
        words.append((str(number), at, at + length))
        at += length + pause
    chance, heard = np.random.default_rng(seed), []
    for cut, following in itertools.pairwise([*np.arange(0, at, every), at]):
        start, end = max(0.0, cut - CONTEXT), min(at, following + CONTEXT)
        inside = [(text, max(a, start), min(b, end)) for text, a, b in words if min(b, end) - max(a, start) > 0.1]
        shaken = np.sort(
            np.clip(chance.uniform(-0.02, 0.02, 2 * len(inside)) + [t for w in inside for t in w[1:]], start, end)
        )
        named = [(text, *shaken[2 * place : 2 * place + 2]) for place, (text, _, _) in enumerate(inside)]
        heard.append((window(start, end, (cut, following)), named))
    segments = join(*heard)
    assert [text for text, _, _ in said(segments)] == [text for text, _, _ in words]
    times = [time for segment in segments for time in (segment.start, segment.end)]
    assert times == sorted(times)


HEARD = st.lists(st.floats(0, 3), max_size=12).map(sorted)


@settings(max_examples=500)
@given(st.tuples(HEARD, HEARD, HEARD))
def test_times_are_in_order_whatever_windows_hear(heard):
    windows = window(0, 3, (0, 2.25)), window(1.5, 4.5, (2.25, 3.75)), window(3, 6, (3.75, 6))
    words = [
        [("क", each.start + begin, each.start + end) for begin, end in zip(times[::2], times[1::2], strict=False)]
        for each, times in zip(windows, heard, strict=True)
    ]
    times = [time for _, *both in said(join(*zip(windows, words, strict=True))) for time in both]
    assert times == sorted(times)


def sound_of(path):
    """A clip from its first sound to its last, as clips that were cut."""
    samples = soundfile.read(path, dtype="float32")[0]
    loud = np.flatnonzero(np.abs(samples) > 0.01 * np.abs(samples).max())
    return samples[loud[0] : loud[-1] + 1]


def recording(paths, pause=0.15):
    """Clips one after another, and where each begins, in seconds."""
    silence = np.zeros(round(pause * RATE), np.float32)
    parts = [part for path in paths for part in (silence, sound_of(path))]
    ends = np.cumsum([part.size for part in parts]) / RATE
    return np.concatenate([*parts, silence]), ends[0::2]


def recognised(pipeline, samples, **planning):
    """Words of a recording in windows, no silence known."""
    featurizer, detector, joiner = Featurizer(pipeline.package.features), EverythingIsSpeech(), Joiner()
    planner, features = WindowPlanner(featurizer, **planning), featurizer.features(samples)
    windows = planner.take(features, detector.take(features.log_mel))
    windows += planner.finish(featurizer.features(samples[:0]), detector.finish())
    segments = [
        segment
        for each in windows
        for segment in joiner.add(each, pipeline.recognise_features(each.features, Options(words=True)))
    ]
    return windows, [word for segment in (*segments, *joiner.finish()) for word in segment.words]


def cut_everywhere(pipeline, samples, said, cuts, *, heard_otherwise=False):
    """Words near a cut that a recording cut there has lost or has twice, against what was said and the whole one.

    What is heard as it was said is right, whatever the whole one has there. A word in its place that is heard
    otherwise is neither, nor is one far from the cut: its window is normalised by another stretch of sound. With
    `heard_otherwise` these count too.
    """
    (segment,) = pipeline.recognise(Waveform(samples, RATE), Options(words=True)).segments
    whole = segment.words
    wrong = {}
    for cut in cuts:
        seconds = float(cut) + CONTEXT
        windows, words = recognised(pipeline, samples, window_seconds=seconds, where_no_pause=lambda part: part.size)
        assert len(windows) > 1
        texts = [[word.text for word in each] for each in (whole, words)]
        if " ".join(texts[1]) == said:
            continue
        for change, *places in difflib.SequenceMatcher(a=texts[0], b=texts[1], autojunk=False).get_opcodes():
            before, after = whole[places[0] : places[1]], words[places[2] : places[3]]
            near = [each for each in (*before, *after) if cut - CONTEXT <= each.end and each.start <= cut + CONTEXT]
            if (len(before) != len(after) and near) or (heard_otherwise and change != "equal"):
                wrong.setdefault(cut, []).append((before, after))
    return wrong


@pytest.fixture(scope="module")
def said_in_all(spoken_texts):
    return " ".join(spoken_texts[path] for path in CLIPS)


def test_a_cut_loses_and_doubles_no_word(pipeline, said_in_all):
    samples, _ = recording(CLIPS)
    assert cut_everywhere(pipeline, samples, said_in_all, np.arange(6.05, 10, 0.7)) == {}


def test_a_cut_changes_hardly_a_word(pipeline, said_in_all):
    """With VNNI the embedded model hears a word otherwise at one of these six cuts, with AVX2 alone at none."""
    samples, _ = recording(CLIPS)
    cuts = np.arange(6.05, 10, 0.7)
    assert len(cut_everywhere(pipeline, samples, said_in_all, cuts, heard_otherwise=True)) <= 1


def test_what_is_said_three_times_stays(pipeline, spoken_texts):
    samples, _ = recording([DATA / "namaste.wav"] * 3)
    said = " ".join([spoken_texts[DATA / "namaste.wav"]] * 3)
    assert cut_everywhere(pipeline, samples, said, np.arange(2.4, 4.6, 0.4)) == {}


@pytest.mark.measuring
@pytest.mark.parametrize("pause", [0.05, 0.1, 0.15, 0.3, 0.5])
def test_a_cut_anywhere_loses_and_doubles_no_word(pipeline, said_in_all, pause):
    samples, _ = recording(CLIPS, pause)
    cuts = np.arange(1.4 + CONTEXT, samples.size / RATE - 1 - CONTEXT, 0.1)
    assert cut_everywhere(pipeline, samples, said_in_all, cuts) == {}


@pytest.mark.parametrize("times", [4, pytest.param(40, marks=pytest.mark.measuring)])
def test_times_do_not_drift(pipeline, spoken_texts, times):
    samples, begins = recording(CLIPS * times, 0.4)
    windows, words = recognised(pipeline, samples)
    assert all(window.features.seconds <= 15 for window in windows)
    assert " ".join(word.text for word in words) == " ".join(spoken_texts[path] for path in CLIPS * times)
    counts = np.array([len(spoken_texts[path].split()) for path in CLIPS * times])
    firsts = np.cumsum(counts) - counts
    errors = np.array([words[first].start - begin for first, begin in zip(firsts, begins, strict=True)])
    assert np.abs(errors).max() <= 0.08
    assert abs(np.median(errors[-4:]) - np.median(errors[:4])) <= 0.04
