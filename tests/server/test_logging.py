"""A record is one line, of JSON or of text, whatever stands in it."""

import io
import json
import logging
import re
import sys

import pytest
from loguru import logger

from config.logging import configure_logging


@pytest.fixture
def stream(monkeypatch):
    """Standard error, by the name under which it is looked up."""
    monkeypatch.setattr(logging.root, "handlers", [])
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    yield sys.stderr
    logger.remove()


@pytest.fixture
def lines(stream):
    """Configure for JSON, and read back what was logged."""
    configure_logging("INFO", "json")

    def read():
        written = stream.getvalue().splitlines()
        assert not any(UNSAFE.search(line) for line in written)
        return [json.loads(line) for line in written]

    return read


@pytest.fixture
def text(stream):
    """Configure for people, and read back what was logged."""
    configure_logging("INFO", "text")
    return stream.getvalue


def caught(message):
    """An exception that was raised, with its traceback."""
    with pytest.raises(ValueError) as information:  # noqa: PT011 - it is our own
        raise ValueError(message)
    return information.value


AWKWARD = [
    "{braces}",
    "{0} {} {extra[request_id]}",
    "<red>angle</red> <nonsense> </end>",
    "100 % of %s and %(name)d",
    'quotes " and \\ backslashes',
    "two\nlines",
    "हिन्दी \u2028 और \x00",
    "क्\u200dष",  # a joiner that Hindi needs
    "\r\n12:00:00.000 INFO    forged\x1b[2K\x1b[31m",
    "\x9b31m \x85 \x7f \u202e \u2066 \udc80",
    "/transcribe status=200 client='somebody else'",
]
UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


@pytest.mark.parametrize("message", AWKWARD)
def test_any_message_is_one_json_line(lines, message):
    logger.info(message)
    (line,) = lines()
    assert line["message"] == message
    assert line["level"] == "INFO"
    assert line["timestamp"].endswith("+00:00")


@pytest.mark.parametrize("message", AWKWARD)
def test_any_bound_value_is_carried(lines, message):
    logger.bind(path=message, seconds=0.5).info("request")
    (line,) = lines()
    assert (line["path"], line["seconds"]) == (message, 0.5)


@pytest.mark.parametrize("message", AWKWARD)
def test_any_exception_stays_in_its_line(lines, message):
    logger.opt(exception=caught(message)).error("it failed")
    (line,) = lines()
    assert f"ValueError: {message}" in line["exception"]
    assert line["message"] == "it failed"


# What `logging` gets pytest captures too, and pytest-xdist cannot carry a lone surrogate.
@pytest.mark.parametrize("message", [message.encode(errors="ignore").decode() for message in AWKWARD])
def test_the_standard_library_goes_the_same_way(lines, message):
    logging.getLogger("uvicorn.error").warning("%s", message)
    (line,) = lines()
    assert (line["message"], line["level"]) == (message, "WARNING")


def test_exceptions_of_the_standard_library_too(lines):
    logging.getLogger("gunicorn.error").error("worker failed", exc_info=caught("{lost}"))
    (line,) = lines()
    assert "ValueError: {lost}" in line["exception"]
    assert line["level"] == "ERROR"


def test_the_request_id_is_in_every_line_of_its_context(lines):
    with logger.contextualize(request_id="abc"):
        logger.info("one")
        logging.getLogger("anything").warning("two")
    logger.info("three")
    assert [line.get("request_id") for line in lines()] == ["abc", "abc", None]


def test_no_values_of_variables_are_told(lines):
    def recognise(audio):
        raise RuntimeError(len(audio))

    with pytest.raises(RuntimeError) as information:
        recognise(b"what was said")
    logger.opt(exception=information.value).error("it failed")
    assert "what was said" not in lines()[0]["exception"].replace('recognise(b"what was said")', "")


def test_less_severe_lines_are_left_out(lines):
    logger.debug("detail")
    logging.getLogger("anything").debug("detail")
    assert lines() == []


@pytest.mark.parametrize("message", AWKWARD)
def test_text_for_people(text, message):
    logger.bind(status=200).info(message)
    with logger.contextualize(request_id="{abc}"):
        logger.info(message)
    shown = UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", message)
    first, second = text().removesuffix("\n").split("\n")
    assert first.endswith(f"INFO    {shown} status=200")
    assert second.endswith(f"INFO    {shown} request_id={{abc}}")


@pytest.mark.parametrize("value", AWKWARD)
def test_a_value_is_no_second_field_and_no_second_line(text, value):
    logger.bind(path=value, status=404).info("request")
    (line,) = text().splitlines()
    assert not UNSAFE.search(line)
    quoted = re.fullmatch(r'.*INFO    request path=("(?:[^"\\]|\\.)*"|[^\s"=]*) status=404', line)
    assert json.loads(quoted[1] if quoted[1].startswith('"') else f'"{quoted[1]}"') == value


@pytest.mark.parametrize("message", AWKWARD)
def test_no_line_of_a_traceback_looks_like_a_record(text, message):
    logger.opt(exception=caught(message)).error("it failed")
    first, *others = text().splitlines()
    assert first.endswith("ERROR   it failed ")
    assert "ValueError" in "".join(others)
    assert all(line.startswith("    | ") and not UNSAFE.search(line) for line in others)
