"""Which request work belongs to: ids that stand in every log line of it, and go with its tasks to whoever does them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

from loguru import logger

_ids: ContextVar[Mapping[str, str] | None] = ContextVar("ids", default=None)


@contextmanager
def correlated(ids: Mapping[str, str]) -> Iterator[None]:
    """Within, log lines have these fields, those of tasks that are begun there too."""
    token = _ids.set(ids)
    try:
        with logger.contextualize(**ids):
            yield
    finally:
        _ids.reset(token)


def ids() -> Mapping[str, str]:
    """Return those of the request at hand; nothing outside of one."""
    return _ids.get() or {}
