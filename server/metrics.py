"""Prometheus collectors, and nothing else. Their meaning for operators: docs/metrics.md.

Only Gunicorn workers write them. Pool processes return their timings instead, since Gunicorn never
learns of a pool process's death and its metric files would stay for ever.
"""

from prometheus_client import Counter, Gauge, Histogram

from inference.types import STAGES

_LATENCY_BUCKETS = (
    0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 7.5, 10, 15, 20, 30, 60, 300, 1800, 7200,
)  # fmt: skip
_STAGE_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 2, 5, 10)
_AUDIO_BUCKETS = (0.5, 1, 2, 3, 5, 7.5, 10, 15, 20, 30, 60, 120, 300, 600, 3600, 14400)

REQUESTS = Counter("asr_http_requests", "HTTP requests answered.", ["route", "method", "status"])
REQUEST_SECONDS = Histogram(
    "asr_http_request_seconds",
    "From the head of a request to the last byte of its answer, by outcome: served, refused, rejected, failed, gone.",
    ["route", "outcome"],
    buckets=_LATENCY_BUCKETS,
)
STAGE_SECONDS = Histogram(
    "asr_stage_seconds",
    f"Time of one clip or window in one stage: {', '.join(STAGES)}.",
    ["stage"],
    buckets=_STAGE_BUCKETS,
)
AUDIO_DURATION_SECONDS = Histogram(
    "asr_audio_duration_seconds", "Length of the clips and recordings transcribed.", buckets=_AUDIO_BUCKETS
)
AUDIO_SECONDS = Counter("asr_audio_seconds", "Audio heard, in seconds; what was left out is not counted.")
COMPUTE_SECONDS = Counter(
    "asr_compute_seconds", "Time that lanes spent on clips and windows that came through, in seconds."
)

QUEUED_SECONDS = Gauge(
    "asr_queued_lane_seconds", "Work waiting for a lane, in predicted lane seconds.", multiprocess_mode="livesum"
)
RUNNING = Gauge("asr_running_requests", "Clips and windows in a lane.", multiprocess_mode="livesum")
RECORDINGS = Gauge(
    "asr_recordings",
    "Recordings under way: those that are decoded and heard (running), and those that wait for their turn (waiting).",
    ["state"],
    multiprocess_mode="livesum",
)
WINDOWS = Gauge("asr_windows", "Windows of recordings in the queue or in a lane.", multiprocess_mode="livesum")
LANES = Gauge("asr_lanes", "Lanes by state: ready or down.", ["state"], multiprocess_mode="livesum")
PRECISION = Gauge(
    "asr_precision",
    "1 for the precision in which lanes compute: fp32, int8 or int8-w7.",
    ["precision"],
    multiprocess_mode="livemax",
)
CANARY_SECONDS = Gauge(
    "asr_canary_seconds",
    "Time of the canary clip, two seconds of noise, when a lane last loaded this model; its decoding left out.",
    ["model"],
    multiprocess_mode="livemax",
)
REAL_TIME_FACTOR = Gauge(
    "asr_real_time_factor",
    "Lane seconds for a second of audio, moving, by model.",
    ["model"],
    multiprocess_mode="livemax",
)
WARNINGS = Gauge(
    "asr_warnings",
    "Reasons why lanes do not compute a model as was asked for; /readyz has the sentences.",
    ["model"],
    multiprocess_mode="livesum",
)
PREDICTED_WAIT_SECONDS = Histogram(
    "asr_predicted_wait_seconds", "Wait for a lane as predicted on admission.", buckets=_LATENCY_BUCKETS
)
CURRENT_WAIT_SECONDS = Gauge(
    "asr_current_wait_seconds",
    "Predicted wait of a request that came now, behind all that waits.",
    multiprocess_mode="livemax",
)
MEMORY = Gauge(
    "asr_memory_bytes",
    "Memory that processes hold for themselves, mapped files left out, by process: worker, lanes.",
    ["process"],
    multiprocess_mode="livesum",
)
MEMORY_LIMIT = Gauge(
    "asr_memory_limit_bytes",
    "Memory that the whole server may use: the least limit of its control groups, or the machine's.",
    multiprocess_mode="livemax",
)

REJECTED = Counter(
    "asr_rejected_requests",
    "Requests refused before any work: overloaded, bytes, poison, shutting_down, too_large, too_slow, storage, and "
    "connections that were turned away.",
    ["reason"],
)
CONNECTIONS = Gauge("asr_connections", "Connections taken on, operators' own left out.", multiprocess_mode="livesum")
CONNECTIONS_CUT = Counter("asr_connections_cut", "Idle connections that were ended for new ones.")
LIMITED = Counter("asr_limited_requests", "Requests over a limit of their caller, by limit.", ["limit"])
QUOTAS_UNREACHABLE = Counter("asr_limits_unreachable", "Questions to the counters of limits without an answer.")
SPANS_LOST = Counter("asr_spans_lost", "Spans that the receiver of traces did not take.")
AUDIT_LINES_LOST = Counter("asr_audit_lines_lost", "Lines of the audit log that could not be written.")
DEADLINES_MISSED = Counter("asr_deadlines_missed", "Requests past their deadline, by place: queue, lane.", ["place"])
CANCELLED = Counter("asr_cancelled_requests", "Clients gone before their answer, by place: queue, lane.", ["place"])
CANCELLED_SECONDS = Counter("asr_cancelled_lane_seconds", "Work whose client had gone, in predicted lane seconds.")
LANE_RESTARTS = Counter(
    "asr_lane_restarts",
    "Lanes started again, by cause: died, hung, deadline, memory, start_failed, load_failed, driver_failed.",
    ["cause"],
)
RETRIES = Counter("asr_retried_requests", "Clips and windows run again since their lane died.")

# Series that begin at nought: one that appears with its first event hides that event from `rate` and `increase`, and no
# lane that is ready is something to be told.
for _series, _values in (
    (LANES, ("ready", "down")),
    (REJECTED, ("overloaded", "bytes", "poison", "shutting_down", "too_large", "too_slow", "storage", "connection")),
    (LIMITED, ("requests", "audio-minute", "audio-day", "concurrent-requests")),
    (DEADLINES_MISSED, ("queue", "lane")),
    (CANCELLED, ("queue", "lane")),
    (LANE_RESTARTS, ("died", "hung", "deadline", "memory", "start_failed", "load_failed", "driver_failed")),
):
    for _value in _values:
        _series.labels(_value)
