"""A real nginx stands before a real server, as docs/operations.md has it."""

import contextlib
import http.client
import os
import socket
from pathlib import Path

import pytest

from loadtest.harness.processes import Program, wait_until
from tests.end_to_end.conftest import running
from tests.samples import CLIPS, sentence_of

pytestmark = pytest.mark.programs("nginx")

NAMASTE = next(path for path in CLIPS if path.stem == "namaste").read_bytes()
PAGE = Path(__file__).parents[2] / "docs" / "operations.md"
AROUND = """
daemon off; pid {directory}/pid; error_log stderr; {user}
events {{}}
http {{
    access_log off;
    client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy; fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi; scgi_temp_path {directory}/scgi;
    {documented}
}}
"""


def documented(port, server, buffering):
    """What the page says, where the two listen here."""
    block = PAGE.read_text(encoding="utf-8").partition("nginx:\n\n")[2].partition("\n\n")[0]
    here = block.replace("127.0.0.1:8000", f"127.0.0.1:{server.port}")
    here = here.replace("server {\n", f"server {{ listen 127.0.0.1:{port};\n")
    here = here.replace("proxy_pass", f"proxy_request_buffering {buffering}; proxy_pass")
    assert here.count(str(port)) == here.count("proxy_request_buffering") == 1
    return here


class Nginx(Program):
    """It writes its port into its configuration, as the command names none."""

    def __init__(self, directory, server, buffering):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        path = directory / "nginx.conf"
        user = "user root;" if os.geteuid() == 0 else ""
        text = AROUND.format(directory=directory, user=user, documented=documented(port, server, buffering))
        path.write_text(text)
        super().__init__(["nginx", "-c", str(path)], {}, directory / "nginx.log")
        self.port = port
        wait_until(self.listens, "nginx listens")

    def listens(self):
        assert self.process.poll() is None, self.last_words()
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
            return True
        return False

    def post(self, audio, source="127.0.0.1", **headers):
        """By a client with that address."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, 120, (source, 0))
        with contextlib.closing(connection):
            connection.request("POST", "/transcribe", audio, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()


@pytest.fixture(scope="module", params=["127.0.0.1", ""], ids=["trusted", "not-trusted"])
def server(request, model_directory, tmp_path_factory):
    settings = {"ASR_LANES": "1", "ASR_MAX_UPLOAD_MB": "8", "ASR_TRUSTED_PROXIES": request.param}
    with running(model_directory, tmp_path_factory.mktemp("behind"), settings) as server:
        server.trusts = bool(request.param)
        yield server


@pytest.fixture(scope="module", params=["on", "off"])
def nginx(request, server, tmp_path_factory):
    nginx = Nginx(tmp_path_factory.mktemp("nginx"), server, request.param)
    yield nginx
    nginx.end()


def test_each_client_is_itself_where_the_proxy_is_trusted(server, nginx):
    def clients():
        return [line["client"] for line in server.logged("request") if line["path"] == "/transcribe"]

    before = len(clients())
    for source in ("127.0.0.2", "127.0.0.3"):
        for claimed in ({}, {"X-Forwarded-For": "192.0.2.1"}):  # the client's own word, which nginx passes on
            status, body = nginx.post(NAMASTE, source, **claimed)
            assert status == 200
            assert "नमस्ते" in body.decode()
    wait_until(lambda: len(clients()) == before + 4, "logged")
    assert set(clients()[before:]) == ({"127.0.0.2", "127.0.0.3"} if server.trusts else {"127.0.0.1"})


def test_long_bodies_come_through(nginx):
    status, body = nginx.post(sentence_of(60))
    assert (status, b'"text"' in body) == (200, True)


def test_an_early_answer_comes_through(nginx):
    """The answer to a body that is too long comes while nginx still sends it."""
    status, body = nginx.post(bytes(20 << 20))
    assert (status, b"/problems/" in body) == (413, True)
