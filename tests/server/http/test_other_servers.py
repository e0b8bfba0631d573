"""The middleware is plain ASGI: identity, admission and limits hold under a server that knows nothing of ours."""

import httpx
import pytest

from tests.server.live_app import LIMIT, serving


@pytest.fixture(scope="module", params=["h11", "httptools"])
def client(request):
    with serving(http=request.param) as port, httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
        yield client


def test_who_is_refused_keeps_the_connection(client):
    for _ in range(3):
        reply = client.post("/refused", content=bytes(LIMIT), headers={"X-Request-Timeout": "7"})
        assert (reply.status_code, reply.headers["retry-after"]) == (429, "3")
        assert reply.json()["detail"] == "no room for 127.0.0.1 within 7.0"
        assert reply.json()["request_id"] == reply.headers["x-request-id"]
        assert client.post("/length", content=bytes(LIMIT)).json() == {"length": LIMIT}


@pytest.mark.parametrize("path", ["/length", "/unread"])
def test_a_body_that_is_too_large_by_its_head(client, path):
    reply = client.post(path, content=bytes(LIMIT + 1))
    assert (reply.status_code, reply.headers["connection"]) == (413, "close")


def test_a_body_that_is_too_large_when_it_comes(client):
    reply = client.post("/length", content=iter([bytes(LIMIT), b"1"]))
    assert (reply.status_code, reply.headers["connection"]) == (413, "close")


def test_a_patience_that_is_none(client):
    assert client.post("/refused", headers={"X-Request-Timeout": "soon"}).json()["type"] == "/problems/bad-request"
