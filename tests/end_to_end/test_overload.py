"""Past its capacity: refused at once with a time to come back, fair to the others, and whole again afterwards."""

import contextlib
import http.client
import json

import pytest

from loadtest.harness.processes import PATIENCE, in_background, paused, wait_until
from tests.samples import CLIPS, sentence_of

NAMASTE = next(path for path in CLIPS if path.stem == "namaste").read_bytes()
FLOODER, OTHER, SENDER, OCCUPANT, LIGHT, HEAVY, RETURNING = (f"10.0.0.{number}" for number in range(1, 8))
LONG, SHORT = sentence_of(10), sentence_of(0.3)


@pytest.fixture(scope="module")
def server(model_directory, tmp_path_factory):
    from tests.end_to_end.conftest import running

    settings = {
        "ASR_LANES": "1",
        "ASR_MAX_QUEUE_SECONDS": "2",
        "ASR_TRUSTED_PROXIES": "127.0.0.1",  # the tests' word is taken for who they are
        "ASR_CLIENT_WEIGHTS": f'{{"{HEAVY}": 4}}',
    }
    with running(model_directory, tmp_path_factory.mktemp("overload"), settings) as server:
        yield server


@pytest.fixture(autouse=True)
def everything_comes_back(server):
    """Whatever a test does, no permit stays behind."""
    yield
    server.wait_idle()
    assert server.post(NAMASTE).status_code == 200


def flood(server, submit, client):
    """Occupy the lane with a short clip, then post long ones until one is refused; return those that wait, and it.

    The short one keeps the wait of other clients short, however slow the machine.
    """
    replies = [submit(server.post, SHORT, X_Forwarded_For=client, X_Request_ID=f"{client}-0")]
    server.wait_metric(1, "asr_running_requests")
    while not replies[-1].done():
        before = server.metric("asr_predicted_wait_seconds_count")
        reply = submit(server.post, LONG, X_Forwarded_For=client, X_Request_ID=f"{client}-{len(replies)}")
        replies.append(reply)

        def settled(reply=reply, before=before):
            return reply.done() or server.metric("asr_predicted_wait_seconds_count") > before

        wait_until(settled, "admitted or refused")
    return replies[:-1], replies[-1].result()


def served(server):
    """Ids of the requests that were answered with a text, in that order."""
    return [
        line["request_id"]
        for line in server.logged("request")
        if line["path"] == "/transcribe" and line["status"] == 200
    ]


def test_a_flood_is_refused_and_others_are_served_in_between(server):
    rejected, earlier = server.metric("asr_rejected_requests_total", reason="overloaded"), len(served(server))
    with in_background(500) as submit:
        with paused(*server.lanes()):
            admitted, refused = flood(server, submit, FLOODER)
            assert (refused.status_code, refused.json()["type"]) == (429, "/problems/overloaded")
            assert int(refused.headers["retry-after"]) >= 1
            assert server.metric("asr_rejected_requests_total", reason="overloaded") == rejected + 1
            before = server.metric("asr_predicted_wait_seconds_count")
            other = submit(server.post, NAMASTE, X_Forwarded_For=OTHER, X_Request_ID="other")
            server.wait_metric(before + 1, "asr_predicted_wait_seconds_count")
        assert other.result().status_code == 200
        assert {reply.result().status_code for reply in admitted} == {200}
    flooders = [f"{FLOODER}-{number}" for number in range(len(admitted))]

    def logged():
        order = [name for name in served(server)[earlier:] if name in {*flooders, "other"}]
        return len(order) > len(admitted) and order

    order = wait_until(logged, "all answers are logged")
    assert order.index("other") <= 2  # the lane has a clip at work, and may have been handed one more
    assert [name for name in order if name != "other"] == flooders


def test_the_refused_need_not_stop_sending(server):
    """One that looks for an answer only behind its last byte, as many do, gets it, and keeps its connection."""
    refused = []
    with in_background(500) as submit, paused(*server.lanes()):
        flood(server, submit, SENDER)
        client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
        with contextlib.closing(client):
            for number in range(3):
                headers = {"X-Forwarded-For": SENDER, "X-Request-ID": f"sent-{number}"}
                client.request("POST", "/transcribe", bytes(20_000_000), headers)
                answer = client.getresponse()
                assert (answer.status, json.load(answer)["request_id"]) == (429, f"sent-{number}")
                refused.append(headers["X-Request-ID"])

    def logged():
        lines = [line for line in server.logged("request") if line["status"] == 429]
        assert {line["client"] for line in lines if line["request_id"] in refused} <= {SENDER}
        return {line["request_id"] for line in lines}.issuperset(refused)

    wait_until(logged, "logged")
    assert server.metric("asr_http_request_seconds_count", route="/transcribe", outcome="refused") >= len(refused)


def test_a_name_without_proof_is_nobody(server):
    """A flood with another `Authorization` each time is one client's all the same."""
    with in_background(500) as submit, paused(*server.lanes()):
        admitted, _ = flood(server, submit, FLOODER)
        for number in range(len(admitted)):
            headers = {"X_Forwarded_For": f"203.0.113.{number}, {FLOODER}", "Authorization": f"Bearer {number}"}
            assert server.post(LONG, **headers).status_code == 429


def test_a_client_of_more_weight_is_served_more(server):
    with in_background(500) as submit, paused(*server.lanes()):
        for client in (OCCUPANT, LIGHT, HEAVY):
            for number in range(1 if client == OCCUPANT else 3):
                before = server.metric("asr_predicted_wait_seconds_count")
                submit(server.post, SHORT, X_Forwarded_For=client, X_Request_ID=f"{client}-{number}")
                server.wait_metric(before + 1, "asr_predicted_wait_seconds_count")
    order = served(server)
    assert order.index(f"{HEAVY}-2") < order.index(f"{LIGHT}-1")


@pytest.mark.measuring
def test_the_refused_can_come_back(server):
    with in_background(500) as submit:
        with paused(*server.lanes()):
            _, refused = flood(server, submit, RETURNING)
            assert refused.status_code == 429
        wait_until(lambda: server.post(LONG, X_Forwarded_For=RETURNING).status_code == 200, "admitted again")
