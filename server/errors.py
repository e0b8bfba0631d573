"""What the server itself refuses, as one tree without HTTP in it; `server/http/problems.py` says how each is answered.

ServerError
├── Overloaded          the predicted wait is over the limit, or too many bytes are in flight
├── ShuttingDown        the worker takes nothing new
├── LaneCrashed         the process died under this request, twice
├── PoisonInput         this very input has killed two processes
├── StorageFailed       a body could not be written to the spool directory
├── BodyTooLarge        more bytes than `ASR_MAX_UPLOAD_MB`
├── BodyTooSlow         the body did not arrive in time
├── ModelUnavailable    the model cannot be loaded
├── TooManyConnections  more than `ASR_MAX_CONNECTIONS`
└── BadRequest          the request itself is malformed
    ├── MissingAudio    no file, or an empty one
    ├── UnknownModel    no package of that name is served
    ├── HeadTooLarge    more bytes or headers than are taken
    └── HeadTooSlow     the head did not arrive in time
"""


class ServerError(Exception):
    """Base of what the server itself refuses; `detail` is fit for a user to read."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class Overloaded(ServerError):
    """The predicted wait is over the limit, or too many bytes are in flight."""

    def __init__(self, detail: str, retry_after: int = 1) -> None:
        super().__init__(detail)
        self.retry_after = retry_after
        """Seconds after which the backlog will have shrunk enough."""


class ShuttingDown(ServerError):
    """The worker takes nothing new."""


class LaneCrashed(ServerError):
    """The process died under this request, on its second try too."""


class PoisonInput(ServerError):
    """The same input has killed two processes."""


class StorageFailed(ServerError):
    """A body could not be written to the spool directory; the detail has the reason."""


class BodyTooLarge(ServerError):
    """More bytes than are taken."""


class BodyTooSlow(ServerError):
    """The body did not arrive in time."""


class ModelUnavailable(ServerError):
    """The model cannot be loaded."""


class TooManyConnections(ServerError):
    """More than `ASR_MAX_CONNECTIONS`."""


class BadRequest(ServerError):
    """The request itself is malformed."""


class MissingAudio(BadRequest):
    """No file, or an empty one."""


class UnknownModel(BadRequest):
    """No package of that name is served."""


class HeadTooLarge(BadRequest):
    """More bytes or headers than are taken."""


class HeadTooSlow(BadRequest):
    """The head did not arrive in time."""
