"""A server that knows its callers, as tests ask it."""

import json
import time
from contextlib import contextmanager
from datetime import UTC, datetime

from loadtest.harness.processes import wait_until
from server.authentication.key_file import changed
from server.authentication.key_text import KeyText
from server.authentication.keys import Key
from tests.end_to_end.conftest import running
from tests.issuer import AUDIENCE, ISSUER, SigningKey, key_set_server

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

    def wait_written(self, file, prefix, count):
        """Return so many lines of a log by the ids of their requests, which begin so."""

        def lines():
            whole, _, _ = (self.server.directory / file).read_text(encoding="utf-8").rpartition("\n")
            written = [json.loads(line) for line in whole.splitlines() if line.startswith("{")]
            return {line["request_id"]: line for line in written if line.get("request_id", "").startswith(prefix)}

        return wait_until(lambda: len(found := lines()) == count and found, f"{count} lines in {file}")

    def wait_logged(self, client):
        """The line of a request is written after its answer."""
        wait_until(lambda: any(line["client"] == client for line in self.server.logged("request")), f"{client} logged")


@contextmanager
def guarded(model_directory, directory):
    """Such a server of two workers, with an audit log, until the end of the block."""
    given = KeyText.new()
    entry = {"name": "given", "sha256": given.digest, "created": "2026-01-01T00:00:00Z", "scopes": ["transcribe"]}
    with key_set_server(SIGNING) as key_set:
        settings = {
            "ASR_WORKERS": "2",
            "ASR_LANES": "1",
            "ASR_KEYS": json.dumps({given.public_id: entry}),
            "ASR_JWT_ISSUER": ISSUER,
            "ASR_JWT_AUDIENCE": AUDIENCE,
            "ASR_JWT_KEYS_URL": key_set.url,
            "ASR_JWT_PAUSE_SECONDS": "0.2",
            "ASR_REDIS_URL": f"redis://:{given.secret}@127.0.0.1:1/0",  # which nobody asks: no caller has limits
            "ASR_AUDIT_LOG": str(directory / "audit.jsonl"),
        }
        with running(model_directory, directory, settings) as server:
            doors = Doors(server, directory / "keys.json", key_set)
            doors.given = doors.secret(given)
            yield doors


def bearer(text, scheme="Bearer"):
    return ("Authorization", f"{scheme} {text}")
