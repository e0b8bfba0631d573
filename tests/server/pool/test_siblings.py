"""Workers that share their work: what is counted, and what is part of whose trace."""

import asyncio

import pytest
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags
from prometheus_client import REGISTRY

from inference.errors import DeadlineExceeded
from server import tracing
from tests.server.pool.sharing import ANSWER, SOMEBODY, idle_lane, look, play, put, task, until


def counts():
    names = {
        "asr_rejected_requests_total": {"reason": "overloaded"},
        "asr_predicted_wait_seconds_count": {},
        "asr_deadlines_missed_total": {"place": "lane"},
        "asr_cancelled_requests_total": {"place": "lane"},
        "asr_cancelled_lane_seconds_total": {},
        "asr_running_requests": {},
    }
    queued = {f"{name} queued": REGISTRY.get_sample_value(name, {"place": "queue"}) for name in list(names)[2:4]}
    return {name: REGISTRY.get_sample_value(name, labels) for name, labels in names.items()} | queued


def counted_since(before):
    return {name: value - before[name] for name, value in counts().items() if value != before[name]}


def test_what_was_let_in_at_one_worker_is_not_refused_at_the_other(worker):
    """Though less time is left than it is predicted to take."""

    async def scene():
        async with worker(1) as busy, worker(2) as helping:
            await look(busy)
            lane, before = idle_lane(helping), counts()
            entry = put(busy, seconds=30.0, cost=50.0)
            (await lane).succeed(ANSWER)
            assert [time.stage for time in (await entry.outcome).stages] == ["queue", "inference"]
            assert counted_since(before) == {}

    play(scene)


@pytest.mark.parametrize("leaves", [True, False])
def test_what_becomes_of_a_request_is_counted_at_one_worker(worker, leaves):
    async def scene():
        async with worker(1) as busy, worker(2) as helping:
            await look(busy)
            lane, before = idle_lane(helping), counts()
            asking = asyncio.create_task(busy.run(task(100.0 if leaves else 1.0), SOMEBODY, 0.25))
            fetched = await lane
            helping._backlog.hand_over(fetched)
            helping._backlog.begin(fetched)
            assert counted_since(before) == {"asr_predicted_wait_seconds_count": 1, "asr_running_requests": 1}
            if leaves:
                asking.cancel()
            with pytest.raises(asyncio.CancelledError if leaves else DeadlineExceeded):
                await asking
            await until(fetched.outcome.done)
            helping._backlog.end(fetched)
            await until(lambda: not busy._backlog.lent)
            name = "asr_cancelled_requests_total" if leaves else "asr_deadlines_missed_total"
            withdrawn = {"asr_cancelled_lane_seconds_total": 0.25} if leaves else {}
            assert counted_since(before) == {"asr_predicted_wait_seconds_count": 1, name: 1, **withdrawn}

    play(scene)


def test_fetched_work_is_no_part_of_the_trace_of_whoever_made_room_for_it(worker, monkeypatch):
    spans = []
    monkeypatch.setattr(tracing, "_takers", [spans.append])
    request = NonRecordingSpan(SpanContext(1, 1, False, TraceFlags(TraceFlags.SAMPLED)))

    async def scene():
        async with worker(1) as busy:
            entry = put(busy, seconds=0.3)
            async with worker(2) as helping:
                with trace.use_span(request):
                    lane = idle_lane(helping)
                with pytest.raises(DeadlineExceeded):
                    await entry.outcome
                lane.cancel()
        assert spans == []

    play(scene)
