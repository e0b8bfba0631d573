"""The OpenAPI document of a server that is guarded says how to be let in."""

import json

from config.settings import Settings
from server.app import create_app
from server.authentication.key_text import KeyText


def test_it_says_which_headers_and_which_scopes():
    text = KeyText.new()
    key = {"name": "all", "sha256": text.digest, "created": "2026-01-01T00:00:00Z", "scopes": ["transcribe"]}
    document = create_app(Settings(keys=json.dumps({text.public_id: key}))).openapi()
    schemes = document["components"]["securitySchemes"]
    assert {(scheme["type"], scheme.get("scheme", scheme.get("name"))) for scheme in schemes.values()} == {
        ("http", "bearer"),
        ("apiKey", "X-API-Key"),
    }
    transcribe, metrics, healthz = (
        document["paths"][path][method]
        for path, method in (("/transcribe", "post"), ("/metrics", "get"), ("/healthz", "get"))
    )
    assert transcribe["security"] == [{name: ["transcribe"]} for name in schemes]
    assert "security" not in healthz
    assert all({"401", "403"} <= operation["responses"].keys() for operation in (transcribe, metrics))
