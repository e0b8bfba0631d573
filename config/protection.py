"""Settings of what callers may use, and of what is seen of the server from outside."""

from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings


class ProtectionSettings(BaseSettings):
    """Part of the settings."""

    requests_per_minute: int | None = Field(
        None, ge=1, description="Requests a minute of each caller; of this and the next three a key may have its own."
    )
    audio_seconds_per_minute: float | None = Field(None, gt=0, description="Seconds of audio a minute of each caller.")
    audio_seconds_per_day: float | None = Field(None, gt=0, description="Seconds of audio a day of each caller.")
    concurrent_requests: int | None = Field(None, ge=1, description="Requests of each caller at the same time.")
    redis_url: SecretStr | None = Field(
        None,
        description="Where the limits of callers are counted for several machines: `redis://:PASSWORD@HOST:PORT/0`, "
        "`rediss://…` with TLS. Unset, each machine counts for itself.",
    )
    limits_unreachable: Literal["allow", "refuse"] = Field(
        "allow",
        description="What happens while limits cannot be counted: callers that have some are let in (`allow`), or "
        "refused with 503 (`refuse`).",
    )
