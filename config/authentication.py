"""The settings of who may call."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, Json, SecretStr, model_validator
from pydantic_settings import BaseSettings, NoDecode

_KEYS_FILE = Path(__file__).parent.parent / "build" / "keys.json"
_ON_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


def split(value: Any) -> Any:
    """Take a list with commas apart."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _safe_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _ON_LOOPBACK):
        raise ValueError("must begin with https://, or lead to this machine")
    if parts.username or parts.password:
        raise ValueError("must not hold a password")
    return url


# Each has a public key: where one secret signs and checks, whoever can check a token can make one.
_Algorithm = Literal[
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"
]  # fmt: skip
_ScopeName = Literal["transcribe", "listen", "jobs", "metrics", "admin"]


class AuthenticationSettings(BaseSettings):
    """What stands between a request and the server; all of it is off until a key or an issuer is there."""

    auth: Literal["auto", "none", "required"] = Field(
        "auto",
        description="Where there are keys or an issuer, callers must be known. Where there are none, `auto` listens on "
        "this machine alone, `none` lets everybody in who can reach it, and `required` lets nobody in.",
    )
    keys_file: Path = Field(
        _KEYS_FILE,
        description="Keys, as `python -m server.keys` writes them; read again within a second when they change. "
        "Where the file is, callers must be known.",
    )
    keys: SecretStr | None = Field(
        None,
        description="More keys: the JSON that `python -m server.keys create --print` prints below the key; digests, "
        "never keys.",
    )
    jwt_issuer: str | None = Field(
        None, min_length=1, description="Issuer whose tokens are taken, as in their claim `iss`."
    )
    jwt_audience: str | None = Field(
        None, min_length=1, description="What names this server in the claim `aud` of its tokens."
    )
    jwt_keys_url: Annotated[str, AfterValidator(_safe_url)] | None = Field(
        None, description="Where the issuer's keys are, as a JSON Web Key Set (`jwks_uri`)."
    )
    jwt_key: SecretStr | None = Field(None, description="In place of that, the issuer's public key in PEM.")
    jwt_algorithms: Annotated[tuple[_Algorithm, ...], NoDecode, BeforeValidator(split)] = Field(
        ("RS256", "ES256"), min_length=1, description="Algorithms that tokens may be signed with."
    )
    jwt_leeway_seconds: float = Field(
        30.0, ge=0, le=600, description="Seconds by which the issuer's clock may differ from this one."
    )
    jwt_scope_claim: str = Field("scope", description="Claim with the scopes: words in a text, or a list.")
    jwt_scopes: Annotated[Json[dict[str, _ScopeName]], NoDecode] = Field(
        {},
        validate_default=False,  # a default is no JSON
        description='What the issuer calls the scopes, where it is not their own names, as JSON: `{"speech.read": '
        '"transcribe"}`.',
    )
    jwt_weight_claim: str = Field("", description="Claim with the weight of a caller's share; 1 where there is none.")
    jwt_refresh_seconds: float = Field(600.0, gt=0, description="Seconds after which the keys are fetched again.")
    jwt_pause_seconds: float = Field(
        30.0, gt=0, description="Least seconds between two fetches, whatever unknown keys tokens name."
    )
    jwt_oldest_seconds: float = Field(
        86_400.0, gt=0, description="Age, in seconds, of keys that are not believed any more where none newer come."
    )

    @property
    def authenticates(self) -> bool:
        """Whether callers must be known. A file of keys says so even when it is empty: its last key was revoked."""
        try:
            has_file = self.keys_file.exists()
        except OSError:
            has_file = True  # nobody knows, and whoever reads it will fail
        return self.auth == "required" or has_file or bool(self.keys or self.jwt_issuer)

    @model_validator(mode="after")
    def _name_one_issuer(self) -> Self:
        others = (self.jwt_audience, self.jwt_keys_url, self.jwt_key)
        if self.jwt_issuer is None:
            if any(others):
                raise ValueError("ASR_JWT_ISSUER is missing: without it no token is taken")
        elif not self.jwt_audience:
            raise ValueError("ASR_JWT_AUDIENCE is missing: without it, tokens for others would be taken")
        elif bool(self.jwt_keys_url) == bool(self.jwt_key):
            raise ValueError("one of ASR_JWT_KEYS_URL and ASR_JWT_KEY is needed, to check tokens with")
        return self
