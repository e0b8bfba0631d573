"""Spans of a request's stages, made here from their times: lanes and decoders know nothing of traces.

FastAPI makes the span of a request, which is the current one while it runs and in whatever it begins (contextvars).
Where nothing is traced, or this request is not sampled, each of these functions returns at once. Of what is over when
it becomes a span, OpenTelemetry's tracer, made for what goes on, would take three times as long.
"""

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeAlias

from opentelemetry import trace
from opentelemetry.trace import SpanContext

from inference.types import StageTime, Transcript

Attributes: TypeAlias = Mapping[str, str | bool | int | float | None]
"""By names without the prefix `asr.`; None is left out."""


@dataclass(frozen=True, slots=True)
class FinishedSpan:
    """A stage that is over."""

    name: str
    context: SpanContext
    parent: SpanContext
    began: int
    """Nanoseconds since 1970."""
    ended: int
    attributes: dict[str, str | bool | int | float]


_takers: list[Callable[[FinishedSpan], None]] = []


def begin(take: Callable[[FinishedSpan], None]) -> None:
    """Have spans of this process taken."""
    _takers[:] = [take]


def ids() -> dict[str, str]:
    """Return `trace_id` and `span_id` of the request, for its log lines; nothing where there is no trace."""
    context = trace.get_current_span().get_span_context()
    if not context.is_valid:
        return {}
    return {"trace_id": trace.format_trace_id(context.trace_id), "span_id": trace.format_span_id(context.span_id)}


def exemplar() -> dict[str, str] | None:
    """Return what leads from a measurement to the trace of this request, where that is recorded."""
    context = trace.get_current_span().get_span_context()
    return {"trace_id": trace.format_trace_id(context.trace_id)} if context.trace_flags.sampled else None


def response_fields() -> dict[str, str]:
    """Return what an answer says of its span, as W3C Trace Context drafts it; nothing where there is no trace."""
    context = trace.get_current_span().get_span_context()
    if not context.is_valid:
        return {}
    return {"traceresponse": "00-{trace_id}-{span_id}-{flags:02x}".format(**ids(), flags=context.trace_flags)}


def identify(request_id: str, path: str, *, query: bool) -> None:
    """Say which request a span is of, with the path as logs may have it; a query, where keys may stand, is left out."""
    span = trace.get_current_span()
    if span.is_recording():
        span.set_attributes({"asr.request_id": request_id, "url.path": path, **({"url.query": ""} if query else {})})


def describe(attributes: Attributes) -> None:
    """Say more of the request, in its span, as long as it has not been answered."""
    span = trace.get_current_span()
    if span.is_recording():
        span.set_attributes(_named(attributes))


def record(name: str, began: float, seconds: float, attributes: Attributes | None = None) -> None:
    """Make a span of something that is over; `began` by `time.monotonic()`."""
    if parent := _sampled():
        _make(parent, name, _epoch() + _nanoseconds(began), seconds, attributes or {})


def record_clip(transcript: Transcript) -> None:
    """Make a span for each stage."""
    if parent := _sampled():
        _make_stages(parent, transcript.stages, _epoch())


def record_window(transcript: Transcript, attributes: Attributes) -> None:
    """Make a span of a window of a recording, and in it one for each stage."""
    if parent := _sampled():
        stages, epoch = transcript.stages, _epoch()
        first, last = stages[0], stages[-1]
        seconds = last.began + last.seconds - first.began
        window = _make(parent, "window", epoch + _nanoseconds(first.began), seconds, attributes)
        _make_stages(window, stages, epoch)


@contextmanager
def timed(name: str, attributes: Attributes | None = None) -> Iterator[None]:
    """Make a span of what is done within, however it ends."""
    began = time.monotonic()
    try:
        yield
    finally:
        record(name, began, time.monotonic() - began, attributes)


def _sampled() -> SpanContext | None:
    context = trace.get_current_span().get_span_context()
    return context if context.trace_flags.sampled else None


def _epoch() -> int:
    """When `time.monotonic()` was 0; asked once for spans that belong together, which would differ by its jitter."""
    return time.time_ns() - time.monotonic_ns()


def _nanoseconds(seconds: float) -> int:
    return round(seconds * 1e9)


def _make_stages(parent: SpanContext, stages: Sequence[StageTime], epoch: int) -> None:
    for stage in stages:
        _make(parent, stage.stage, epoch + _nanoseconds(stage.began), stage.seconds, {})


def _make(parent: SpanContext, name: str, began: int, seconds: float, attributes: Attributes) -> SpanContext:
    span_id = random.getrandbits(64) or 1  # as OpenTelemetry makes them
    # Without the caller's `tracestate`, which may be long: the request's own span has it.
    context = SpanContext(parent.trace_id, span_id, False, parent.trace_flags)  # noqa: FBT003
    span = FinishedSpan(name, context, parent, began, began + _nanoseconds(seconds), _named(attributes))
    for take in _takers:
        take(span)
    return context


def _named(attributes: Attributes) -> dict[str, str | bool | int | float]:
    return {f"asr.{name}": value for name, value in attributes.items() if value is not None}
