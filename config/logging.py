"""Loguru as the one sink: JSON lines for machines, text for people, the standard library's loggers included.

Whatever a client sends may stand in a record. In either format a record is one line, but for an exception's indented
traceback in text, and no character of it moves the cursor, paints, or turns the direction of writing.
"""

import json
import logging
import re
import sys
from types import FrameType
from typing import TYPE_CHECKING, Any

from loguru import logger

if TYPE_CHECKING:
    from loguru import Record

_TEXT = "<green>{time:HH:mm:ss.SSS}</green> <level>{level: <7}</level> {extra[_message]} <dim>{extra[_fields]}</dim>\n"
_TRACEBACK_INDENT = "    | "
# Controls of ASCII and Latin-1 (escape sequences begin with one), line separators, direction marks, lone surrogates;
# not the joiners, which Hindi is written with.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_PLAIN_VALUE = re.compile(r"[^\s\"'=\\]+")


def configure_logging(level: str, style: str) -> None:
    """Send every log line of this process to standard error; `style` is `json`, `text` or `auto`."""
    as_json = style == "json" or (style == "auto" and not sys.stderr.isatty())
    logger.remove()
    logger.add(sys.stderr, level=level, format=_json_line if as_json else _text_line, backtrace=False, diagnose=False)
    logging.basicConfig(handlers=[StandardLibraryHandler()], level=level, force=True)
    logging.captureWarnings(capture=True)


class StandardLibraryHandler(logging.Handler):
    """Passes records of `logging` (Gunicorn's, Uvicorn's) on to Loguru."""

    def emit(self, record: logging.LogRecord) -> None:
        """Log under the same level, as if from the original place."""
        try:
            level: str | int = logger.level(record.levelname).name
        except ValueError:
            level = record.levelno
        frame: FrameType | None = logging.currentframe()
        depth = 0
        while frame and (depth == 0 or frame.f_code.co_filename == logging.__file__):
            frame, depth = frame.f_back, depth + 1
        logger.opt(depth=depth, exception=record.exc_info).log(level, record.getMessage())


def _json_line(record: "Record") -> str:
    """One flat object a line: the field names that log collectors look for, then the event's own."""
    fields: dict[str, Any] = {
        "timestamp": record["time"].isoformat(),
        "level": record["level"].name,
        "message": record["message"],
        "process": record["process"].id,
        **record["extra"],
    }
    if record["exception"] is not None:
        fields["exception"] = "".join(_format_exception(record))
    # Loguru formats the returned string with the record once more: hand the line over by reference.
    record["extra"]["_line"] = _escape(json.dumps(fields, ensure_ascii=False, default=str))
    return "{extra[_line]}\n"


def _text_line(record: "Record") -> str:
    """Time, level, message, then `name=value` for each field; values that hold more than a word in quotes."""
    fields = " ".join(f"{name}={_value(value)}" for name, value in record["extra"].items())
    traceback = ""
    if record["exception"] is not None:
        lines = "".join(_format_exception(record)).rstrip("\n").split("\n")
        traceback = "".join(f"{_TRACEBACK_INDENT}{_escape(line)}\n" for line in lines)
    record["extra"].update(_message=_escape(record["message"]), _fields=fields, _traceback=traceback)
    return _TEXT + "{extra[_traceback]}"


def _value(value: object) -> str:
    text = str(value)
    return _escape(text if _PLAIN_VALUE.fullmatch(text) else json.dumps(text, ensure_ascii=False))


def _escape(text: str) -> str:
    """Write unsafe characters as JSON does, which leaves JSON valid."""
    if text.isprintable():  # as nearly all of them are; quicker by far
        return text
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _format_exception(record: "Record") -> list[str]:
    import traceback

    exception = record["exception"]
    assert exception is not None  # noqa: S101 - the caller has looked
    return traceback.format_exception(exception.type, exception.value, exception.traceback)
