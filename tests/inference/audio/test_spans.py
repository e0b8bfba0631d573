"""Spans of speech out of probabilities, and the detector that hears speech everywhere."""

import itertools

import numpy as np
import pytest

from inference.audio.speech import FRAME_SECONDS, EverythingIsSpeech, SpanFinder, spans
from inference.types import Span


def frames(*parts: tuple[float, int]) -> np.ndarray:
    return np.concatenate([np.full(count, probability, np.float32) for probability, count in parts])


def in_frames(found: tuple[Span, ...]) -> list[tuple[int, int]]:
    return [(round(span.start / FRAME_SECONDS), round(span.end / FRAME_SECONDS)) for span in found]


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([], []),
        ([(0.1, 100)], []),
        ([(1, 50)], [(0, 50)]),
        ([(0, 20), (1, 10), (0, 20)], [(12, 38)]),
        ([(0, 20), (1, 2), (0, 20)], []),  # a click
        ([(0.4, 40)], []),  # too little to begin
        ([(0, 20), (1, 4), (0.4, 7), (0, 20)], [(12, 39)]),  # and enough to go on
        ([(0, 20), (0.8, 3), (0.4, 7), (0, 20)], []),  # a chord that dies away
        ([(1, 5), (0, 15), (1, 5)], [(0, 25)]),  # a pause inside
        ([(1, 5), (0, 16), (1, 5)], [(0, 13), (13, 26)]),
        ([(0, 20), (1, 2), (0, 5), (1, 2), (0, 20)], [(12, 37)]),  # two short syllables are no clicks
    ],
)
def test_spans(parts, expected):
    probabilities = frames(*parts) if parts else np.zeros(0, np.float32)
    assert in_frames(spans(probabilities)) == expected


def test_pieces_change_nothing():
    random = np.random.default_rng(1)
    for _ in range(50):
        slow = np.interp(np.arange(600), np.arange(0, 600, 12), random.uniform(0, 1, 50) ** 2)
        probabilities = np.asarray(slow, np.float32)
        finder, found, at = SpanFinder(), [], 0
        while at < len(probabilities):
            piece = int(random.integers(0, 40))
            closed = finder.take(probabilities[at : at + piece])
            at += piece
            assert all(span.end <= finder.settled + 1e-9 for span in closed)
            found += closed
        assert (*found, *finder.finish()) == spans(probabilities)
        assert all(a.end <= b.start + 1e-9 for a, b in itertools.pairwise(found))


def test_everything_is_speech():
    detector = EverythingIsSpeech()
    counts = [detector.take(np.zeros((80, frames), np.float32)).size for frames in (1, 6, 0, 31)]
    assert counts == [0, 1, 0, 8]
    assert detector.finish().tolist() == [1.0]
