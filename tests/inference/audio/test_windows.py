"""Windows of recordings that are made of numbers."""

import itertools

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from inference.audio.speech import FRAME_SECONDS, EverythingIsSpeech, spans
from inference.audio.windows import WindowPlanner
from inference.features import FeatureParameters, Featurizer
from inference.types import Features

RATE = 100
FRAME = 4
FEATURIZER = Featurizer(FeatureParameters(normalisation="none"))
UNHEARD = round(0.2 * RATE), round(0.12 * RATE)
STRETCHES = st.lists(
    st.tuples(st.sampled_from([0.0, 0.34, 0.4, 0.9, 1.0]), st.integers(1, 600)), min_size=1, max_size=12
)


def features_of(power):
    """Features with so much power that know their places, so that a window shows where it was cut out."""
    return Features(np.tile(np.arange(len(power), dtype=np.float32), (80, 1)), np.asarray(power, np.float32))


def places(window):
    """Of its frames in the recording."""
    return np.round(window.features.log_mel[0] - FEATURIZER.finished(np.zeros((80, 1), np.float32))[0, 0])


NOTHING = features_of([])


def plan(probabilities, pieces=7, lag=0, window_seconds=15.0, short=0):
    """Windows of a recording fed in pieces, with a detector that is some pieces behind."""
    parts = np.array_split(np.asarray(probabilities, np.float32), pieces)
    whole = features_of(np.ones(len(probabilities) * FRAME - short))
    told = [np.empty(0, np.float32)] * lag + parts
    planner, windows, at = WindowPlanner(FEATURIZER, window_seconds), [], 0
    for part, known in zip(parts, told, strict=False):
        piece = slice(at, at := at + len(part) * FRAME)
        windows += planner.take(Features(whole.log_mel[:, piece], whole.power[piece]), known)
    return [*windows, *planner.finish(NOTHING, np.concatenate([np.empty(0, np.float32), *told[pieces:]]))]


def frames(stretches):
    return np.concatenate([np.full(count, probability) for probability, count in stretches])


@settings(max_examples=40)
@example([(0.9, 4), (0.0, 17), (0.9, 4)], 3.0, 1, 0, 0)
@given(STRETCHES, st.sampled_from([3.0, 6.5, 15.0]), st.integers(1, 40), st.integers(0, 5), st.integers(0, FRAME - 1))
def test_owned_spans_are_all_the_speech_once(stretches, window_seconds, pieces, lag, short):
    probabilities = frames(stretches)
    windows = plan(probabilities, pieces, lag, window_seconds, short)
    total = len(probabilities) * FRAME - short
    owned = np.zeros(total, dtype=int)
    for window in windows:
        first, size = round(window.start * RATE), window.features.power.size
        assert FRAME * 2.5 <= size <= window_seconds * RATE or size == total
        np.testing.assert_array_equal(places(window), np.arange(first, first + size))
        assert window.start <= window.owned.start < window.owned.end <= window.end
        others = [each for each in windows if each is not window]
        assert window.shared or all(each.end <= window.start or window.end <= each.start for each in others)
        owned[round(window.owned.start * RATE) : round(window.owned.end * RATE)] += 1
    assert [window.owned.start for window in windows] == sorted(window.owned.start for window in windows)
    expected, between = np.zeros(total, dtype=int), np.zeros(total, dtype=int)
    found = spans(probabilities.astype(np.float32))
    for span, following in itertools.zip_longest(found, found[1:]):
        expected[round(span.start * RATE) + UNHEARD[0] : round(span.end * RATE) - UNHEARD[1]] = 1
        # Of the silence at its edges, some or all is heard.
        between[round(span.start * RATE) : round(span.end * RATE)] = 1
        if following and following.start - span.end <= 0.6 + 1e-9:  # a window that they share owns that too
            between[round(span.end * RATE) : round(following.start * RATE)] = 1
    assert owned.max(initial=0) <= 1
    lost = np.flatnonzero(expected > owned)
    # Of the silence at the end of a span, a part may be left out.
    assert (probabilities[lost // FRAME] < 0.5).all()
    assert (owned[lost[:-1]] == 0).all()
    assert (owned <= expected + between).all()


@settings(max_examples=40)
@given(STRETCHES, st.integers(1, 60), st.integers(0, 3))
def test_pieces_and_a_detector_that_is_behind_change_nothing(stretches, pieces, lag):
    probabilities = frames(stretches)
    once, often = plan(probabilities, 1), plan(probabilities, pieces, lag)
    assert [(w.start, w.end, w.owned) for w in once] == [(w.start, w.end, w.owned) for w in often]


def test_silence_is_not_heard():
    assert plan(np.zeros(2000)) == []
    (window,) = plan(frames([(0.0, 500), (1.0, 50), (0.0, 500)]))
    assert (window.start, window.end) == pytest.approx((500 * 0.04 - 0.12, 550 * 0.04 + 0.2))
    assert (window.owned.start, window.owned.end) == pytest.approx((window.start, window.end))
    assert not window.shared


def test_a_short_span_shares_a_window_with_the_next_one_if_that_is_near():
    assert len(plan(frames([(1.0, 10), (0.0, 25), (1.0, 50), (0.0, 25), (1.0, 50)]))) == 2
    assert len(plan(frames([(1.0, 10), (0.0, 60), (1.0, 10), (0.0, 60), (1.0, 10)]))) == 3


def test_a_cut_lies_in_the_longest_pause():
    first, second = plan(frames([(1.0, 150), (0.0, 5), (1.0, 100), (0.0, 7), (1.0, 200)]))
    assert first.owned.end == second.owned.start == pytest.approx((255 + 3.5) * FRAME_SECONDS)
    assert first.shared
    assert second.shared
    assert first.end == pytest.approx(262 * FRAME_SECONDS)
    assert second.start == pytest.approx(255 * FRAME_SECONDS)


@pytest.mark.parametrize("pause", [8, 9, 15])
def test_a_long_window_ends_in_a_silence_and_nobody_hears_anything_twice(pause):
    first, second, third = plan(frames([(1.0, 50), (0.0, pause), (1.0, 50), (0.0, pause), (1.0, 50)]))
    ends, begins = (50, 100 + pause), (50 + pause, 100 + 2 * pause)
    for before, behind, end, begin in zip((first, second), (second, third), ends, begins, strict=True):
        assert before.end == pytest.approx(end * FRAME_SECONDS + min(0.2, pause * FRAME_SECONDS / 2))
        assert behind.start == pytest.approx(begin * FRAME_SECONDS - min(0.12, pause * FRAME_SECONDS / 2))
    assert not any(window.shared for window in (first, second, third))


def test_a_window_that_is_not_long_goes_on_through_a_silence():
    assert len(plan(frames([(1.0, 28), (0.0, 15), (1.0, 20)]))) == 1


def test_where_there_is_no_silence_early_enough_the_next_one_will_do():
    first, second = plan(frames([(1.0, 20), (0.0, 15), (1.0, 150), (0.0, 10), (1.0, 26), (0.0, 12), (1.0, 20)]))
    assert first.end == pytest.approx(185 * FRAME_SECONDS + 0.2)
    assert second.start == pytest.approx(195 * FRAME_SECONDS - 0.12)
    assert second.end == pytest.approx(253 * FRAME_SECONDS)


def test_what_may_be_speech_where_a_span_ends_is_no_window_of_its_own():
    (window,) = plan(frames([(1.0, 100), (0.0, 8), (0.4, 1), (0.0, 100)]))
    assert window.end == pytest.approx(100 * FRAME_SECONDS + 0.2)


def test_without_a_pause_a_cut_lies_where_it_is_quietest_with_sound_on_both_sides():
    power = np.random.default_rng(0).uniform(0.8, 1.2, RATE * 20)
    power[int(11.7 * RATE) : int(11.9 * RATE)] *= 0.25
    planner, detector, sound = WindowPlanner(FEATURIZER), EverythingIsSpeech(), features_of(power)
    first, second = (*planner.take(sound, detector.take(sound.log_mel)), *planner.finish(NOTHING, detector.finish()))
    assert first.owned.end == second.owned.start == pytest.approx(11.8, abs=0.06)
    assert first.end == pytest.approx(first.owned.end + 1.5)
    assert second.start == pytest.approx(first.owned.end - 1.5)
    assert first.shared
    assert second.shared


def test_memory_does_not_grow():
    planner, detector = WindowPlanner(FEATURIZER), EverythingIsSpeech()
    second = features_of(np.ones(RATE))
    for _ in range(100):
        planner.take(second, detector.take(second.log_mel))
        assert sum(block.power.size for block in planner._tape._blocks) <= 20 * RATE
        assert planner._probabilities.size <= 20 * 25
    silent = np.zeros(25, dtype=np.float32)
    for _ in range(30):
        planner.take(second, silent)
    assert sum(block.power.size for block in planner._tape._blocks) <= 2 * RATE


def test_silence_beside_speech_is_in_the_statistics_and_hardly_heard():
    """What the model hears is normalised over all of the span, with 0.32 s on both sides."""
    power, featurizer = np.ones(1000), Featurizer(FeatureParameters())
    planner, known = WindowPlanner(featurizer), frames([(0.0, 100), (1.0, 50), (0.0, 100)]).astype(np.float32)
    (window,) = (*planner.take(features_of(power), known), *planner.finish(NOTHING, known[:0]))
    first, end = 400 - 32, 600 + 32
    whole = featurizer.finished(features_of(power).log_mel[:, first:end])
    np.testing.assert_array_equal(window.features.log_mel, whole[:, UNHEARD[0] : -UNHEARD[1]])
    assert window.features.power.size == window.features.log_mel.shape[1]


def test_silence_at_the_edge_of_the_recording_is_heard():
    (window,) = plan(frames([(0.0, 3), (1.0, 50), (0.0, 4)]))
    assert (window.start, window.end) == pytest.approx((0.0, 57 * 0.04))
