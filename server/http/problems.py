"""Errors → HTTP: one table, and one renderer for each dialect of answers: RFC 9457, and OpenAI's under `/v1/`."""

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
from server import errors

_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Problem:
    """How one kind of error is answered."""

    status: int
    slug: str
    title: str
    closes: bool = False
    """Whether the rest of the request is not read, so that its connection can carry no other."""


# Looked up along the error's own bases, so that a new error under an old one is answered from the first day.
PROBLEMS: dict[type[Exception], Problem] = {
    inference_errors.UndecodableAudio: Problem(422, "undecodable-audio", "The audio cannot be decoded"),
    inference_errors.UnsupportedCodec: Problem(415, "unsupported-codec", "The codec is not taken"),
    inference_errors.AudioOutOfLimits: Problem(422, "audio-out-of-limits", "Sample rate or channels out of limits"),
    inference_errors.AudioTooShort: Problem(422, "audio-too-short", "The audio is too short"),
    inference_errors.AudioTooLong: Problem(422, "audio-too-long", "The audio is too long"),
    inference_errors.AudioTooCostly: Problem(422, "audio-too-costly", "The audio takes too long to decode"),
    inference_errors.UnavailableOption: Problem(
        400, "unavailable-option", "The model or the audio cannot do what is asked for"
    ),
    inference_errors.InvalidSamples: Problem(422, "invalid-samples", "The audio holds invalid samples"),
    inference_errors.DecoderDied: Problem(500, "decoder-died", "The process that decodes died under this request"),
    inference_errors.DeadlineExceeded: Problem(504, "deadline-exceeded", "The deadline passed"),
    inference_errors.WorkCancelled: Problem(499, "client-closed-request", "The client went away"),
    inference_errors.InferenceError: Problem(500, "inference-failed", "The audio could not be transcribed"),
    errors.MissingAudio: Problem(422, "missing-audio", "No audio was sent"),
    errors.InvalidParameter: Problem(400, "invalid-request", "A parameter of the request is invalid"),
    errors.UnknownModel: Problem(400, "unknown-model", "There is no such model"),
    errors.ModelUnavailable: Problem(503, "model-unavailable", "The model cannot be loaded"),
    errors.HeadTooLarge: Problem(431, "head-too-large", "The head of the request is too large", closes=True),
    errors.HeadTooSlow: Problem(408, "head-too-slow", "The head of the request did not arrive in time", closes=True),
    errors.BadRequest: Problem(400, "bad-request", "The request is malformed"),
    errors.BodyTooSlow: Problem(408, "body-too-slow", "The body did not arrive in time", closes=True),
    errors.BodyTooLarge: Problem(413, "body-too-large", "The body is too large", closes=True),
    errors.TooManyConnections: Problem(503, "too-many-connections", "No room for this connection", closes=True),
    errors.Unauthorized: Problem(401, "unauthorized", "Who calls is not known", closes=True),
    errors.Forbidden: Problem(403, "forbidden", "The caller may not do this", closes=True),
    errors.KeysUnavailable: Problem(503, "keys-unavailable", "Tokens cannot be checked at present", closes=True),
    errors.PoisonInput: Problem(422, "poison-input", "This input crashes the recogniser"),
    errors.Overloaded: Problem(429, "overloaded", "The server is at capacity"),
    errors.QuotaExceeded: Problem(429, "quota-exceeded", "A limit of this caller is reached"),
    errors.QuotasUnreachable: Problem(503, "limits-unreachable", "The limits of this caller cannot be counted"),
    errors.ShuttingDown: Problem(503, "shutting-down", "The server is shutting down"),
    errors.LaneCrashed: Problem(500, "lane-crashed", "The process died under this request, twice"),
    errors.StorageFailed: Problem(507, "insufficient-storage", "The body cannot be stored"),
}
UNEXPECTED = Problem(500, "internal-error", "Something unexpected went wrong")
_FIELDS: dict[type[Exception], str] = {
    errors.UnknownModel: "model",
    errors.MissingAudio: "file",
    inference_errors.InputError: "file",
}
"""The field that is at fault, where the error itself does not say."""
_OPENAI_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
OPENAI_PATHS = "/v1/"
"""Under these, failures have OpenAI's shape."""
NEVER_SENT = (inference_errors.WorkCancelled, inference_errors.InferenceError)
"""Nobody is there any more to receive the first; every cause of the second has a row of its own."""


def problem_of(error: Exception) -> Problem:
    """Find the nearest row of the table; make one for what FastAPI and Starlette raise."""
    if isinstance(error, RequestValidationError):
        return PROBLEMS[errors.InvalidParameter]
    if isinstance(error, HTTPException):
        title = HTTPStatus(error.status_code).phrase
        return Problem(error.status_code, title.lower().replace(" ", "-"), title)
    return next((PROBLEMS[base] for base in type(error).__mro__ if base in PROBLEMS), UNEXPECTED)


def reasons_of(error: Exception) -> dict[str, str]:
    """What logs say of a refusal beside its problem."""
    if not isinstance(error, errors.ServerError):
        return {}
    told = {"reason": error.reason, "key": error.key if isinstance(error, errors.Unauthorized) else ""}
    return {name: value for name, value in told.items() if value}


def problem_response(error: Exception, request_id: str, path: str = "") -> JSONResponse:
    """Answer for any error, as clients of this path understand it; for a bug, without a word about its cause."""
    headers: Mapping[str, str] = {}
    problem = problem_of(error)
    if isinstance(error, RequestValidationError):
        # Not FastAPI's own text, which names files of this server.
        detail = "; ".join(f"{fault['loc'][-1]}: {fault['msg']}" for fault in error.errors())
    elif isinstance(error, HTTPException):
        detail, headers = error.detail, error.headers or {}
    elif problem is UNEXPECTED:
        detail = "The server's log has the cause under this request id."
    else:
        detail = str(error)
        headers = _headers(error)
    if problem.closes:
        headers = {**headers, "Connection": "close"}
    if path.startswith(OPENAI_PATHS):
        return _openai(problem, detail, _field(error), headers)
    more = {"violated-policies": [error.policy]} if isinstance(error, errors.QuotaExceeded) else {}
    return _rfc9457(problem, detail, {"request_id": request_id, **more}, headers)


def _headers(error: Exception) -> dict[str, str]:
    """What an answer says beside its body."""
    if isinstance(error, errors.Unauthorized | errors.Forbidden):
        return _challenge(error)
    headers = dict(error.fields) if isinstance(error, errors.QuotaExceeded) else {}
    if (seconds := getattr(error, "retry_after", None)) is not None:
        headers["Retry-After"] = str(seconds)
    return headers


def _challenge(error: errors.Unauthorized | errors.Forbidden) -> dict[str, str]:
    """As RFC 6750 has it (3.1): whoever presented nothing hears of no error, whoever did of no more than that."""
    if isinstance(error, errors.Unauthorized):
        code = "" if error.reason == "no_key" else ', error="invalid_token"'
    elif error.scope:
        code = f', error="insufficient_scope", scope="{error.scope}"'
    else:
        return {}
    return {"WWW-Authenticate": f'Bearer realm="speech recognition"{code}'}


def install_error_handlers(app: FastAPI) -> None:
    """Make every failure that is foreseen a problem: ours and FastAPI's. The middleware answers for the rest."""
    for kind in (errors.ServerError, inference_errors.InferenceError, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, _answer)


async def _answer(request: Request, error: Exception) -> JSONResponse:
    # Async, since a plain function would cost a trip to a thread and back, which a busy machine makes long.
    request.state.log_fields.update(problem=problem_of(error).slug, **reasons_of(error))
    return problem_response(error, request.state.request_id, request.url.path)


class _ProblemResponse(JSONResponse):
    media_type = "application/problem+json"

    def render(self, content: Any) -> bytes:
        """Encode with an encoder that is there already; Starlette makes one for each answer."""
        return _ENCODER.encode(content).encode()


def _rfc9457(problem: Problem, detail: str, more: Mapping[str, Any], headers: Mapping[str, str]) -> JSONResponse:
    content = {
        "type": f"/problems/{problem.slug}",
        "title": problem.title,
        "status": problem.status,
        "detail": detail,
        **more,
    }
    return _ProblemResponse(content, problem.status, headers)


def _openai(problem: Problem, detail: str, field: str | None, headers: Mapping[str, str]) -> JSONResponse:
    kind = _OPENAI_TYPES.get(problem.status)
    kind = kind or ("server_error" if problem.status >= 500 else "invalid_request_error")
    code = problem.slug.replace("-", "_")
    content = {"error": {"message": detail, "type": kind, "param": field, "code": code}}
    return JSONResponse(content, problem.status, headers)


def _field(error: Exception) -> str | None:
    named = getattr(error, "field", None)
    return named or next((_FIELDS[base] for base in type(error).__mro__ if base in _FIELDS), None)
