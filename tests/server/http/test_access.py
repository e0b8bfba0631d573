"""What each path asks of its caller, whoever tells callers apart."""

import asyncio
import json

import pytest

from config.settings import Settings
from server.app import create_app
from server.errors import Forbidden, Unauthorized
from server.http.access import ACCESS, access_to
from server.http.auth import Authentication
from server.http.problems import problem_response
from server.principal import Principal, Scope


class Knows:
    """An authenticator to which everybody is somebody with these scopes, or, with None, a stranger."""

    required = True

    def __init__(self, scopes):
        self._scopes = scopes

    def principal_of(self, _scope):
        if self._scopes is None:
            raise Unauthorized("a stranger")
        return Principal("key:a", "a", scopes=frozenset(self._scopes), kind="key")


def ask(path, authenticator, access=ACCESS, **state):
    """The principal of a request that is let through."""
    scope = {"type": "http", "path": path, "client": ("192.0.2.1", 1), "headers": [], "state": state}

    async def app(scope, receive, send):
        pass

    asyncio.run(Authentication(app, (), {}, authenticator, access)(scope, None, None))
    return scope["state"]["principal"]


def test_without_authentication_an_address_may_do_everything():
    for path in ("/transcribe", "/v1/audio/transcriptions", "/metrics", "/nowhere"):
        principal = ask(path, None)
        assert (principal.kind, principal.id, principal.scopes) == ("address", "192.0.2.1", frozenset(Scope))


def routed(settings):
    """The paths that there are."""
    routes = create_app(settings).routes
    included = [each.original_router.routes for each in routes if hasattr(each, "original_router")]
    return {route.path for each in (routes, *included) for route in each if hasattr(route, "path")}


def test_every_route_is_open_or_asks_for_a_scope_or_is_for_each_that_is_known():
    """A new route stands in none of these lists: whoever adds it decides."""
    paths = routed(Settings())
    known = {path for path in paths if not ACCESS.is_open(path) and not ACCESS.scope_of(path)}
    assert known == {"/v1/models", "/v1/models/{name}"}
    assert paths >= ACCESS.open


@pytest.mark.parametrize("path", sorted(ACCESS.open))
def test_a_stranger_goes_where_it_is_open_as_an_address_without_scopes(path):
    principal = ask(path, Knows(None))
    assert (principal.kind, principal.scopes) == ("address", frozenset())


@pytest.mark.parametrize(
    "path", ["/transcribe", "/v1/models", "/v1/models/hi-demo", "/metrics", "/nowhere", "", "/healthz/", "/healthz\n"]
)
def test_a_stranger_goes_nowhere_else(path):
    with pytest.raises(Unauthorized):
        ask(path, Knows(None))


@pytest.mark.parametrize(
    ("path", "scope"),
    [
        ("/transcribe", "transcribe"),
        ("/transcribe\n", "transcribe"),  # which the router takes for /transcribe
        ("/v1/audio/transcriptions", "transcribe"),
        ("/v1/audio/transcriptions\n", "transcribe"),
        ("/metrics", "metrics"),
    ],
)
def test_each_scope_opens_what_is_its_own(path, scope):
    assert ask(path, Knows({scope})).kind == "key"
    others = set(Scope) - {scope}
    with pytest.raises(Forbidden, match=scope):
        ask(path, Knows(others))
    assert ask("/v1/models", Knows(())).kind == "key"


def test_metrics_can_be_for_everybody_and_documents_for_few():
    other = access_to(metrics="open", docs="scope")
    assert ask("/metrics", Knows(None), other).kind == "address"
    for path in ("/docs", "/openapi.json"):
        with pytest.raises(Unauthorized):
            ask(path, Knows(None), other)
        with pytest.raises(Forbidden, match="admin"):
            ask(path, Knows({"metrics"}), other)
        assert ask(path, Knows({"admin"}), other).kind == "key"


def test_what_is_closed_is_no_route():
    paths = routed(Settings(metrics_access="closed", docs_access="closed"))
    assert paths & {"/metrics", "/docs", "/openapi.json"} == set()
    assert "/readyz" in paths


def test_whoever_reaches_the_listener_of_operators_needs_no_key():
    assert ask("/metrics", Knows(None), management=True).name == "operator"


def test_a_refusal_is_a_problem_or_an_error_of_openai():
    unknown = problem_response(Unauthorized("no key", "no_key"), "id", "/transcribe")
    assert (unknown.status_code, unknown.headers["WWW-Authenticate"]) == (401, 'Bearer realm="speech recognition"')
    assert json.loads(unknown.body)["type"] == "/problems/unauthorized"
    unknown = problem_response(Unauthorized("no key"), "id", "/v1/models")
    assert (unknown.status_code, json.loads(unknown.body)["error"]["type"]) == (401, "authentication_error")
    forbidden = problem_response(Forbidden("no scope"), "id", "/v1/models")
    assert (forbidden.status_code, json.loads(forbidden.body)["error"]["code"]) == (403, "forbidden")
