"""The few numbers by which a run is reported, and what became of each request."""

import json
import math

import pytest

from loadtest.harness.outcomes import Outcome, WrongText, judge, summarise
from loadtest.harness.page import processor, write_column
from loadtest.harness.statistics import percentile, ratio_of_sums, ratios, spread

STAGES = {"queue": 9.0, "decode": 1.0, "features": 1.0, "inference": 2.0, "decoding": 1.0, "total": 14.0}


def test_percentiles_are_values_that_were_seen():
    assert percentile(range(1, 101), 95) == 95
    assert percentile([3.0], 99) == 3.0
    assert math.isnan(percentile([], 50))


def test_a_spread_is_the_median_and_the_outer_deciles():
    assert str(spread([1.0, 2.0, 3.0, 4.0, 5.0])) == "3.00 [1.40, 4.60]"
    assert f"{spread([2.0]):.1f}" == "2.0 [2.0, 2.0]"


def test_a_ratio_is_taken_round_by_round():
    assert ratios([1.0, 10.0, 100.0], [2.0, 20.0, 50.0]).median == pytest.approx(0.5)


def test_a_ratio_of_sums_lies_within_its_interval():
    found = ratio_of_sums([9.0, 10.0, 11.0, 8.0], [10.0, 10.0, 10.0, 10.0])
    assert found.median == pytest.approx(0.95)
    assert 0.8 <= found.low < found.median < found.high <= 1.1


@pytest.mark.parametrize(
    ("status", "content", "kind"),
    [
        (200, {"text": "क"}, "good"),
        (200, {"text": "ख"}, "wrong"),
        (200, None, "wrong"),
        (429, {"type": "/problems/overloaded"}, "refused"),
        (504, None, "late"),
        (500, {"type": "/problems/lane-crashed"}, "failed"),
        (0, None, "lost"),
    ],
)
def test_every_answer_has_a_kind(status, content, kind):
    assert judge(status, json.dumps(content) if content else "no json", "क")[0] == kind


def test_a_right_text_of_another_length_is_wrong():
    body = json.dumps({"text": "क", "duration": 1.5, "processing": STAGES})
    assert judge(200, body, "क", 1.5) == ("good", "", 5.0)
    assert judge(200, body, "क", 1.25)[0] == "wrong"


def test_a_summary_counts_every_outcome():
    kinds = ("good", "wrong", "refused", "late", "failed", "lost", "healthz")
    outcomes = [Outcome(100.0 + index, 1.0, kind) for index, kind in enumerate(kinds)]
    found = summarise(outcomes, 10.0, start=100.0)
    assert found.goodput == 0.1
    assert found.sent == 6
    assert not found.passed
    assert summarise(outcomes, 0.5, start=100.0).goodput == 0  # it came later
    with pytest.raises(WrongText, match="1 of 6"):
        found.check()


@pytest.mark.parametrize("kind", ["wrong", "lost", "healthz-failed"])
def test_what_must_not_happen_fails_a_run(kind):
    good = Outcome(0.0, 1.0, "good")
    assert summarise([good], 10.0).passed
    assert not summarise([good, Outcome(0.0, 1.0, kind)], 10.0).passed
    assert not summarise([], 10.0).passed


def test_a_column_of_the_page(tmp_path):
    page = tmp_path / "performance.md"
    table = "| what | VNNI | AVX2 |\n| --- | --- | --- |\n| speed | 1 | 2 |\n| memory | 3 | 4 |\n"
    table += "\n*VNNI*: old\n*AVX2*: old\n"
    page.write_text(f"Words.\n\n<!-- server: begin -->\n\n{table}\n<!-- server: end -->\n\nMore.\n")
    write_column(page, "server", {"speed": "9"}, "today")
    column = {"VNNI": "| speed | 9 | 2 |", "AVX2": "| speed | 1 | 9 |"}[processor()]
    text = page.read_text()
    assert column in text
    assert "| memory | 3 | 4 |" in text
    assert f"*{processor()}*: today" in text
    assert text.count("old") == 1
    assert text.startswith("Words.\n\n<!-- server: begin -->\n\n| what")
    assert text.endswith("<!-- server: end -->\n\nMore.\n")
    with pytest.raises(ValueError, match="no such row"):
        write_column(page, "server", {"no such row": "1"}, "never")
    assert page.read_text() == text
