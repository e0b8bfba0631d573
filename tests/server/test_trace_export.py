"""What is told of spans that do not arrive, whatever an exporter does."""

import logging

import pytest
from loguru import logger
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from server.trace_export import _Reasons, _Watched

complaints = logging.getLogger("opentelemetry")


class Exporter(SpanExporter):
    """Does what it is told."""

    def __init__(self, does):
        self.does = does

    def export(self, _):
        return self.does()


def fail():
    complaints.getChild("exporter.otlp").error("refused by the receiver")
    complaints.getChild("sdk").warning("Queue full, dropping Span.")
    complaints.getChild("trace.span").warning("no tracestate: =sesame")
    return SpanExportResult.FAILURE


def leave():
    raise ValueError("not fit for a header: sesame")


@pytest.mark.parametrize(("does", "reason"), [(fail, "refused by the receiver"), (leave, "ValueError")])
def test_the_first_cause_is_told_once_and_the_end_too(does, reason):
    reasons, exporter, told = _Reasons(), Exporter(does), []
    complaints.addHandler(reasons)
    watched = _Watched(exporter, reasons)
    number = logger.add(lambda message: told.append(message.record), level="INFO")
    for _ in range(2):
        assert watched.export([]) is SpanExportResult.FAILURE
        assert watched.failing
    exporter.does = lambda: SpanExportResult.SUCCESS
    assert watched.export([]) is SpanExportResult.SUCCESS
    assert not watched.failing
    logger.remove(number)
    complaints.removeHandler(reasons)
    assert [(each["message"], each["extra"].get("reason")) for each in told] == [
        ("traces do not arrive", reason),
        ("traces arrive again", None),
    ]
