"""An issuer of tokens: its keys, and a server of its key set on loopback that can fail in every way."""

import json
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

ISSUER, AUDIENCE = "https://issuer.example", "speech"


class SigningKey:
    """A pair, with the id by which a set names it."""

    def __init__(self, key_id="first", algorithm="RS256", bits=2048):
        self.id, self.algorithm = key_id, algorithm
        rsa_key = algorithm[:2] in ("RS", "PS")
        self.private = rsa.generate_private_key(65537, bits) if rsa_key else ec.generate_private_key(ec.SECP256R1())
        self.public = self.private.public_key()

    @property
    def pem(self):
        return self.public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    def entry(self, **given):
        """Its entry in a key set."""
        algorithms = jwt.get_algorithm_by_name(self.algorithm)
        entry = json.loads(algorithms.to_jwk(self.public)) | {"kid": self.id, "use": "sig", "alg": self.algorithm}
        entry.pop("key_ops", None)
        return {name: value for name, value in (entry | given).items() if value is not None}

    def token(self, headers=None, **given):
        """A token that is in order, but for what is given; a claim of None is left out."""
        now = int(time.time())
        claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "somebody", "exp": now + 600, "scope": "transcribe"}
        claims = {name: value for name, value in (claims | given).items() if value is not None}
        return jwt.encode(claims, self.private, self.algorithm, headers={"kid": self.id, **(headers or {})})


class KeySetServer:
    """Answers with `body` and `status`; `hang` or `drip` makes it take for ever. `asked` counts."""

    def __init__(self, *keys):
        self.asked = 0
        self.status = 200
        self.headers = {"Content-Type": "application/json"}
        self.hang = threading.Event()
        self.ended = threading.Event()
        self.drip = False
        self.publish(*keys)

    def publish(self, *keys):
        self.body = json.dumps({"keys": [key.entry() if isinstance(key, SigningKey) else key for key in keys]}).encode()

    def start(self, port=0):
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                outer.answer(self)

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}/keys"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    def die(self):
        """Nobody listens there any more, and whoever hangs is let go."""
        self.ended.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, handler):
        self.asked += 1
        while self.hang.is_set() and not self.ended.wait(0.05):
            pass
        handler.send_response(self.status)
        for name, value in self.headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        try:
            handler.wfile.write(self.body)
            while self.drip and not self.ended.wait(0.05):
                handler.wfile.write(b" ")
        except OSError:
            pass  # whoever asked has had enough


@contextmanager
def key_set_server(*keys):
    server = KeySetServer(*keys)
    server.start()
    try:
        yield server
    finally:
        if not server.ended.is_set():
            server.die()
