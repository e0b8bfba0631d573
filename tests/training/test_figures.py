"""Tables of error rates."""

import pytest

from training.figures import over_speakers, report


def test_intervals_over_speakers_are_wider_where_speakers_differ():
    """Nine clips by each of four speakers, one of whom is never understood."""
    pairs, speakers = [], []
    for speaker in "abcd":
        pairs += [("एक दो", "पाँच छः" if speaker == "d" else "एक दो")] * 9
        speakers += [speaker] * 9
    _, words = over_speakers(pairs, speakers)
    assert (words.errors, words.length, words.percent) == (18, 72, 25.0)
    assert words.interval[0] == 0
    assert words.interval[1] >= 50
    _, alone = over_speakers(pairs, [str(number) for number in range(36)])
    assert alone.interval[1] < 50


def test_a_table_says_over_what_its_intervals_are():
    rows = [{"text": "एक", "speaker": speaker, "voice": "v"} for speaker in "abc"]
    table = report(rows, ["एक", "दो", "एक"], "voice")
    assert "| all | 3 |" in table
    assert "33.3 [0.0, 100.0] | 3 speakers |" in table
    assert report(rows[:2], ["एक", "एक"], "voice").endswith("| v | 2 | 0.0 [0.0, 0.0] | 0.0 [0.0, 0.0] | clips |")


@pytest.mark.parametrize(("heard", "count"), [(["", "", ""], 0), (["हाँ", "", " "], 1)])
def test_clips_without_speech_are_counted_and_not_scored(heard, count):
    rows = [{"text": "", "voice": "rain"}, {"text": "", "voice": "hum"}, {"text": "", "voice": "hum"}]
    assert f"without speech: {count} of 3 clips give a text" in report(rows, heard, "voice")
    both = report([*rows, {"text": "एक", "voice": "v"}], [*heard, "एक"], "voice")
    assert "| all | 1 | 0.0" in both
