"""Real receivers of OTLP, in a process's threads: they keep what comes, or fail as they are told."""

import gzip
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import (
    TraceServiceServicer,
    add_TraceServiceServicer_to_server,
)


class Received:
    """What has come, from whichever thread."""

    def __init__(self):
        self.url, self.status = "", 200
        self.headers = {}
        """Of the last message."""
        self.resource = {}
        self.connected = threading.Event()
        self._spans = []

    def take(self, request, headers):
        self.headers = dict(headers)
        for of_resource in request.resource_spans:
            self.resource = _values(of_resource.resource.attributes)
            self._spans += [Span(span) for of_scope in of_resource.scope_spans for span in of_scope.spans]

    def trace(self, trace_id):
        """Spans of a trace that have come by now, by the order of their beginning."""
        return sorted((span for span in self._spans if span.trace_id == trace_id), key=lambda span: span.began)


class Span:
    """One, in terms of Python."""

    def __init__(self, span):
        self.name, self.kind, self.trace_state = span.name, span.kind, span.trace_state
        self.trace_id, self.id, self.parent = span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex()
        self.began, self.ended = span.start_time_unix_nano / 1e9, span.end_time_unix_nano / 1e9
        self.failed = span.status.code == span.status.STATUS_CODE_ERROR
        self.attributes = _values(span.attributes)


def _values(attributes):
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in attributes}


@contextmanager
def http_receiver(status=200, hangs=None):
    """One that answers with a status; where there is an event `hangs`, not before that is set."""
    received = Received()
    received.status = status

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers["Content-Encoding"] == "gzip":
                body = gzip.decompress(body)
            received.connected.set()
            if hangs:
                hangs.wait()
            if received.status == 200:
                received.take(ExportTraceServiceRequest.FromString(body), self.headers.items())
            answer = ExportTraceServiceResponse().SerializeToString()
            self.send_response(received.status)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_):
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    received.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield received
    finally:
        if hangs:
            hangs.set()
        server.shutdown()
        server.server_close()


@contextmanager
def grpc_receiver(hangs=None):
    """One that takes all; where there is an event `hangs`, not before that is set."""
    received = Received()

    class Servicer(TraceServiceServicer):
        def Export(self, request, context):  # noqa: N802 - by the protocol
            received.connected.set()
            if hangs:
                hangs.wait()
            received.take(request, context.invocation_metadata())
            return ExportTraceServiceResponse()

    server = grpc.server(ThreadPoolExecutor(2))
    add_TraceServiceServicer_to_server(Servicer(), server)
    received.url = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        yield received
    finally:
        if hangs:
            hangs.set()
        server.stop(None).wait()
