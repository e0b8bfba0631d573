"""Where a worker's spans go: to a receiver of OTLP, from a thread of its own, so that no request waits for it.

What it does not take within OpenTelemetry's time-outs is lost: the queue before it is bounded. The log, `/readyz` and a
metric say so, but for what finds the queue full, which OpenTelemetry drops uncounted. Imported only where something is
traced.
"""

import asyncio
import contextlib
import logging
import os
import threading
from collections.abc import Sequence
from typing import Any

from loguru import logger
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.util.re import parse_env_headers

from config.tracing import TracingSettings
from server import metrics, tracing
from server.tracing import FinishedSpan

_LONGEST_REASON = 500  # characters: a receiver's words may be in it
_FAILING = "traces do not arrive"


class TraceExport:
    """One worker's; made after the fork, since it has a thread. `close` sends what is left."""

    def __init__(self, settings: TracingSettings) -> None:
        """Take the spans of the whole process from now on."""
        reasons = _Reasons()
        complaints = logging.getLogger("opentelemetry")
        complaints.handlers, complaints.propagate = [reasons], False  # one of each batch
        self._exporter = _Watched(_exporter(settings), reasons)
        self._processor = BatchSpanProcessor(self._exporter)
        resource = Resource.create({"service.name": settings.service_name, "process.pid": os.getpid()})
        provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        provider.add_span_processor(self._processor)
        trace.set_tracer_provider(provider)
        scope = InstrumentationScope("hindi-asr")
        tracing.begin(lambda span: self._processor.on_end(_readable(span, resource, scope)))

    @property
    def warnings(self) -> tuple[str, ...]:
        """Whether spans are lost, as a sentence; why, the log alone says, since strangers may read this."""
        return (_FAILING,) if self._exporter.failing else ()

    async def close(self, seconds: float) -> None:
        """Send what is left, for so many seconds at most."""
        loop, sent = asyncio.get_running_loop(), asyncio.Event()

        def send() -> None:
            self._processor.shutdown()  # type: ignore[no-untyped-call]
            with contextlib.suppress(RuntimeError):  # nobody waits any more
                loop.call_soon_threadsafe(sent.set)

        # A daemon, as the processor's own thread is: what hangs in a receiver keeps no process alive.
        threading.Thread(target=send, name="last-spans", daemon=True).start()
        try:
            async with asyncio.timeout(seconds):
                await sent.wait()
        except TimeoutError:
            logger.bind(seconds=seconds).warning("the last spans were not sent in time")


def _readable(span: FinishedSpan, resource: Resource, scope: InstrumentationScope) -> ReadableSpan:
    return ReadableSpan(
        span.name,
        span.context,
        span.parent,
        resource,
        span.attributes,
        instrumentation_scope=scope,
        start_time=span.began,
        end_time=span.ended,
    )


class _Reasons(logging.Handler):
    """Keeps the last thing that an exporter complained about; what others say follows from it, or repeats headers."""

    last = ""

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.startswith("opentelemetry.exporter."):
            self.last = record.getMessage()[:_LONGEST_REASON]


class _Watched(SpanExporter):
    """An exporter, and whether spans get through it."""

    def __init__(self, exporter: SpanExporter, reasons: _Reasons) -> None:
        self._exporter = exporter
        self._reasons = reasons
        self.failing = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send a batch; say once that it fails, and once that it does no longer."""
        try:
            result = self._exporter.export(spans)
        except Exception as error:  # noqa: BLE001 - OpenTelemetry would drop the batch without a word to us
            result, self._reasons.last = SpanExportResult.FAILURE, type(error).__name__  # its text may hold headers
        failed, self.failing = self.failing, result is not SpanExportResult.SUCCESS
        if self.failing:
            metrics.SPANS_LOST.inc(len(spans))
        if self.failing and not failed:
            logger.bind(reason=self._reasons.last).warning(_FAILING)
        elif failed and not self.failing:
            logger.info("traces arrive again")
        return result

    def shutdown(self) -> None:
        """Close connections."""
        self._exporter.shutdown()


def _exporter(settings: TracingSettings) -> SpanExporter:
    """Make the protocol's own, which reads endpoint, time-out, certificates and so on from the standard variables."""
    exporter: Any
    if settings.trace_protocol == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as exporter  # noqa: N813
    else:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as exporter  # noqa: N813
    headers = parse_env_headers(settings.trace_headers, liberal=True)
    made: SpanExporter = exporter(headers=headers or None)
    return made
