"""Limits as policies of windows, and how they are told to clients.

The fields are those of draft-ietf-httpapi-ratelimit-headers-10, with a unit of our own for audio.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from limits import RateLimitItem, RateLimitItemPerDay, RateLimitItemPerMinute

from server.principal import Limits

_MILLISECONDS = 1000  # in a second: `limits` counts in whole numbers
_NAMESPACE = "limit"


@dataclass(frozen=True, slots=True)
class Policy:
    """One limit."""

    name: str
    meaning: str
    """For whoever reads a refusal."""
    quota: float
    """How much there is in `unit`."""
    unit: str
    item: RateLimitItem | None = None
    """What counts it in a window of time; None for what is limited at any time."""
    scale: int = 1
    """How much is counted for one unit."""

    @property
    def counted_by(self) -> RateLimitItem:
        """The same, where there is one."""
        assert self.item  # noqa: S101 - asked of what has a window
        return self.item

    @property
    def window(self) -> int:
        """Seconds."""
        return self.item.get_expiry() if self.item else 0


@dataclass(frozen=True, slots=True)
class Standing:
    """How much of a policy is left."""

    policy: Policy
    left: float
    """In its unit."""
    more_in: float
    """Seconds until there is more; infinite where there cannot be, or nobody knows."""


def policies_of(limits: Limits, *, stream: bool = False) -> tuple[Policy, ...]:
    """Return the limits that stand, as policies; `stream` for those of a stream, which has a limit of its own."""
    kind = "streams" if stream else "requests"
    windowed = [
        Policy(name, meaning, quota, unit, item(int(quota * scale), 1, _NAMESPACE), scale)
        for limit, name, meaning, unit, item, scale in _WINDOWED
        if (quota := getattr(limits, limit))
    ]
    if concurrent := getattr(limits, f"concurrent_{kind}"):
        at_once = Policy(f"concurrent-{kind}", f"{kind} at the same time", concurrent, f"concurrent-{kind}")
        return (*windowed, at_once)
    return tuple(windowed)


_WINDOWED = (
    ("requests_per_minute", "requests", "requests a minute", "requests", RateLimitItemPerMinute, 1),
    (
        "audio_seconds_per_minute",
        "audio-minute",
        "seconds of audio a minute",
        "audio-seconds",
        RateLimitItemPerMinute,
        _MILLISECONDS,
    ),
    (
        "audio_seconds_per_day",
        "audio-day",
        "seconds of audio a day",
        "audio-seconds",
        RateLimitItemPerDay,
        _MILLISECONDS,
    ),
)


def fields(standings: Iterable[Standing]) -> Mapping[str, str]:
    """Return the header fields `RateLimit-Policy` and `RateLimit`; none where nothing is limited."""
    policies, service = [], []
    for each in standings:
        name, unit, window = each.policy.name, each.policy.unit, each.policy.window
        said_unit = "" if unit == "requests" else f';qu="{unit}"'  # which is the default
        policies.append(f'"{name}";q={int(each.policy.quota)}{said_unit}' + (f";w={window}" if window else ""))
        more = f";t={math.ceil(each.more_in)}" if each.more_in < math.inf else ""
        service.append(f'"{name}";r={max(0, int(each.left))}{more}')
    return {"RateLimit-Policy": ", ".join(policies), "RateLimit": ", ".join(service)} if policies else {}
