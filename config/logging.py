"""Loguru as the one sink: JSON lines for machines, text for people, the standard library's loggers included."""

import json
import logging
import sys
from types import FrameType
from typing import TYPE_CHECKING, Any

from loguru import logger

if TYPE_CHECKING:
    from loguru import Record

_TEXT = (
    "<green>{time:HH:mm:ss.SSS}</green> <level>{level: <7}</level> {message} <dim>{extra[fields]}</dim>\n{exception}"
)


def configure_logging(level: str, style: str) -> None:
    """Send every log line of this process to standard error; `style` is `json`, `text` or `auto`."""
    as_json = style == "json" or (style == "auto" and not sys.stderr.isatty())
    logger.remove()
    logger.add(sys.stderr, level=level, format=_json_line if as_json else _text_line, backtrace=False, diagnose=False)
    logging.basicConfig(handlers=[StandardLibraryHandler()], level=level, force=True)


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
    record["extra"]["_line"] = json.dumps(fields, ensure_ascii=False, default=str)
    return "{extra[_line]}\n"


def _text_line(record: "Record") -> str:
    record["extra"]["fields"] = " ".join(f"{key}={value}" for key, value in record["extra"].items() if key != "fields")
    return _TEXT


def _format_exception(record: "Record") -> list[str]:
    import traceback

    exception = record["exception"]
    assert exception is not None  # noqa: S101 - the caller has looked
    return traceback.format_exception(exception.type, exception.value, exception.traceback)
