"""API keys as their owners have them: `asr_<public id>_<secret>`.

The secret has 256 random bits, so that one round of SHA-256 is as good as any slow hash: there is nothing to guess.
"""

import hashlib
import re
import secrets
from dataclasses import dataclass
from typing import Final, Self

PREFIX: Final = "asr_"
_FORM = re.compile(rf"{PREFIX}([0-9a-f]{{12}})_([0-9a-f]{{64}})")


@dataclass(frozen=True, slots=True, repr=False)
class KeyText:
    """A key with its secret, which exists only while it is made and while it is looked at."""

    public_id: str
    secret: str

    @classmethod
    def new(cls, public_id: str = "") -> Self:
        """Make one, for a caller who has an id already, or a new one."""
        return cls(public_id or secrets.token_hex(6), secrets.token_hex(32))

    @classmethod
    def read(cls, text: str) -> Self:
        """Take a key apart; what is none has neither id nor secret."""
        match = _FORM.fullmatch(text)
        return cls(*match.groups()) if match else cls("", "")

    @property
    def digest(self) -> str:
        """SHA-256 of the secret, in hexadecimal digits."""
        return hashlib.sha256(self.secret.encode()).hexdigest()

    def __str__(self) -> str:
        return f"{PREFIX}{self.public_id}_{self.secret}"
