"""Log lines have one schema: whatever the code writes stands in it. Lines of real runs are held to it in end_to_end."""

import ast
from pathlib import Path

import pytest

from config.log_schema import ANY_LINE, OTHERS, REQUESTS, faults

ROOT = Path(__file__).parents[2]
FILES = [ROOT / "gunicorn.conf.py", *(file for name in ("config", "server") for file in (ROOT / name).rglob("*.py"))]
GOOD = {"timestamp": "2026-11-28T22:03:28.359919+00:00", "level": "INFO", "message": "request", "process": 1}


def bound(file):
    """Names of fields that calls of Loguru give to a line."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id="logger"), attr="bind" | "contextualize")):
                yield from (keyword.arg for keyword in node.keywords if keyword.arg)


def test_every_field_that_is_bound_stands_in_it():
    named = {name for file in FILES for name in bound(file)}
    assert {"pid", "cause", "exit_code", "error"} <= named
    assert named <= {*ANY_LINE, *REQUESTS, *OTHERS}


def test_a_line_that_fits():
    assert faults(GOOD) == []
    assert faults(GOOD | {"client": None, "decode_seconds": 1, "clipped": True, "key_ids": ["one"]}) == []


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ({name: value for name, value in GOOD.items() if name != "process"}, "process is missing"),
        (GOOD | {"colour": "red"}, "colour is not in the schema"),
        (GOOD | {"status": "200"}, "status is no integer: '200'"),
        (GOOD | {"segments": True}, "segments is no integer: True"),
        (GOOD | {"path": None}, "path is null"),
    ],
)
def test_a_line_that_does_not(line, fault):
    assert faults(line) == [fault]
