"""Tokens of an issuer: signed JWTs (RFC 7519, as RFC 8725 wants them checked)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import jwt

from server.authentication.verification_keys import VerificationKeys
from server.errors import Unauthorized
from server.principal import Limits, Principal, Scope

_LONGEST_SUBJECT: Final = 255
_REQUIRED = ["exp", "aud", "iss", "sub"]
_REASONS = {
    jwt.MissingRequiredClaimError: "missing_claim",
    jwt.InvalidSignatureError: "signature",
    jwt.InvalidAlgorithmError: "algorithm",
}
"""For the log; the client hears of none."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What a token has to be, and what its claims mean."""

    issuer: str
    audience: str
    algorithms: tuple[str, ...]
    leeway: float
    """Seconds by which clocks may differ."""
    scope_claim: str
    """Where scopes stand, as a list or as words."""
    scopes: Mapping[str, Scope]
    """What the issuer calls the scopes of this server."""
    weight_claim: str
    """Where the weight of a share stands; empty: 1 for all."""


class Tokens:
    """Tells callers by their tokens."""

    def __init__(self, rules: Rules, keys: VerificationKeys) -> None:
        self._rules = rules
        self.keys = keys

    def principal_of(self, token: str) -> Principal:
        """Return whose token this is; raise Unauthorized, which repeats nothing of it, or KeysUnavailable."""
        claims = self._verified(token)
        subject = claims["sub"]
        if not subject or len(subject) > _LONGEST_SUBJECT:
            raise Unauthorized("the token's sub is empty or too long", "subject")
        scopes = frozenset(self._rules.scopes[name] for name in self._names(claims) if name in self._rules.scopes)
        return Principal(f"token:{subject}", subject, self._weight(claims), scopes, Limits(), "token")

    def _verified(self, token: str) -> Mapping[str, Any]:
        rules = self._rules
        try:
            # Of the head, which nobody has signed, the id is believed for finding a key of the issuer's, and no more.
            head = jwt.get_unverified_header(token)
            found = self.keys.find(head.get("kid"))
            algorithms = [each for each in rules.algorithms if found.algorithm in (None, each)]
            claims: dict[str, Any] = jwt.decode(
                token,
                found.key,
                algorithms,
                options={"require": _REQUIRED, "enforce_minimum_key_length": True},
                audience=rules.audience,
                issuer=rules.issuer,
                leeway=rules.leeway,
            )
        except jwt.ExpiredSignatureError:
            raise Unauthorized("the token has expired", "expired_token") from None
        except jwt.ImmatureSignatureError:
            raise Unauthorized("the token is not valid yet", "token_too_early") from None
        except (jwt.InvalidAudienceError, jwt.InvalidIssuerError) as error:
            reason = "issuer" if isinstance(error, jwt.InvalidIssuerError) else "audience"
            raise Unauthorized("the token is of another issuer or for another audience", reason) from None
        except (jwt.PyJWTError, ValueError, TypeError, ArithmeticError, RecursionError) as error:
            # Parsers say more than one kind of no: of numbers without end, of brackets in brackets.
            reason = next((reason for kind, reason in _REASONS.items() if isinstance(error, kind)), "malformed_token")
            raise Unauthorized("this is no valid token of the issuer", reason) from None
        return claims

    def _names(self, claims: Mapping[str, Any]) -> Iterable[str]:
        claim = claims.get(self._rules.scope_claim, ())
        names = claim.split() if isinstance(claim, str) else claim if isinstance(claim, list) else ()
        return (name for name in names if isinstance(name, str))

    def _weight(self, claims: Mapping[str, Any]) -> float:
        weight = claims.get(self._rules.weight_claim, 1.0) if self._rules.weight_claim else 1.0
        if type(weight) not in (int, float) or not 0.001 <= weight <= 1000:
            raise Unauthorized("the token's weight is no number from 0.001 to 1000", "weight")
        return float(weight)
