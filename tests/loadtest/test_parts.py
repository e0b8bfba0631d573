"""What the commands compute from what they have seen."""

import json

import pytest

from loadtest.chaos import seconds_until_back
from loadtest.harness.client import Reply
from loadtest.harness.outcomes import summarise
from loadtest.mixup import Clips
from loadtest.overload import Schedule
from loadtest.recorder import Recorder, read_outcomes
from loadtest.soak import growth


def test_growth_leaves_the_warm_up_out():
    points = [(0.0, 10.0), (1.0, 200.0), (3.0, 200.0), (6.0, 203.0), (10.0, 207.0)]
    assert growth(points, minutes=10) == pytest.approx(1.0)
    assert growth([], minutes=10) == 0


def test_turns_of_load_follow_each_other():
    schedule = Schedule(capacity=100.0, rounds=2, seconds=3.0)
    assert [times for times, _ in schedule.loads] == [5.0, 1.0, 5.0, 1.0, 5.0]
    arrivals = schedule.arrivals()
    assert arrivals == sorted(arrivals)
    for (times, seconds), start in zip(schedule.loads, schedule.starts, strict=True):
        within = sum(start <= at < start + seconds for at in arrivals)
        assert within == pytest.approx(times * 100 * seconds, rel=0.25)


def test_what_was_never_answered_is_lost(tmp_path):
    recorder = Recorder()
    recorder.end(recorder.begin(0.0), "good")
    recorder.begin(0.0)
    recorder.write(tmp_path / "outcomes.csv")
    outcomes = read_outcomes(tmp_path / "outcomes.csv")
    assert summarise(outcomes, 10.0).kinds == {"good": 1, "lost": 1}


def test_the_time_until_a_lane_is_back_is_read_off_the_log():
    ready = [{"timestamp": f"1970-01-01T00:01:{second:02d}+00:00"} for second in (0, 0, 12)]
    assert seconds_until_back([70.0], ready) == [2.0]


@pytest.fixture(scope="module")
def clips():
    """The library hears the length of a file."""
    return Clips(lambda data: str(len(data)))


def reply(clips, number, **changed):
    content = {"text": str(len(clips.cut(number))), "duration": (24_000 + number) / 48_000, "request_id": "mine"}
    return Reply(200, json.dumps(content | changed).encode())


def test_an_answer_of_ones_own(clips):
    assert clips.differs(7, reply(clips, 7), "mine") == ""


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"text": "another's"}, 'got "another\'s"'),
        ({"duration": 24_008 / 48_000}, "answer of clip 8"),
        ({"request_id": "yours"}, "answer of request yours"),
    ],
)
def test_an_answer_of_another_is_seen(clips, changed, words):
    assert words in clips.differs(7, reply(clips, 7, **changed), "mine")
