"""What the server itself refuses, as one tree without HTTP in it; `server/http/problems.py` says how each is answered.

ServerError
├── Overloaded          the predicted wait is over the limit, or there is no room for more bytes
├── QuotaExceeded       the caller has used up one of its limits
├── QuotasUnreachable   nobody can say what the caller has used
├── ShuttingDown        the worker ends
├── LaneCrashed         the process died under this request, twice
├── PoisonInput         this very input has killed two processes
├── StorageFailed       a body could not be written to the spool directory
├── BodyTooLarge        more bytes than `ASR_MAX_UPLOAD_MB`
├── BodyTooSlow         the body did not arrive in time
├── ModelUnavailable    the model cannot be loaded
├── TooManyConnections  more than `ASR_MAX_CONNECTIONS`
├── Unauthorized        nobody knows who calls
├── Forbidden           this caller may not do this
├── KeysUnavailable     tokens cannot be checked at present
└── BadRequest          the request itself is malformed
    ├── MissingAudio    no file, or an empty one
    ├── InvalidParameter     a field or parameter of the request is invalid
    ├── UnknownModel    no package of that name is served
    ├── HeadTooLarge    more bytes or headers than are taken
    └── HeadTooSlow     the head did not arrive in time
"""

from collections.abc import Mapping
from types import MappingProxyType

CLIENT_LEFT = "the client left"
"""What work is cancelled with then; it is cancelled without a word where the worker ends."""
ENDED = "the server ends, and this was not finished in time; try again"


class ServerError(Exception):
    """Base of what the server itself refuses; `detail` is fit for a user to read."""

    reason = ""
    """A word for logs, where they have more to tell than the client."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class Overloaded(ServerError):
    """The predicted wait is too long, or all bodies fill `ASR_MAX_INFLIGHT_MB` or `ASR_MAX_SPOOL_MB`."""

    def __init__(self, detail: str, retry_after: int = 1) -> None:
        super().__init__(detail)
        self.retry_after = retry_after
        """Seconds after which the backlog will have shrunk enough."""


class QuotaExceeded(ServerError):
    """A limit of this caller is reached: requests or audio in time, or requests at once; the detail says which."""

    def __init__(
        self,
        detail: str,
        policy: str = "",
        retry_after: int | None = None,
        fields: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        super().__init__(detail)
        self.policy = self.reason = policy
        """Its name in `RateLimit-Policy`."""
        self.retry_after = retry_after
        """Seconds after which there is room again; None where this request alone is more than the limit."""
        self.fields = dict(fields)
        """Header fields that tell all limits of the caller."""


class QuotasUnreachable(ServerError):
    """What this caller has used cannot be counted now, and `ASR_LIMITS_UNREACHABLE` says to refuse it then."""

    retry_after = 1


class ShuttingDown(ServerError):
    """The worker ends, and takes nothing new or had no time to finish this; another one, or a new one, does."""


class LaneCrashed(ServerError):
    """A process died under this request, and so did the one that tried it again."""


class PoisonInput(ServerError):
    """The very same input has ended two processes within the last minutes."""


class StorageFailed(ServerError):
    """A body over 1 MiB does not fit into `ASR_SPOOL`, or could not be written; the detail has the reason."""


class BodyTooLarge(ServerError):
    """More bytes than `ASR_MAX_UPLOAD_MB`; the rest of the body is not read."""


class BodyTooSlow(ServerError):
    """The body is slower than `ASR_BODY_SECONDS` and `ASR_BODY_BYTES_PER_SECOND` allow, or takes over an hour."""


class ModelUnavailable(ServerError):
    """The model cannot be loaded, though its package was whole at the start; the log has the reason."""


class TooManyConnections(ServerError):
    """`ASR_MAX_CONNECTIONS` are open, and each has a request under way."""


class Unauthorized(ServerError):
    """The server asks for a key or a token, and the request has none that is valid; none of its body is read."""

    def __init__(self, detail: str, reason: str = "unknown", key: str = "") -> None:
        super().__init__(detail)
        self.reason = reason
        """One of those in docs/security.md."""
        self.key = key
        """Public id of the key that was presented, where it has one."""


class Forbidden(ServerError):
    """The key or token is valid, and does not allow this: another scope, or another origin."""

    def __init__(self, detail: str, reason: str = "origin", scope: str = "") -> None:
        super().__init__(detail)
        self.reason = reason
        self.scope = scope
        """What it would take."""


class KeysUnavailable(ServerError):
    """The request has a token, and the keys of its issuer have not been fetched, or too long ago."""


class BadRequest(ServerError):
    """A header or a form is malformed."""


class MissingAudio(BadRequest):
    """No file, or an empty one."""


class InvalidParameter(BadRequest):
    """A field or parameter has an unknown name or value, or excludes another; the detail says what is taken."""

    def __init__(self, detail: str, field: str = "") -> None:
        super().__init__(detail)
        self.field = field
        """Its name."""


class UnknownModel(BadRequest):
    """No package of that name is served."""


class HeadTooLarge(BadRequest):
    """A head of more than 32 KiB or 100 headers."""


class HeadTooSlow(BadRequest):
    """No whole head within `ASR_HEAD_SECONDS`."""
