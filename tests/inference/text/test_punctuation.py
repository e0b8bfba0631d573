"""Pauses → dandas."""

from hypothesis import given
from hypothesis import strategies as st

from inference.text.punctuation import PAUSE_SECONDS, text_with_danda, with_dandas
from inference.text.writing import written
from inference.types import Segment, Word

SAID = (
    Word("पानी", 0.2, 0.5),
    Word("दो", 0.6, 0.8),
    Word("सात", 1.5, 1.7),
    Word("सौ", 1.7, 1.9),
    Word("लोग", 2.0, 2.3),
)


def test_a_danda_stands_where_a_pause_is_and_at_the_end():
    assert " ".join(word.text for word in with_dandas(SAID, "pauses")) == "पानी दो। सात सौ लोग।"
    assert with_dandas(SAID, "none") == SAID


def test_no_danda_in_silence_and_no_second_one():
    assert with_dandas((), "pauses") == ()
    assert text_with_danda("", "pauses") == ""
    assert text_with_danda("है", "pauses") == text_with_danda("है।", "pauses") == "है।"
    assert text_with_danda("क्या?", "pauses") == "क्या?"
    assert text_with_danda("है", "none") == "है"


def test_a_segment_is_written_with_words_and_without():
    segment = Segment("पानी दो सात सौ लोग", 0.2, 2.3, SAID, channel=1)
    assert written(segment, "words", "none") == segment
    both = written(segment, "ascii", "pauses")
    assert both.text == " ".join(word.text for word in both.words) == "पानी दो। 700 लोग।"
    assert both.words[2] == Word("700", 1.5, 1.9)
    assert (both.start, both.end, both.channel) == (0.2, 2.3, 1)
    assert written(Segment("सात सौ", 0, 1), "devanagari", "pauses") == Segment("७००।", 0, 1)
    assert written(Segment("", 0, 1), "ascii", "pauses") == Segment("", 0, 1)


@given(st.lists(st.floats(0, 9), max_size=20).map(sorted))
def test_times_survive_and_pauses_decide(times):
    words = [Word("है", *pair) for pair in zip(times[::2], times[1::2], strict=False)]
    ended = with_dandas(words, "pauses")
    assert [(word.start, word.end) for word in ended] == [(word.start, word.end) for word in words]
    for word, after in zip(ended, words[1:], strict=False):
        assert word.text.endswith("।") == (after.start - word.end >= PAUSE_SECONDS)
