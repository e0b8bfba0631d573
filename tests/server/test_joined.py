"""Stage times of a recording mean what those of a clip mean."""

import numpy as np
import pytest

from inference.audio.windows import Window
from inference.types import STAGES, Features, Options, Segment, Span, StageTime, Transcript, Word
from server.deadline import Deadline
from server.joined import Joined


class End:
    duration = 40.0
    clipped = False
    warnings = ("A sentence.",)


def window(start, end, channel=None):
    frames = round((end - start) * 100)
    features = Features(np.zeros((80, frames), np.float32), np.zeros(frames, np.float32))
    return Window(features, channel, start, Span(start, end))


def heard(text, waited, worked, seconds=10.0):
    """A window's transcript: it waited from, for; its lane was at it from, for."""
    stages = (StageTime("queue", *waited), StageTime("features", worked[0], 0.0), StageTime("inference", *worked))
    words = tuple(Word(word, 1.0 + place, 1.5 + place) for place, word in enumerate(text.split()))
    return Transcript((Segment(text, 0.0, seconds, words),), "hi", "m", seconds, seconds, False, stages)


@pytest.fixture
def package(pipeline):
    return pipeline.package


def test_what_others_took_is_the_queue_and_lane_seconds_add_up(package):
    joined = Joined(Options())
    joined.add(window(0, 10), heard("एक दो", (100.0, 1.0), (101.0, 2.0)))  # nobody was at it for a second
    joined.add(window(10, 20), heard("तीन", (100.0, 3.0), (103.0, 1.0)))  # while it waited, a lane was at the first
    joined.add(window(25, 35), heard("चार", (104.0, 5.0), (109.0, 2.0)))  # five seconds without a lane
    transcript = joined.transcript(package, End(), StageTime("queue", 98.0, 2.0), StageTime("decode", 100.0, 0.5))
    assert [time.stage for time in transcript.stages] == list(STAGES)
    assert transcript.seconds("queue") == pytest.approx(2 + 1 + 5)
    assert transcript.seconds("decode") == 0.5
    assert transcript.seconds("inference") == pytest.approx(5)
    assert transcript.stages[0].began == 98.0
    assert transcript.text == "एक दो तीन चार"
    assert (transcript.heard, transcript.duration, transcript.warnings) == (30, 40, ("A sentence.",))
    assert not any(segment.words for segment in transcript.segments)


def test_channels_are_told_in_the_order_of_time(package):
    joined = Joined(Options(words=True, channels="separate"))
    for start, channel, text in ((0, 0, "एक"), (20, 0, "तीन"), (10, 1, "दो"), (30, 1, "चार")):
        joined.add(window(start, start + 5, channel), heard(text, (0.0, 0.0), (0.0, 1.0), 5.0))
    transcript = joined.transcript(package, End(), StageTime("queue", 0.0, 0.0), StageTime("decode", 0.0, 0.0))
    assert [(segment.text, segment.channel) for segment in transcript.segments] == [
        ("एक", 0), ("दो", 1), ("तीन", 0), ("चार", 1),
    ]  # fmt: skip
    assert all(segment.words for segment in transcript.segments)


def test_silence_has_all_stages_too(package):
    transcript = Joined(Options()).transcript(
        package, End(), StageTime("queue", 9.0, 1.0), StageTime("decode", 9.0, 1.0)
    )
    assert (transcript.text, transcript.heard) == ("", 0)
    assert [time.stage for time in transcript.stages] == list(STAGES)


def test_a_deadline_grows_with_the_audio_as_far_as_the_client_waits():
    patient, impatient = Deadline(float("inf"), 30, 15, began=100.0), Deadline(10, 30, 15, began=100.0)
    assert [patient.at(seconds) for seconds in (0, 15, 75, 14_415)] == [130, 130, 160, 7_330]
    assert [impatient.at(seconds) for seconds in (0, 14_415)] == [110, 110]
