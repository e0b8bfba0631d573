"""What the embedded model hears of its sample clips, whatever codec they came through."""

import jiwer
import pytest
import soundfile
import soxr

from tests.inference.audio.kinds import SPEECH, encoders, files_of_every_kind
from tests.samples import CLIPS

# Microsoft's ADPCM at 8 kHz has a letter of one clip wrong, 0.74 % of all; the others have none.
MOST_CHARACTERS_WRONG = 0.015


def through(path, rate, encoder):
    samples, original = soundfile.read(path, dtype="float32")
    return encoder(samples if original == rate else soxr.resample(samples, original, rate))


@pytest.mark.parametrize(("rate", "encoder"), encoders().values(), ids=encoders())
def test_every_codec_is_understood(rate, encoder, pipeline, spoken_texts):
    heard = {path: pipeline.transcribe(through(path, rate, encoder)).text for path in CLIPS}
    (namaste,) = (path for path in CLIPS if path.stem == "namaste")
    assert heard[namaste] == spoken_texts[namaste]
    expected = [spoken_texts[path] for path in CLIPS]
    assert jiwer.cer(expected, [heard[path] for path in CLIPS]) <= MOST_CHARACTERS_WRONG


@pytest.mark.parametrize("name", SPEECH)
def test_codecs_that_nothing_here_encodes(name, pipeline, spoken_texts):
    (namaste,) = (path for path in CLIPS if path.stem == "namaste")
    assert pipeline.transcribe(files_of_every_kind()[name]).text == spoken_texts[namaste]


def test_warnings_of_a_file_are_in_the_transcript(pipeline, spoken_texts):
    (namaste,) = (path for path in CLIPS if path.stem == "namaste")
    data = bytearray(namaste.read_bytes())
    place = data.index(b"data") + 4
    data[place : place + 4] = (int.from_bytes(data[place : place + 4], "little") + 44).to_bytes(4, "little")
    transcript = pipeline.transcribe(bytes(data))
    assert transcript.text == spoken_texts[namaste]
    assert transcript.warnings == ("The header announces 44 bytes more than there are.",)
