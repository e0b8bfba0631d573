"""The few numbers by which a run is told."""

import csv
import json
import math
import os
import time

import pytest

from loadtest.outcomes import Outcomes
from loadtest.outcomes import judge as judge_answer
from tools.chaos import seconds_until_back
from tools.client import LOST, Answer
from tools.load import completed_rate, rate_within, summarise
from tools.outcomes import judge, read_outcomes
from tools.overload import Schedule
from tools.processor_time import ProcessorTime
from tools.soak import growth
from tools.statistics import percentile, ratio_of_sums, slope


def answer(done, status=200, seconds=1.0, correct=True):
    return Answer(done - seconds, seconds, status, correct and status == 200, 0.0)


def test_percentiles_are_values_that_were_seen():
    assert percentile(range(1, 101), 95) == 95
    assert percentile([3.0], 99) == 3.0
    assert math.isnan(percentile([], 50))


def test_slope():
    assert slope([0, 1, 2], [5, 7, 9]) == pytest.approx(2)
    assert slope([1], [5]) == 0


def test_growth_leaves_the_warm_up_out():
    points = [(0.0, 10.0), (1.0, 200.0), (3.0, 200.0), (6.0, 203.0), (10.0, 207.0)]
    assert growth(points, minutes=10) == pytest.approx(1.0)


def test_a_summary_counts_every_answer_once():
    answers = [answer(1), answer(2, correct=False), answer(3, 429), answer(3, 504), answer(4, 500), answer(5, LOST)]
    summary = summarise(answers, 10.0)
    assert summary.goodput == 0.1
    assert [summary.good, summary.wrong, summary.refused, summary.late, summary.failed, summary.lost] == [1] * 6


def test_rates():
    answers = [answer(float(done)) for done in range(11)]
    assert completed_rate(answers) == 1.0
    assert rate_within(answers, 2.0, 5.0) == pytest.approx(4 / 3)


def test_a_ratio_of_sums_lies_within_its_interval():
    ratio, low, high = ratio_of_sums([9.0, 10.0, 11.0, 8.0], [10.0, 10.0, 10.0, 10.0])
    assert ratio == pytest.approx(0.95)
    assert 0.8 <= low < ratio < high <= 1.1
    assert ratio_of_sums([3.0, 6.0], [4.0, 8.0]) == pytest.approx((0.75, 0.75, 0.75))


def test_turns_of_load_follow_each_other():
    schedule = Schedule(capacity=100.0, rounds=2, seconds=3.0)
    assert [times for times, _ in schedule.loads] == [5.0, 1.0, 5.0, 1.0, 5.0]
    arrivals = schedule.arrivals()
    assert arrivals == sorted(arrivals)
    for (times, seconds), start in zip(schedule.loads, schedule.starts, strict=True):
        within = sum(start <= at < start + seconds for at in arrivals)
        assert within == pytest.approx(times * 100 * seconds, rel=0.25)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, '{"text": "क"}', "good"),
        (200, '{"text": "ख"}', "wrong"),
        (200, "not json", "wrong"),
        (429, '{"type": "/problems/overloaded"}', "refused"),
        (504, "", "late"),
        (500, '{"type": "/problems/lane-crashed"}', "failed"),
        (0, None, "lost"),
    ],
)
def test_every_answer_has_a_kind(status, body, kind):
    assert judge_answer(status, body, "क")[0] == kind


def test_what_was_never_answered_is_lost(tmp_path):
    outcomes = Outcomes()
    outcomes.end(outcomes.begin(0.0), "good")
    outcomes.begin(0.0)
    outcomes.write(tmp_path / "outcomes.csv")
    rows = read_outcomes(tmp_path / "outcomes.csv")
    verdict = judge(rows, 10.0)
    assert verdict.kinds == {"good": 1, "lost": 1}
    assert not verdict.passed
    with (tmp_path / "outcomes.csv").open(encoding="utf-8") as stream:
        assert len(list(csv.reader(stream))) == 3


def test_the_time_until_a_lane_is_back_is_read_off_the_log(tmp_path):
    log = tmp_path / "server.log"
    times = [f"1970-01-01T00:01:{second:02d}+00:00" for second in (0, 0, 12)]
    lines = [json.dumps({"timestamp": time, "message": "lane ready"}) for time in times]
    log.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    assert seconds_until_back([70.0], log) == [2.0]


def test_shares_of_the_processors():
    with ProcessorTime(1, {"this": [os.getpid()], "parent": [os.getppid()]}) as taken:
        end = time.process_time() + 0.3
        while time.process_time() < end:
            pass
    assert 0 < taken.shares["this"] <= 110
    assert taken.shares["parent"] < taken.shares["this"]
