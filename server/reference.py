"""`python -m server.reference`: writes those parts of docs/ that stand in the code already.

In a page each part stands between `<!-- begin NAME: make docs -->` and `<!-- end NAME -->`; people write the rest.
"""

import re
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from config.log_schema import ANY_LINE, OTHERS, REQUESTS, LogField
from config.reference import settings_reference
from config.settings import Settings
from inference.audio.containers import CONTAINERS
from server.app import create_app
from server.http.problems import NEVER_SENT, PROBLEMS, UNEXPECTED
from server.routes.openai import FIELDS
from server.schemas import Model, TranscriptionReply

_DOCS = Path(__file__).parent.parent / "docs"
_PART = re.compile(r"(<!-- begin (\w+): make docs -->\n).*?(<!-- end \2 -->)", re.DOTALL)


def main() -> int:
    """Write the pages that have changed, and print their names."""
    for page in sorted(_DOCS.glob("*.md")):
        text = page.read_text(encoding="utf-8")
        if (written := updated(text)) != text:
            page.write_text(written, encoding="utf-8")
            print(page.relative_to(_DOCS.parent))
    return 0


def updated(page: str) -> str:
    """Return a page with its parts as the code has them now; raise KeyError for a part of unknown name."""
    return _PART.sub(lambda part: f"{part[1]}{_PARTS[part[2]]()}\n{part[3]}", page)


def _routes() -> str:
    return _table(
        ("route", "what it does"),
        ((f"`{method.upper()} {path}`", operation["description"]) for path, method, operation in _operations()),
    )


def _parameters() -> str:
    return _table(
        ("parameter", "values", "default", "meaning"),
        (
            (
                f"`{parameter['name']}`",
                _values(parameter["schema"]),
                _default(parameter["schema"]),
                parameter["description"],
            )
            for path, _, operation in _operations()
            if path == "/transcribe"
            for parameter in operation["parameters"]
        ),
    )


def _openai_fields() -> str:
    return _table(
        ("field", "values", "meaning"),
        (
            (f"`{name}`", ", ".join(f"`{value}`" for value in field.values) or field.taken, field.meaning)
            for name, field in FIELDS.items()
        ),
    )


def _reply() -> str:
    return _fields(TranscriptionReply.model_json_schema())


def _model() -> str:
    return _fields(Model.model_json_schema())


def _problems() -> str:
    sent = ((error, row) for error, row in PROBLEMS.items() if error not in NEVER_SENT)
    rows = {(row.status, row.slug): error.__doc__ or "" for error, row in sent}
    rows[UNEXPECTED.status, UNEXPECTED.slug] = f"{UNEXPECTED.title}."
    return _table(
        ("status", "`type` ends in", "when"),
        ((str(status), f"`{slug}`", meaning.splitlines()[0]) for (status, slug), meaning in sorted(rows.items())),
    )


def _containers() -> str:
    return _table(
        ("container", "codecs", "known by", "read by"),
        ((each.name, each.codecs, each.known_by, each.decoder) for each in CONTAINERS),
    )


def _log_fields(fields: Mapping[str, LogField]) -> str:
    return _table(
        ("field", "type", "meaning"),
        (
            (f"`{name}`", f"{field.kind} or null" if field.nullable else field.kind, field.meaning)
            for name, field in fields.items()
        ),
    )


_PARTS: Mapping[str, Callable[[], str]] = {
    "routes": _routes,
    "containers": _containers,
    "parameters": _parameters,
    "reply": _reply,
    "openai": _openai_fields,
    "model": _model,
    "problems": _problems,
    "log_any": lambda: _log_fields(ANY_LINE),
    "log_requests": lambda: _log_fields(REQUESTS),
    "log_others": lambda: _log_fields(OTHERS),
    "settings": lambda: f"\n{settings_reference()}\n",
}


def _operations() -> Iterable[tuple[str, str, dict[str, Any]]]:
    """Path, method and description of every operation, as OpenAPI has them."""
    for path, methods in create_app(Settings()).openapi()["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def _fields(schema: dict[str, Any]) -> str:
    return _table(("field", "type", "meaning"), _field_rows(schema, schema.get("$defs", {})))


def _field_rows(schema: dict[str, Any], others: dict[str, Any], prefix: str = "") -> Iterable[tuple[str, ...]]:
    for name, field in schema["properties"].items():
        if "$ref" in field:
            yield from _field_rows(others[field["$ref"].rpartition("/")[2]], others, f"{prefix}{name}.")
        elif "$ref" in field.get("items", {}):
            yield f"`{prefix}{name}`", field["type"], field.get("description", "")
            yield from _field_rows(others[field["items"]["$ref"].rpartition("/")[2]], others, f"{prefix}{name}[].")
        else:
            kinds = " or ".join(kind["type"] for kind in field.get("anyOf", [field]))
            yield f"`{prefix}{name}`", kinds, field.get("description", "")


def _values(schema: dict[str, Any]) -> str:
    return ", ".join(f"`{value}`" for value in schema["enum"] if value) if "enum" in schema else schema["type"]


def _default(schema: dict[str, Any]) -> str:
    return f"`{schema['default']}`" if schema.get("default") else "none"


def _table(headings: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [f"| {' | '.join(' '.join(cell.split()) for cell in row)} |" for row in (headings, *rows)]
    return "\n".join((lines[0], "|---" * (lines[0].count("|") - 1) + "|", *lines[1:]))


if __name__ == "__main__":
    sys.exit(main())
