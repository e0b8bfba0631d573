"""Settings of what callers may use, and of what is seen of the server from outside."""

import re
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_settings import BaseSettings, NoDecode

from config.authentication import split

_LIMITS_FILE = Path(__file__).parent.parent / "build" / "limits.sqlite"
_ORIGIN = re.compile(r"\*|https?://[^/\s*]+")


def _origin(text: str) -> str:
    if not _ORIGIN.fullmatch(text):
        raise ValueError(f"{text} is no origin, such as https://example.org")
    return text


def _port(text: str | None) -> str | None:
    if text:
        host, _, port = text.rpartition(":")
        if not (host and port.isascii() and port.isdecimal() and 0 < int(port) < 2**16):
            raise ValueError(f"{text} is no ADDRESS:PORT, such as 127.0.0.1:9090")
    return text


def _port_or_socket(text: str | None) -> str | None:
    return text if text and text.startswith("unix:") and text != "unix:" else _port(text)


def _a_redis(url: SecretStr | None) -> SecretStr | None:
    """Look now: what would be said of it later on tells a part of a password that has a `/` or `@` in it."""
    if url:
        try:
            parts = urlsplit(url.get_secret_value())
            is_one = parts.scheme in ("redis", "rediss") and parts.hostname and parts.port
        except ValueError:
            is_one = False
        if not is_one or parts.netloc.count("@") > 1:
            raise ValueError("it is no redis://:PASSWORD@HOST:PORT/0; in a password, `/` is written as %2F, `@` as %40")
    return url


class ProtectionSettings(BaseSettings):
    """Part of the settings."""

    requests_per_minute: int | None = Field(
        None, ge=1, description="Requests a minute of each caller; of this and the next three a key may have its own."
    )
    audio_seconds_per_minute: float | None = Field(None, gt=0, description="Seconds of audio a minute of each caller.")
    audio_seconds_per_day: float | None = Field(None, gt=0, description="Seconds of audio a day of each caller.")
    concurrent_requests: int | None = Field(None, ge=1, description="Requests of each caller at the same time.")
    limits_file: Path = Field(
        _LIMITS_FILE,
        description="File on a disk of this machine in which all workers count what callers use, so that a day's audio "
        "outlives restarts. Where its directory cannot be written, counts end with the server.",
    )
    redis_url: Annotated[SecretStr | None, AfterValidator(_a_redis)] = Field(
        None,
        description="Where the limits of callers are counted for several machines: `redis://:PASSWORD@HOST:PORT/0`, "
        "`rediss://…` with TLS. Unset, each machine counts for itself.",
    )
    limits_unreachable: Literal["allow", "refuse"] = Field(
        "allow",
        description="What happens while limits cannot be counted: callers that have some are let in (`allow`), or "
        "refused with 503 (`refuse`).",
    )

    metrics_access: Literal["scope", "open", "closed"] = Field(
        "scope",
        description="Who gets `/metrics`: where callers must be known those whose key has the scope `metrics` "
        "(`scope`), everybody (`open`), or nobody (`closed`).",
    )
    docs_access: Literal["open", "scope", "closed"] = Field(
        "open",
        description="Who gets `/docs` and `/openapi.json`: everybody (`open`), keys with the scope `admin` (`scope`), "
        "or nobody (`closed`).",
    )
    management_bind: Annotated[str | None, AfterValidator(_port_or_socket)] = Field(
        None,
        description="Where `/metrics`, `/docs` and `/openapi.json` are served instead of at `ASR_BIND`, without a key: "
        "`ADDRESS:PORT`, or `unix:PATH`.",
    )
    agent_bind: Annotated[str | None, AfterValidator(_port)] = Field(
        None,
        description="Where HAProxy's `agent-check` is told the weight, which falls as the wait grows: `ADDRESS:PORT`.",
    )
    cors_origins: Annotated[tuple[Annotated[str, AfterValidator(_origin)], ...], NoDecode, BeforeValidator(split)] = (
        Field(
            (),
            description="Origins whose pages may call the server from a browser: "
            "`https://example.org, http://localhost:3000`, or `*`.",
        )
    )
    audit_log: str | None = Field(
        None, description="Where a JSON line tells of each request: the path of a file, `stdout` or `stderr`."
    )
