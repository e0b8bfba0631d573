"""Traces, received by a real receiver of OTLP; and what leads from logs and metrics to them."""

import re
import threading

import pytest

from loadtest.harness.processes import PATIENCE, in_background, paused, wait_until
from tests.end_to_end.conftest import running
from tests.otlp import grpc_receiver, http_receiver
from tests.samples import CLIPS, sentence_of

CLIP = CLIPS[0].read_bytes()
RECORDING = sentence_of(40)
STAGES = ["queue", "decode", "features", "speech", "inference", "decoding"]
OF_WINDOWS = ["queue", "inference", "decoding"]
CALLER = "00f067aa0ba902b7"
SERVER, INTERNAL = 2, 1
OPEN_METRICS = {"Accept": "application/openmetrics-text; version=1.0.0"}


def settings(receiver, **others):
    return {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, "ASR_LANES": "1", **others}


@pytest.fixture(scope="module")
def receiver():
    with http_receiver() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def server(model_directory, tmp_path_factory, receiver):
    given = settings(
        receiver,
        OTEL_BSP_SCHEDULE_DELAY="50",
        OTEL_EXPORTER_OTLP_HEADERS="api-key=of-others",
        OTEL_EXPORTER_OTLP_TRACES_HEADERS="api-key=sesame",
        OTEL_RESOURCE_ATTRIBUTES="deployment.environment.name=test",
    )
    with running(model_directory, tmp_path_factory.mktemp("traces"), given) as server:
        yield server


def of_caller(number, flags="01"):
    """Headers of a caller that traces, and the id of its trace."""
    trace_id = f"{number:032x}"
    return trace_id, {"traceparent": f"00-{trace_id}-{CALLER}-{flags}", "tracestate": "vendor=1,other=2"}


def spans_of(receiver, trace_id, name):
    """All of a trace, once one of that name is there."""

    def found():
        spans = receiver.trace(trace_id)
        return spans if name in {span.name for span in spans} else None

    return wait_until(found, f"span {name}")


def children(spans, parent):
    return [span for span in spans if span.parent == parent.id]


def lines_of(server, message, **fields):
    """Log lines, once there are some."""
    return wait_until(
        lambda: [line for line in server.logged(message) if fields.items() <= line.items()], f"{message} {fields}"
    )


def test_a_clip_has_a_span_for_each_stage(server, receiver):
    trace_id, headers = of_caller(1)
    reply = server.post(CLIP, X_Request_ID="traced", **headers)
    (line,) = lines_of(server, "request", request_id="traced")
    spans = spans_of(receiver, trace_id, "POST /transcribe")
    (request,) = [span for span in spans if span.parent == CALLER]
    assert (request.name, request.kind, request.trace_state) == ("POST /transcribe", SERVER, "vendor=1,other=2")
    assert (line["trace_id"], line["span_id"]) == (trace_id, request.id)
    assert reply.headers["traceresponse"] == f"00-{trace_id}-{request.id}-01"
    said = request.attributes
    assert (said["http.route"], said["http.response.status_code"]) == ("/transcribe", 200)
    assert (said["asr.request_id"], said["asr.outcome"]) == ("traced", "served")
    assert said["asr.duration"] == line["duration"]
    spans = wait_until(lambda: len(found := receiver.trace(trace_id)) == 8 and found, "eight spans")
    stages = children(spans, request)
    assert [span.name for span in stages] == ["receive", *STAGES]
    assert {span.kind for span in stages} == {INTERNAL}
    for span in stages[1:]:
        assert span.ended - span.began == pytest.approx(line[f"{span.name}_seconds"], abs=1e-3)
        assert request.began - 0.05 < span.began <= span.ended < request.ended + 0.05  # as far as clocks agree


def test_who_sends_and_what_the_receiver_asks_for(server, receiver):
    trace_id, headers = of_caller(2)
    server.post(CLIP, **headers)
    spans_of(receiver, trace_id, "POST /transcribe")
    assert receiver.headers["api-key"] == "sesame"
    assert receiver.resource["service.name"] == "hindi-asr"
    assert receiver.resource["deployment.environment.name"] == "test"
    assert receiver.resource["process.pid"] in {worker.pid for worker in server.workers()}


@pytest.mark.measuring
def test_a_recording_has_spans_of_its_decoder_its_windows_and_their_joining(server, receiver):
    trace_id, headers = of_caller(3)
    reply = server.post(RECORDING, **headers).json()
    spans = spans_of(receiver, trace_id, "POST /transcribe")
    (request,) = [span for span in spans if span.parent == CALLER]
    parts = children(spans, request)
    windows = [span for span in parts if span.name == "window"]
    assert len(windows) > 1
    assert {span.name for span in parts} - {"window"} == {"receive", "turn", "decoder", "join"}
    (decoder,) = [span for span in parts if span.name == "decoder"]
    assert decoder.attributes["asr.pid"] > 0
    assert decoder.began <= windows[0].began
    for window in windows:
        stages = children(spans, window)
        assert [span.name for span in stages] == OF_WINDOWS
        assert stages[0].began == window.began  # by the same clock
        assert window.attributes["asr.start"] < window.attributes["asr.end"] <= reply["duration"] + 1


def test_what_fails_says_why(server, receiver):
    trace_id, headers = of_caller(4)
    assert server.post(b"no sound", X_Request_ID="failing", **headers).status_code == 422
    (request,) = [span for span in spans_of(receiver, trace_id, "POST /transcribe") if span.parent == CALLER]
    (line,) = lines_of(server, "request", request_id="failing")
    assert request.attributes["asr.problem"] == line["problem"]
    assert request.attributes["asr.outcome"] == "rejected"


def test_no_span_tells_a_key(server, receiver):
    trace_id, headers = of_caller(12)
    key = f"asr_{'0' * 12}_{'a' * 32}"
    with server.client() as client:
        client.get(f"/{key}?key={key}", headers=headers)
    (request,) = [span for span in spans_of(receiver, trace_id, "GET") if span.parent == CALLER]
    assert request.attributes["url.path"].startswith(f"/asr_{'0' * 12}")
    assert key not in str(request.attributes)


@pytest.mark.measuring
def test_what_comes_to_nothing_says_where_it_was(server, receiver):
    trace_id, headers = of_caller(13)
    with paused(*server.lanes()):
        reply = server.post(CLIP, X_Request_ID="too-late", X_Request_Timeout="5", **headers)
    assert reply.status_code == 504
    spans = spans_of(receiver, trace_id, "POST /transcribe")
    (request,) = [span for span in spans if span.parent == CALLER]
    assert request.failed
    receive, queue, lane = children(spans, request)
    assert (receive.name, queue.name, lane.name) == ("receive", "queue", "lane")
    assert lane.attributes["asr.tries"] == 1


def test_who_is_not_sampled_is_not_recorded(server, receiver):
    not_recorded, headers = of_caller(5, flags="00")
    reply = server.post(CLIP, X_Request_ID="not-sampled", **headers)
    assert reply.headers["traceresponse"].endswith("-00")
    (line,) = lines_of(server, "request", request_id="not-sampled")
    assert line["trace_id"] == not_recorded
    with server.client() as client:
        client.get("/healthz", headers=of_caller(6)[1])
    recorded, headers = of_caller(7)
    server.post(CLIP, **headers)
    spans_of(receiver, recorded, "POST /transcribe")
    assert receiver.trace(not_recorded) == []
    assert receiver.trace(of_caller(6)[0]) == []


def test_a_measurement_leads_to_its_trace(server):
    trace_id, headers = of_caller(8)
    server.post(CLIP, X_Request_ID="measured", **headers)
    lines_of(server, "request", request_id="measured")
    with server.client() as client:
        plain, rich = client.get("/metrics"), client.get("/metrics", headers=OPEN_METRICS)
    assert plain.headers["content-type"].startswith("text/plain")
    assert rich.headers["content-type"].startswith("application/openmetrics-text")
    assert trace_id not in plain.text
    (bucket,) = [line for line in rich.text.splitlines() if trace_id in line]
    assert re.fullmatch(
        r'asr_http_request_seconds_bucket\{.*route="/transcribe".*\} \S+ # \{trace_id="\w+"\} \S+ \S+', bucket
    )
    assert rich.text.endswith("# EOF\n")


@pytest.mark.measuring
def test_lines_about_a_lane_and_a_decoder_name_the_request(server):
    trace_id, headers = of_caller(9)
    with in_background() as submit:
        (lane,) = server.lanes()
        with paused(lane):
            reply = submit(server.post, CLIP, X_Request_ID="killed-lane", **headers)
            server.wait_metric(1, "asr_running_requests")
            lane.kill()
        assert reply.result().status_code == 200
        (line,) = lines_of(server, "lane restarts", request_id="killed-lane")
        assert (line["pid"], line["trace_id"]) == (lane.pid, trace_id)

        with paused(*server.lanes()):
            reply = submit(server.post, sentence_of(110), X_Request_ID="killed-decoder", **headers)
            (decoder,) = wait_until(server.decoders, "a decoder")
            decoder.kill()
            (line,) = lines_of(server, "a decoder was ended", request_id="killed-decoder")
        assert (line["pid"], line["trace_id"]) == (decoder.pid, trace_id)
        assert reply.result().status_code == 500


@pytest.mark.measuring
def test_workers_that_share_metrics_have_their_own_examples(start):
    with http_receiver() as receiver, start(**settings(receiver, ASR_WORKERS="2")) as server:
        trace_id, headers = of_caller(11)
        server.post(CLIP, **headers)

        def shown():
            with server.client() as client:  # another connection, another worker
                return trace_id in client.get("/metrics", headers=OPEN_METRICS).text

        wait_until(shown, "the trace of a request in the answer of its worker")


@pytest.mark.measuring
@pytest.mark.parametrize(("protocol", "receiving"), [("http/protobuf", http_receiver), ("grpc", grpc_receiver)])
def test_what_is_left_is_sent_at_the_end(start, protocol, receiving):
    with receiving() as receiver:
        slow = {"OTEL_BSP_SCHEDULE_DELAY": "3600000", "OTEL_EXPORTER_OTLP_PROTOCOL": protocol}
        with start(**settings(receiver, **slow)) as server:
            trace_id, headers = of_caller(10)
            server.post(CLIP, **headers)
            lines_of(server, "request", trace_id=trace_id)
        assert len(receiver.trace(trace_id)) == 2 + len(STAGES)


@pytest.mark.measuring
@pytest.mark.parametrize(("protocol", "receiving"), [("http/protobuf", http_receiver), ("grpc", grpc_receiver)])
def test_a_receiver_that_hangs_costs_requests_nothing_and_the_end_little(start, protocol, receiving):
    with receiving(hangs=threading.Event()) as receiver:
        waiting = {"OTEL_BSP_SCHEDULE_DELAY": "10", "OTEL_EXPORTER_OTLP_TIMEOUT": "3600"}
        given = settings(receiver, **waiting, OTEL_EXPORTER_OTLP_PROTOCOL=protocol, ASR_GRACE_SECONDS="20")
        with start(**given) as server:
            assert server.post(CLIP).status_code == 200
            assert receiver.connected.wait(PATIENCE)
            assert {server.post(CLIP).status_code for _ in range(5)} == {200}
        assert server.logged("the last spans were not sent in time")


@pytest.mark.measuring
def test_a_receiver_that_fails_is_told_of_until_it_works(start):
    with http_receiver(status=403) as receiver, start(**settings(receiver, OTEL_BSP_SCHEDULE_DELAY="10")) as server:
        assert server.post(CLIP).status_code == 200
        (line,) = wait_until(lambda: server.logged("traces do not arrive"), "a warning")
        assert "403" in line["reason"]
        assert server.metric("asr_spans_lost_total") > 0
        with server.client() as client:
            assert "traces do not arrive" in client.get("/readyz").json()["warnings"]  # not why, to strangers
        server.post(CLIP)
        receiver.status = 200

        def arrives():
            server.post(CLIP)
            return server.logged("traces arrive again")

        wait_until(arrives, "traces again")
        assert len(server.logged("traces do not arrive")) == 1
