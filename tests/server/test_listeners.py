"""The listener for operators, known by the socket that a connection came to."""

import asyncio

import pytest
from starlette.exceptions import HTTPException

from server.http.listeners import Listener, Listeners


@pytest.mark.parametrize(
    ("bind", "came_to", "management"),
    [
        ("0.0.0.0:9090", ("127.0.0.1", 9090), True),
        ("[::]:9090", ("::1", 9090), True),
        ("0.0.0.0:9090", ("127.0.0.1", 8000), False),
        ("0.0.0.0:9090", ("/run/management.sock", None), False),
        ("0.0.0.0:9090", None, False),
        ("unix:/run/management.sock", ("/run/management.sock", None), True),
        ("unix:/run/management.sock", ("/run/others.sock", None), False),
        ("unix:/run/management.sock", ("127.0.0.1", 9090), False),
        ("unix:/run/management.sock", None, False),
    ],
)
def test_what_is_for_operators_is_served_at_their_listener_and_nothing_else(bind, came_to, management):
    seen = []

    async def app(scope, _receive, _send):
        seen.append((scope["path"], scope["state"]["management"]))

    def ask(path):
        scope = {"type": "http", "server": came_to, "path": path, "state": {}}
        asyncio.run(Listeners(app, Listener(bind))(scope, None, None))

    served, refused = ("/metrics", "/transcribe") if management else ("/transcribe", "/metrics")
    for path in (served, "/readyz"):
        ask(path)
    with pytest.raises(HTTPException):
        ask(refused)
    assert seen == [(served, management), ("/readyz", management)]
