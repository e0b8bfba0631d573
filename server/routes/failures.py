"""What OpenAPI says of failures: those of the one table, in the dialect of the path."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from server import errors
from server.http.access import ACCESS
from server.http.problems import NEVER_SENT, OPENAI_PATHS, PROBLEMS, UNEXPECTED
from server.http.problems import Problem as Row
from server.schemas import OpenAIFailure, Problem

_ANYWHERE = (errors.HeadTooLarge, errors.HeadTooSlow, errors.TooManyConnections)
"""Found before it is known which path is asked for, so that no dialect is."""
_RFC9457 = {"application/problem+json": {"schema": Problem.model_json_schema()}}
_OPENAI = {"application/json": {"schema": OpenAIFailure.model_json_schema()}}


def failures(path: str, *, audio: bool = False, **others: str) -> dict[int | str, dict[str, Any]]:
    """Describe each status that a route can fail with.

    `audio` where it takes any, which makes all failures possible; `others` are titles of its own by status, such as
    `_404`.
    """
    dialect = _OPENAI if path.startswith(OPENAI_PATHS) else _RFC9457
    titles: defaultdict[int, list[str]] = defaultdict(list)
    content: defaultdict[int, dict[str, Any]] = defaultdict(dict)
    for error, row in _rows(path, audio=audio):
        titles[row.status].append(row.title)
        content[row.status] |= _RFC9457 if error in _ANYWHERE else dialect
    for status, title in ((int(name.removeprefix("_")), title) for name, title in others.items()):
        titles[status].append(title)
        content[status] |= dialect
    return {each: {"description": "; ".join(titles[each]), "content": content[each]} for each in sorted(titles)}


def _rows(path: str, *, audio: bool) -> Iterator[tuple[type[Exception], Row]]:
    if audio:
        yield from ((error, row) for error, row in PROBLEMS.items() if error not in NEVER_SENT)
        yield Exception, UNEXPECTED
        return
    known = () if ACCESS.is_open(path) else (errors.Unauthorized,)
    allowed = (errors.Forbidden,) if ACCESS.scope_of(path) else ()
    yield from ((error, PROBLEMS[error]) for error in (*_ANYWHERE, *known, *allowed))
