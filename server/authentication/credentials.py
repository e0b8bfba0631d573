"""What a caller presents, as it stands in the head of a request."""

import re
from collections.abc import Iterable

from server.errors import Unauthorized

_SCHEMES = {"bearer", "token"}  # Deepgram's clients say Token
_ACCEPTABLE = re.compile(r"[\x21-\x7e]{1,8192}")
_HOW = "send `Authorization: Bearer KEY` or `X-API-Key: KEY`"


def credential_of(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """Return the one key or token that a request has; raise Unauthorized, which never repeats what was sent.

    Of two, a proxy in front may have looked at one and this server at the other: neither is taken.
    """
    found = [(name, value) for name, value in headers if name in (b"authorization", b"x-api-key")]
    if not found:
        raise Unauthorized(f"the request has no key: {_HOW}", "no_key")
    if len(found) > 1:
        raise Unauthorized("the request has more than one key or token", "several_keys")
    name, value = found[0]
    text = value.decode("latin-1")
    if name == b"authorization":
        scheme, _, text = text.partition(" ")
        if scheme.lower() not in _SCHEMES:
            raise Unauthorized(f"this scheme of Authorization is not taken: {_HOW}", "scheme")
    if not _ACCEPTABLE.fullmatch(text := text.strip(" ")):
        raise Unauthorized("what the request has is neither a key nor a token", "malformed")
    return text
