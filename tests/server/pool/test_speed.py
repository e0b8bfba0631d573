"""What the pool learns of its speed."""

import pytest

from server.pool.speed import Speed


def test_the_speed_follows_what_was_measured_last():
    speed = Speed()
    speed.learn("model", "transcribe", 1000, 100)
    for _ in range(100):
        speed.learn("model", "transcribe", 10, 5)
    assert speed.real_time_factor("model", "transcribe") == pytest.approx(0.5, abs=0.01)


def test_every_model_and_kind_has_a_speed_of_its_own():
    speed = Speed()
    speed.learn("slow", "transcribe", 10, 5)
    speed.learn("fast", "transcribe", 10, 1)
    speed.learn("fast", "recognise", 10, 0.5)
    assert speed.real_time_factor("slow", "transcribe") == pytest.approx(0.5)
    assert speed.real_time_factor("fast", "transcribe") == pytest.approx(0.1)
    assert speed.real_time_factor("fast", "recognise") == pytest.approx(0.05)
    assert speed.real_time_factor("slow", "recognise") == pytest.approx(0.5)


def test_nothing_is_promised_before_anything_was_measured():
    assert Speed().real_time_factor("model", "transcribe") > 0.1
