"""Parameters: what is taken, what is refused and how that is said."""

import pytest

from inference.types import Segment, StageTime, Transcript, Word
from server.errors import InvalidParameter
from server.parameters import PARAMETERS, Field, Parameters, read
from server.routes.openai import FIELDS
from server.schemas import TranscriptionReply


def wishes(**given):
    return Parameters.of({name: values[0] for name, values in read(PARAMETERS, given.items()).items()})


def test_nothing_is_wished_for():
    nothing = wishes(model="", format="", words="")
    assert nothing == Parameters.of({})
    assert (nothing.format, nothing.words, nothing.options.words, nothing.options.channels) == (
        "json", False, False, "mix",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("given", "aligned", "shown"),
    [
        ({"words": "true"}, True, True),
        ({"format": "verbose_json"}, True, True),
        ({"format": "verbose_json", "words": "false"}, False, False),
        ({"format": "srt"}, True, False),
        ({"format": "vtt"}, True, False),
        ({"format": "tsv"}, False, False),
        ({"format": "text"}, False, False),
        ({"format": "text", "punctuate": "pauses"}, True, False),
        ({"numerals": "ascii"}, False, False),
    ],
)
def test_words_are_aligned_where_they_are_needed(given, aligned, shown):
    assert (wishes(**given).options.words, wishes(**given).words) == (aligned, shown)


def test_channels():
    assert wishes(channels="separate").options.channels == "separate"
    assert wishes(channels="2,0,2").options.channels == (2, 0)


@pytest.mark.parametrize(
    ("sent", "field", "said"),
    [
        ([("formt", "srt")], "formt", "no such field; there are file, model"),
        ([("format", "SRT")], "format", "'SRT' is not taken; what is: json, text, srt"),
        ([("words", "yes")], "words", "false, true"),
        ([("channels", "left")], "channels", "numbers of channels such as 0,1"),
        ([("language", "हिन्दी")], "language", "BCP 47"),
        ([("format", "srt"), ("format", "vtt")], "format", "given twice, as 'srt' and 'vtt'"),
        ([("words", "true"), ("format", "text")], "words", "format=text has no place for them"),
    ],
)
def test_what_is_refused_names_its_field(sent, field, said):
    with pytest.raises(InvalidParameter, match=said) as refusal:
        Parameters.of({name: values[0] for name, values in read(PARAMETERS, sent).items()})
    assert refusal.value.field == field
    assert refusal.value.detail.startswith(f"{field}: ")


def test_the_same_twice_is_once():
    assert read(PARAMETERS, [("format", "srt"), ("format", "srt"), ("format", "")]) == {"format": ("srt",)}


def test_a_field_that_has_several_values():
    fields = {"keywords[]": Field("Words.", several=True)}
    sent = [("keywords[]", "एक"), ("keywords[]", "दो"), ("keywords[]", "एक")]
    assert read(fields, sent) == {"keywords[]": ("एक", "दो")}


def test_text_segments_and_words_of_a_reply_agree():
    said = (
        Word("सात", 0.1, 0.4, 0.9), Word("सौ", 0.4, 0.6, 0.8), Word("रुपये", 0.7, 1.0, 1.0), Word("दो", 2.0, 2.3, 0.75)
    )  # fmt: skip
    segments = (Segment("सात सौ रुपये", 0.1, 1.0, said[:3]), Segment("दो", 2.0, 2.3, said[3:]))
    heard = Transcript(segments, "hi", "m", 3.0, 3.0, False, (StageTime("queue", 0.0, 0.0),))
    plain = TranscriptionReply.of(heard, "id").model_dump(exclude_unset=True)
    assert not {"words", "raw_text"} & set(plain)
    flat = wishes(words="true", numerals="ascii", punctuate="pauses")
    reply = TranscriptionReply.of(heard, "id", flat).model_dump(exclude_unset=True)
    assert (reply["raw_text"], reply["text"]) == ("सात सौ रुपये दो", "₹700। 2।")
    assert reply["words"] == [
        {"text": "₹700।", "start": 0.1, "end": 1.0, "confidence": 0.7589},
        {"text": "2।", "start": 2.0, "end": 2.3, "confidence": 0.75},
    ]
    assert "words" not in reply["segments"][0]
    verbose = TranscriptionReply.of(heard, "id", wishes(format="verbose_json")).model_dump(exclude_unset=True)
    assert "words" not in verbose
    assert [word["text"] for each in verbose["segments"] for word in each["words"]] == heard.text.split()


@pytest.mark.parametrize(
    ("strategy", "taken"),
    [
        ("auto", True),
        ('{"type": "server_vad"}', True),
        ('{"threshold":0.5,"type":"server_vad","prefix_padding_ms":300, "silence_duration_ms":200}', True),
        ("{}", False),
        ('{"threshold":0.5}', False),
        ('{"type":"server_vad","threshold":"high"}', False),
        ('{"type":"server_vad","colour":1}', False),
        ('{"type":"server_vad"', False),
        ("automatic", False),
        ("{" + '"type":"server_vad"' * 50, False),
        ("{" + '"type":"server_vad",' * 40, False),
        ("{" + '"type":"server_vad"' * 3000, False),
    ],
)
def test_objects_as_json(strategy, taken):
    assert FIELDS["chunking_strategy"].takes(strategy) == taken


@pytest.mark.parametrize("temperature", ["0", "0.0", "1.0", "0.2", ".5", "1e-05", "२", "1.01", "-1", "nan", "0.5.5"])
def test_temperatures(temperature):
    assert FIELDS["temperature"].takes(temperature) == (temperature not in ("२", "1.01", "-1", "nan", "0.5.5"))
