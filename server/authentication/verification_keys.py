"""Public keys that tokens are checked with: one in PEM, or those of a JSON Web Key Set (RFC 7517)."""

import json
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Final, Protocol

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_public_key

_MOST_KEYS: Final = 100


class InvalidKeySet(Exception):
    """What was given or fetched holds no key that a token can be checked with; the message says why."""


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """A public key of the issuer."""

    key: Any
    """As `cryptography` has it."""
    algorithm: str | None = None
    """The only one that it is for, where the issuer says so."""


class VerificationKeys(Protocol):
    """Where the issuer's keys are found."""

    warnings: tuple[str, ...]
    """What does not work, as sentences."""

    def find(self, key_id: str | None) -> VerificationKey:
        """Return the key of this id, without waiting; raise Unauthorized, or KeysUnavailable where none is known."""

    def kept_fresh(self) -> AbstractAsyncContextManager[None]:
        """Fetch them, as long as the context lasts."""


class PemKey:
    """One public key, for tokens of whatever key id."""

    warnings: tuple[str, ...] = ()

    def __init__(self, pem: str) -> None:
        """Raise InvalidKeySet."""
        try:
            self._key = VerificationKey(load_pem_public_key(pem.encode()))
        except (ValueError, UnsupportedAlgorithm):
            raise InvalidKeySet("this is no public key in PEM (`-----BEGIN PUBLIC KEY-----`)") from None

    def find(self, _key_id: str | None) -> VerificationKey:
        """Return it."""
        return self._key

    def kept_fresh(self) -> AbstractAsyncContextManager[None]:
        """Do nothing: it stays."""
        return nullcontext()


def read_key_set(text: bytes) -> Mapping[str | None, VerificationKey]:
    """Return the public keys for signatures by their ids; raise InvalidKeySet where there is none.

    What is no public key is left out: a symmetric one would let whoever reads the set sign tokens.
    """
    try:
        entries = json.loads(text)["keys"]
    except (ValueError, LookupError, TypeError, RecursionError):
        entries = None
    if not isinstance(entries, list):
        raise InvalidKeySet("the answer is no JSON Web Key Set")
    keys = {}
    for entry in entries[:_MOST_KEYS]:
        if isinstance(entry, dict) and (key := _verification_key(entry)):
            key_id = entry.get("kid")
            keys[key_id if isinstance(key_id, str) else None] = key
    if not keys:
        raise InvalidKeySet("the key set has no public key for signatures")
    return keys


def _verification_key(entry: Mapping[str, Any]) -> VerificationKey | None:
    if entry.get("kty") not in ("RSA", "EC", "OKP") or "d" in entry or entry.get("use", "sig") != "sig":
        return None
    try:
        return VerificationKey(jwt.PyJWK(dict(entry)).key, entry.get("alg"))
    except (jwt.PyJWTError, ValueError, TypeError, LookupError, UnsupportedAlgorithm):
        return None
