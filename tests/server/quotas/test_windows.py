"""Sliding windows let through no more than the limit, wherever boundaries lie."""

import math

from hypothesis import given
from hypothesis import strategies as st

from server.principal import Limits
from server.quotas.policies import Standing, fields, policies_of
from server.quotas.windows import Window

LENGTH = 60
windows = st.builds(
    Window,
    st.just(LENGTH),
    st.integers(0, 1000),
    st.integers(0, 1000),
    st.floats(0, LENGTH, exclude_max=True),
)


def test_a_boundary_lets_through_no_second_helping():
    full = Window(LENGTH, 0, 10, 59.0)
    assert full.later(2.0).used > 9.8
    assert full.later(61.0).used < 10
    assert full.later(121.0).used == 0


@given(windows, st.integers(0, 1000))
def test_there_is_room_after_the_time_that_is_told_and_not_before(window, most):
    wait = window.seconds_until(most)
    assert window.later(wait + 1e-6).used <= most + 1e-3
    if wait > 1:
        assert window.later(wait - 1).used > most


@given(windows)
def test_what_can_never_be_has_no_time(window):
    assert window.seconds_until(-1) == math.inf


@given(windows, st.floats(0, 200), st.floats(0, 200))
def test_time_passes_in_any_steps(window, one, other):
    at_once, in_steps = window.later(one + other), window.later(one).later(other)
    assert math.isclose(at_once.used, in_steps.used, abs_tol=1e-6 * 1000)


def test_fields_are_those_of_the_draft():
    requests, day, concurrent = policies_of(
        Limits(requests_per_minute=5, audio_seconds_per_day=7.5, concurrent_requests=2)
    )
    assert fields([Standing(requests, 3.2, 11.1), Standing(day, 7.5, math.inf), Standing(concurrent, 1, math.inf)]) == {
        "RateLimit-Policy": '"requests";q=5;w=60, "audio-day";q=7;qu="audio-seconds";w=86400, '
        '"concurrent-requests";q=2;qu="concurrent-requests"',
        "RateLimit": '"requests";r=3;t=12, "audio-day";r=7, "concurrent-requests";r=1',
    }
    assert fields([]) == {}


@given(windows, st.integers(1, 3000))
def test_nobody_gets_back_what_was_not_counted(window, amount):
    less = window.with_more(-amount)
    assert min(less.previous, less.current) >= 0
    assert window.previous + window.current - amount <= less.previous + less.current
    assert window.with_more(amount).with_more(-amount) == window
