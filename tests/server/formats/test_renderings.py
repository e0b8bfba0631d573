"""Subtitles that can be read, and one result in every form."""

import io
import json
import re
from dataclasses import replace
from itertools import pairwise

import av
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.types import Options, Segment, StageTime, Transcript, Word
from server.formats.cues import Cue, cues_of, lines_of
from server.formats.openai import simple, text_delta, text_done, verbose
from server.formats.renderings import RENDERINGS, srt, text, tsv, vtt
from server.formats.times import shown_times
from server.parameters import Parameters
from server.schemas import TranscriptionReply

SPOKEN = ["हाँ", "नमस्ते", "क्षत्रिय", "अंतर्राष्ट्रीयकरण", "मैं", "किताब", "पढ़ता", "हूँ", "स्त्री", "सात", "सौ"]


def transcript(words, channel=None, seconds=None):
    """A segment for all words."""
    said = " ".join(word.text for word in words)
    segments = (Segment(said, words[0].start, words[-1].end, tuple(words), channel),) if words else ()
    duration = seconds or (words[-1].end if words else 1.0)
    return Transcript(segments, "hi", "test", duration, duration, False, ())


@st.composite
def speech(draw, endless=True):
    at, words = 0.0, []
    for _ in range(draw(st.integers(0, 40))):
        at += draw(st.sampled_from([0.0, 0.04, 0.2, 0.7, 3.0]))
        seconds = draw(st.sampled_from([0.04, 0.3, 0.8, 2.0]))
        word = draw(st.sampled_from(SPOKEN)) * draw(st.sampled_from([1, 1, 1, 9 if endless else 1]))
        words.append(Word(word, round(at, 2), round(at + seconds, 2)))
        at += seconds
    return words


@given(speech())
def test_cues_hold_all_words_in_lines_that_fit(words):
    cues = cues_of(transcript(words))
    joined = "".join(line.replace(" ", "") for cue in cues for line in cue.lines)
    assert joined == "".join(word.text for word in words)
    assert all(len(line) <= 42 for cue in cues for line in cue.lines)
    assert all(1 <= len(cue.lines) <= 2 for cue in cues)
    for cue, following in pairwise(cues):
        assert cue.start <= cue.end <= following.start


@given(speech(endless=False))
def test_a_cue_is_there_with_its_words_and_long_enough(words):
    starts, ends = {word.start for word in words}, {word.end for word in words}
    cues = cues_of(transcript(words, seconds=1000.0))
    for cue, following in pairwise([*cues, Cue(1000.0, 1000.0, ())]):
        assert cue.start in starts
        assert cue.end - cue.start <= 7.0001
        assert cue.end in ends or cue.end == pytest.approx(min(cue.start + 1.0, following.start))
        assert cue.end - cue.start >= min(1.0, following.start - cue.start) - 0.0001


def test_cues_are_cut_at_pauses():
    words = [Word("एक", 0.0, 0.5), Word("दो", 0.6, 1.2), Word("तीन", 2.4, 3.0), Word("चार", 3.05, 3.6)]
    assert [(cue.start, cue.end, cue.lines) for cue in cues_of(transcript(words))] == [
        (0.0, 1.2, ("एक दो",)),
        (2.4, 3.6, ("तीन चार",)),
    ]


def test_no_letter_is_cut():
    (segment,) = transcript([Word("क्षि" * 20, 0.0, 5.0)]).segments
    lines = [line for cue in cues_of(transcript(list(segment.words))) for line in cue.lines]
    assert len(lines) == 2
    assert all(line.startswith("क्षि") and line.endswith("क्षि") for line in lines)


@pytest.mark.parametrize(
    ("said", "lines"),
    [
        ("एक", ("एक",)),
        ("a" * 42, ("a" * 42,)),
        ("a" * 20 + " " + "b" * 10 + " " + "c" * 20, ("a" * 20, "b" * 10 + " " + "c" * 20)),
        ("a" * 43, None),
        ("a " * 43, None),
    ],
)
def test_lines_are_of_like_length(said, lines):
    assert lines_of(said) == lines


def test_hours_beyond_99_and_times_that_round_up():
    words = [Word("एक", 359_999.9996, 360_001.5), Word("दो", 400_000.0, 400_001.9999)]
    assert srt(transcript(words)) == (
        "1\n100:00:00,000 --> 100:00:01,500\nएक\n\n2\n111:06:40,000 --> 111:06:42,000\nदो\n\n"
    )


@settings(max_examples=30)
@given(speech().filter(bool))
def test_ffmpeg_reads_the_cues_as_they_are(words):
    said = transcript(words)
    cues = [(round(cue.start * 1000), round(cue.end * 1000), "\n".join(cue.lines)) for cue in cues_of(said)]
    for form, written in (("srt", srt(said)), ("webvtt", vtt(said))):
        with av.open(io.BytesIO(written.encode()), format=form) as file:
            packets = [packet for packet in file.demux(file.streams.subtitles[0]) if packet.size]
        assert [(each.pts, each.pts + each.duration, bytes(each).decode()) for each in packets] == cues


def test_webvtt_escapes_and_names_voices():
    found = vtt(transcript([Word("<b>&", 0.0, 1.5)], channel=1))
    assert found == "WEBVTT\n\n00:00:00.000 --> 00:00:01.500\n<v channel 1>&lt;b&gt;&amp;\n"


def test_channels_stand_in_the_order_of_time():
    first, second = transcript([Word("एक", 0.0, 1.0), Word("तीन", 6.0, 7.0)], 0), transcript([Word("दो", 3.0, 4.0)], 1)
    both = Transcript((*first.segments, *second.segments), "hi", "test", 8.0, 8.0, False, ())
    assert [(cue.channel, cue.lines[0]) for cue in cues_of(both)] == [(0, "एक"), (1, "दो"), (0, "तीन")]


@pytest.mark.parametrize("end", [2.0, 2.0004, 2.0808, 2.080875])
def test_no_segment_ends_behind_the_audio(end):
    """Rounded to the millisecond, 2.080875 s would be 2.081 s."""
    start, shown = shown_times(Segment("एक", 0.1234, end), 2.080875)
    assert start == 0.123
    assert shown == pytest.approx(end, abs=0.0005)
    assert shown <= 2.080875


def test_nobody_speaks():
    silent = transcript([])
    assert (srt(silent), vtt(silent), text(silent), tsv(silent)) == ("", "WEBVTT\n", "\n", "start\tend\ttext\n")


@given(speech(), st.sampled_from(["words", "ascii"]), st.sampled_from(["none", "pauses"]))
def test_all_forms_say_the_same(words, numerals, punctuate):
    parameters = Parameters(Options(), "verbose_json", words=True, numerals=numerals, punctuate=punctuate)
    heard = replace(transcript(words), stages=(StageTime("queue", 0.0, 0.0),))
    said = parameters.written(heard)
    plain = "".join(word.text for each in said.segments for word in each.words).replace(" ", "")

    def letters(rendered):
        return re.sub(r"\s", "", rendered)

    rows = [line for cue in srt(said).split("\n\n") for line in cue.splitlines()[2:]]  # behind its number and times
    assert letters("".join(rows)) == plain
    assert letters(re.sub(r"WEBVTT|.*-->.*", "", vtt(said))) == plain
    assert letters("".join(line.split("\t")[2] for line in tsv(said).splitlines()[1:])) == plain
    assert letters(RENDERINGS["text"][0](said)) == plain
    own = TranscriptionReply.of(heard, "id", parameters)
    openais = json.loads(verbose(said, heard, ("word", "segment")))
    for whole, segments, listed in (
        (own.text, own.segments, [word.text for each in own.segments for word in each.words]),
        (openais["text"], openais["segments"], [word["word"] for word in openais["words"]]),
    ):
        assert letters(whole) == letters("".join(listed)) == plain
        assert len(segments) == len(said.segments)
    assert json.loads(simple(said, heard))["text"] == json.loads(text_done(said, heard))["text"] == said.text
    assert json.loads(text_delta(said.segments, first=True))["delta"] == said.text
