"""What is kept of API keys, and whose they are."""

import hmac
import secrets
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Annotated, TypeAlias

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from server.authentication.key_text import KeyText
from server.errors import Forbidden, Unauthorized
from server.principal import Limits, Principal, Scope

_Digest: TypeAlias = Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Former(_Strict):
    """What opened a key before it was rotated."""

    sha256: _Digest
    until: AwareDatetime


class Key(_Strict):
    """All that is kept of a key; not its secret."""

    name: str = Field(min_length=1, max_length=100)
    sha256: _Digest
    created: AwareDatetime
    expires: AwareDatetime | None = None
    scopes: frozenset[Scope] = frozenset()
    weight: float = Field(1.0, gt=0, allow_inf_nan=False)
    limits: Limits = Limits()
    origins: frozenset[str] = frozenset()
    """Pages that alone may use it, as browsers name them in `Origin`; empty: nobody is asked where it comes from."""
    former: Former | None = None

    def rotated(self, digest: str, until: datetime) -> "Key":
        """Return it with another secret, beside which its present one is valid for a while."""
        return self.model_copy(update={"sha256": digest, "former": Former(sha256=self.sha256, until=until)})

    def refusal_of(self, digest: str, now: datetime) -> str:
        """Return why this digest does not open it, in a word for logs; nothing where it does.

        That is the one of its secret, or of the former one as long as that is valid.
        """
        former, until = (self.former.sha256, self.former.until) if self.former else (self.sha256, now)
        opens, opened = hmac.compare_digest(digest, self.sha256), hmac.compare_digest(digest, former)
        if not opens | (opened & (now < until)):
            return "rotated_key" if opened else "wrong_secret"
        return "expired_key" if self.expires and self.expires <= now else ""


Keys: TypeAlias = Mapping[str, Key]
"""By public id."""
_NOBODY = Key(name="nobody", sha256=secrets.token_hex(32), created=datetime.min.replace(tzinfo=UTC))


def principal_of(credential: str, origin: str | None, find: Callable[[str], Key | None]) -> Principal:
    """Return whose key this is, of those that `find` finds by public id.

    Raises Unauthorized, or Forbidden for a page that may not use it.

    An unknown id takes as long as a known one with another's secret.
    """
    now, given = datetime.now(UTC), KeyText.read(credential)
    key = find(given.public_id) or _NOBODY
    if reason := key.refusal_of(given.digest, now):
        reason = "unknown_key" if key is _NOBODY else reason
        detail = "this key has expired" if reason == "expired_key" else "this key is not valid here"
        raise Unauthorized(detail, reason, given.public_id)
    if key.origins and origin not in key.origins:
        raise Forbidden("this key may not be used from this origin")
    return Principal(f"key:{given.public_id}", key.name, key.weight, key.scopes, key.limits, "key")
