"""Callers known by their keys or tokens, as the settings have it."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, nullcontext
from typing import TYPE_CHECKING

from starlette import types
from starlette.datastructures import Headers

from config.settings import Settings
from server.authentication.credentials import credential_of
from server.authentication.key_file import InvalidKeys, KeyFile, read_keys
from server.authentication.key_text import PREFIX
from server.authentication.keys import Key, Keys, principal_of
from server.errors import Unauthorized
from server.principal import Principal, Scope

if TYPE_CHECKING:
    from server.authentication.tokens import Tokens


class Authenticator:
    """Knows callers by what stands in the heads of their requests; `server/http/auth.py` asks it."""

    def __init__(self, settings: Settings) -> None:
        """Raise InvalidKeys."""
        self._always = settings.auth == "required" or bool(settings.keys or settings.jwt_issuer)
        self._file = KeyFile(settings.keys_file)
        self._given = _keys_of_variable(settings)
        self._tokens = _tokens(settings)

    @property
    def required(self) -> bool:
        """Whether callers must be known; from the first key on, which may come while the server runs."""
        return self._always or self._file.was_there

    @property
    def number_of_keys(self) -> int:
        """For whoever starts the server."""
        return len({*self._given, *self._file.keys})

    @property
    def warnings(self) -> tuple[str, ...]:
        """What works worse than it could, as sentences."""
        return self._tokens.keys.warnings if self._tokens else ()

    def principal_of(self, scope: types.Scope) -> Principal:
        """Return who this is, by the head of its request; raise Unauthorized, Forbidden or KeysUnavailable."""
        credential = credential_of(scope["headers"])
        if credential.startswith(PREFIX):
            return principal_of(credential, Headers(scope=scope).get("origin"), self._key)
        if self._tokens:
            return self._tokens.principal_of(credential)
        raise Unauthorized("this is no key of this server", "malformed")

    @asynccontextmanager
    async def kept_fresh(self) -> AsyncIterator[None]:
        """Fetch what has to be fetched, as long as the context lasts."""
        async with self._tokens.keys.kept_fresh() if self._tokens else nullcontext():
            yield

    def _key(self, public_id: str) -> Key | None:
        return self._file.keys.get(public_id) or self._given.get(public_id)


def _keys_of_variable(settings: Settings) -> Keys:
    try:
        return read_keys(settings.keys.get_secret_value()) if settings.keys else {}
    except InvalidKeys as error:
        raise InvalidKeys(f"ASR_KEYS: {error}") from None


def _tokens(settings: Settings) -> "Tokens | None":
    if not settings.jwt_issuer:
        return None
    # With PyJWT, cryptography and an HTTP client, which others need not load.
    from server.authentication.key_set import Freshness, KeySet
    from server.authentication.tokens import Rules, Tokens
    from server.authentication.verification_keys import InvalidKeySet, PemKey, VerificationKeys

    assert settings.jwt_audience  # noqa: S101 - the settings have seen to it
    names: Mapping[str, str] = settings.jwt_scopes or {scope: scope for scope in Scope}
    rules = Rules(
        issuer=settings.jwt_issuer,
        audience=settings.jwt_audience,
        algorithms=settings.jwt_algorithms,
        leeway=settings.jwt_leeway_seconds,
        scope_claim=settings.jwt_scope_claim,
        scopes={name: Scope(scope) for name, scope in names.items()},
        weight_claim=settings.jwt_weight_claim,
    )
    keys: VerificationKeys
    if settings.jwt_key:
        try:
            keys = PemKey(settings.jwt_key.get_secret_value())
        except InvalidKeySet as error:
            raise InvalidKeys(f"ASR_JWT_KEY: {error}") from None
    else:
        every, pause, oldest = settings.jwt_refresh_seconds, settings.jwt_pause_seconds, settings.jwt_oldest_seconds
        keys = KeySet(settings.jwt_keys_url or "", Freshness(every, pause, oldest))
    return Tokens(rules, keys)
