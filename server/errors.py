"""Domain error → HTTP: one table, rendered as RFC 9457 problem JSON.

ServerError
├── Overloaded          the predicted wait is over the limit
├── ShuttingDown        the worker takes nothing new
├── LaneCrashed         the process died under this request, twice
├── PoisonInput         this very input has killed two processes
├── BodyTooLarge        more bytes than `ASR_MAX_UPLOAD_MB`
├── ModelUnavailable    the model cannot be loaded
└── BadRequest          the request itself is malformed
    ├── MissingAudio    no file, or an empty one
    └── UnknownModel    no package of that name is served
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from inference import errors as inference_errors

_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


class ServerError(Exception):
    """Base of what the server itself refuses; `detail` is fit for a user to read."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class Overloaded(ServerError):
    """The predicted wait is over the limit."""

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


class BodyTooLarge(ServerError):
    """More bytes than are taken."""


class ModelUnavailable(ServerError):
    """The model cannot be loaded."""


class BadRequest(ServerError):
    """The request itself is malformed."""


class MissingAudio(BadRequest):
    """No file, or an empty one."""


class UnknownModel(BadRequest):
    """No package of that name is served."""


@dataclass(frozen=True, slots=True)
class Problem:
    """How one kind of error is answered."""

    status: int
    slug: str
    title: str


# Looked up along the error's own bases, so that a new error under an old one is answered from the first day.
PROBLEMS: dict[type[Exception], Problem] = {
    inference_errors.UndecodableAudio: Problem(422, "undecodable-audio", "The audio cannot be decoded"),
    inference_errors.UnsupportedCodec: Problem(415, "unsupported-codec", "The codec is not taken"),
    inference_errors.AudioOutOfLimits: Problem(422, "audio-out-of-limits", "Sample rate or channels out of limits"),
    inference_errors.AudioTooShort: Problem(422, "audio-too-short", "The audio is too short"),
    inference_errors.AudioTooLong: Problem(422, "audio-too-long", "The audio is too long"),
    inference_errors.AudioTooCostly: Problem(422, "audio-too-costly", "The audio takes too long to decode"),
    inference_errors.UnavailableOption: Problem(400, "unavailable-option", "The model cannot do what is wished for"),
    inference_errors.InvalidSamples: Problem(422, "invalid-samples", "The audio holds invalid samples"),
    inference_errors.DeadlineExceeded: Problem(504, "deadline-exceeded", "The deadline passed"),
    inference_errors.WorkCancelled: Problem(499, "client-closed-request", "The client went away"),
    inference_errors.InferenceError: Problem(500, "inference-failed", "The audio could not be transcribed"),
    MissingAudio: Problem(422, "missing-audio", "No audio was sent"),
    UnknownModel: Problem(400, "unknown-model", "There is no such model"),
    ModelUnavailable: Problem(503, "model-unavailable", "The model cannot be loaded"),
    BadRequest: Problem(400, "bad-request", "The request is malformed"),
    BodyTooLarge: Problem(413, "body-too-large", "The body is too large"),
    PoisonInput: Problem(422, "poison-input", "This input crashes the recogniser"),
    Overloaded: Problem(429, "overloaded", "The server is at capacity"),
    ShuttingDown: Problem(503, "shutting-down", "The server is shutting down"),
    LaneCrashed: Problem(500, "lane-crashed", "The process died under this request, twice"),
}
_UNEXPECTED = Problem(500, "internal-error", "Something unexpected went wrong")


def problem_of(error: Exception) -> Problem:
    """Find the nearest row of the table."""
    return next((PROBLEMS[base] for base in type(error).__mro__ if base in PROBLEMS), _UNEXPECTED)


class _ProblemResponse(JSONResponse):
    media_type = "application/problem+json"

    def render(self, content: Any) -> bytes:
        """Encode with an encoder that is there already; Starlette makes one for each answer."""
        return _ENCODER.encode(content).encode()


def problem_response(
    problem: Problem, detail: str, request_id: str, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """Render `type, title, status, detail, request_id`."""
    content = {
        "type": f"/problems/{problem.slug}",
        "title": problem.title,
        "status": problem.status,
        "detail": detail,
        "request_id": request_id,
    }
    return _ProblemResponse(content, problem.status, headers)


def expected_response(error: Exception, request_id: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """Render a failure of the table."""
    more = {"Retry-After": str(error.retry_after)} if isinstance(error, Overloaded) else {}
    return problem_response(problem_of(error), str(error), request_id, {**more, **(headers or {})})


def answer_unexpected(request_id: str) -> JSONResponse:
    """Answer for a bug, telling nothing of it."""
    return problem_response(_UNEXPECTED, "The server's log has the cause under this request id.", request_id)


def install_error_handlers(app: FastAPI) -> None:
    """Make every failure that is foreseen a problem: ours and FastAPI's. The middleware answers for the rest."""
    app.add_exception_handler(ServerError, answer_expected)
    app.add_exception_handler(inference_errors.InferenceError, answer_expected)
    app.add_exception_handler(RequestValidationError, _answer_invalid)
    app.add_exception_handler(HTTPException, _answer_http)


# All async: a plain function would cost a trip to a thread and back, which a busy machine makes long.


async def answer_expected(request: Request, error: Exception) -> JSONResponse:
    """Answer for a failure of the table."""
    return expected_response(error, request.state.request_id)


async def _answer_invalid(request: Request, error: Exception) -> JSONResponse:
    problem = Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-request", "A field of the request is invalid")
    return problem_response(problem, str(error), request.state.request_id)


async def _answer_http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 - it is registered for no other
    title = HTTPStatus(error.status_code).phrase
    problem = Problem(error.status_code, title.lower().replace(" ", "-"), title)
    return problem_response(problem, error.detail, request.state.request_id, error.headers)
