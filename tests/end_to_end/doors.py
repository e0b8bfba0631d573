"""A server that knows its callers, as tests ask it."""

import time
from datetime import UTC, datetime

from loadtest.harness.processes import wait_until
from server.authentication.key_file import changed
from server.authentication.key_text import KeyText
from server.authentication.keys import Key
from tests.issuer import SigningKey

SIGNING = SigningKey()


class Doors:
    """A server that knows two callers by its file, one by its variable, and those of an issuer."""

    def __init__(self, server, path, key_set):
        self.server, self.path, self.key_set = server, path, key_set
        self.secrets, self.said = [], []

    def key(self, **given):
        """A new key, as it is in the file."""
        text = KeyText.new()
        kept = {"name": "caller", "scopes": {"transcribe"}, "created": datetime.now(UTC)} | given
        with changed(self.path) as keys:
            keys[text.public_id] = Key(sha256=text.digest, **kept)
        return self.secret(text)

    def secret(self, text):
        parts = [text.secret, text.digest] if isinstance(text, KeyText) else text.split(".")[1:]
        self.secrets += [part for part in parts if len(part) > 8]
        return text

    def token(self, **given):
        return self.secret(SIGNING.token(**given))

    def ask(self, headers=(), method="POST", path="/transcribe", content=b""):
        """On a connection of its own, so that any worker may get it."""
        with self.server.client() as client:
            reply = client.request(method, path, content=content, headers=list(headers))
        self.said.append(f"{reply.headers}\n{reply.text}")
        return reply

    def status(self, *headers, **given):
        return self.ask(headers, **given).status_code

    def see(self, status, text):
        """A second after a change each worker knows of it, whichever is asked."""
        time.sleep(1)
        assert {self.status(bearer(text)) for _ in range(8)} == {status}

    def wait(self, status, text):
        """Until the worker that is asked has fetched the issuer's keys."""
        wait_until(
            lambda: {self.status(bearer(text)) for _ in range(8)} == {status}, f"{status} for a token", pause=0.1
        )

    def wait_logged(self, client):
        """The line of a request is written after its answer."""
        wait_until(lambda: any(line["client"] == client for line in self.server.logged("request")), f"{client} logged")


def bearer(text, scheme="Bearer"):
    return ("Authorization", f"{scheme} {text}")
