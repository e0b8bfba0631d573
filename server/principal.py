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
    """How much a caller may do; None is no limit."""

    requests_per_minute: int | None = None
    audio_seconds_per_minute: float | None = None
    audio_seconds_per_day: float | None = None
    concurrent_requests: int | None = None
    concurrent_streams: int | None = None


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
