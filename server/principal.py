"""Who calls: what they may do, how much of it, and what share of the machine is theirs."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal


class Scope(StrEnum):
    """What a caller may do; none implies another."""

    TRANSCRIBE = "transcribe"
    LISTEN = "listen"
    JOBS = "jobs"
    METRICS = "metrics"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a caller may do; None is no limit. Raises ValueError for one that is not over 0."""

    __pydantic_config__ = {"extra": "forbid"}  # a limit whose name is misspelt would be none  # noqa: RUF012

    requests_per_minute: int | None = None
    audio_seconds_per_minute: float | None = None
    audio_seconds_per_day: float | None = None
    concurrent_requests: int | None = None
    concurrent_streams: int | None = None

    def __post_init__(self) -> None:
        wrong = [name for name in self.__slots__ if not (getattr(self, name) is None or getattr(self, name) > 0)]
        if wrong:
            raise ValueError(f"{wrong[0]} must be over 0")


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller, made once for each request before any of its body is read."""

    id: str
    """What shares and limits are kept by."""
    name: str
    """What logs call it."""
    weight: float = 1.0
    """Its share of the machine, relative to others'."""
    scopes: frozenset[Scope] = frozenset()
    """What it may do."""
    limits: Limits = Limits()
    """How much it may do."""
    kind: Literal["address", "key", "token"] = "address"
    """What it is known by."""
