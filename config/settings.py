"""Every setting of the server, read from variables that begin with `ASR_`."""

import difflib
import os
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, Json, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

_PREFIX = "ASR_"
_ROOT = Path(__file__).parent.parent
_MODELS = _ROOT / "models"
_EMBEDDED_MODEL = _MODELS / "hi-demo"
_PROFILE = _ROOT / "build" / "tuned.yaml"
_CACHE = _ROOT / "build" / "cache"

_SECRET = {"client_weights"}  # whose keys may be names of clients, or were API keys once


def _split(value: Any) -> Any:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


_SPLIT = BeforeValidator(_split)


class Settings(BaseSettings):
    """Twelve-factor settings; the defaults serve the embedded model on all usable processors."""

    model_config = SettingsConfigDict(env_prefix=_PREFIX, frozen=True)

    bind: str = Field(
        "0.0.0.0:8000", description="Where to listen: `ADDRESS:PORT`, `[IPV6]:PORT`, or `unix:PATH` for a Unix socket."
    )
    model: Path = Field(_EMBEDDED_MODEL, description="Directory of the package that is used where none is asked for.")
    models: Path = Field(
        _MODELS, description="Directory of packages; each in it is served too, by its name, and loaded when asked for."
    )
    models_loaded: int = Field(4, ge=1, description="The most packages that a lane keeps loaded.")
    precision: Literal["auto", "fp32", "int8"] = Field(
        "auto", description="`fp32`, `int8`, or int8 where the package's plan passed its gate and it is faster here."
    )
    decoding: Literal["auto", "greedy", "beam"] = Field(
        "auto", description="`greedy`, `beam` search with the package's language model, or that where there is one."
    )

    workers: int | None = Field(None, ge=1, description="Gunicorn workers. From the processors where unset.")
    lanes: int | None = Field(None, ge=1, description="Pool processes of one worker. Likewise.")
    threads: int | None = Field(None, ge=1, description="ONNX Runtime threads of one lane.")
    spinning: bool | None = Field(None, description="Idle ONNX Runtime threads spin instead of sleeping.")
    profile: Path = Field(_PROFILE, description="What `python -m loadtest tune` found; fills in the four above.")
    cache: Path = Field(
        _CACHE,
        description="Directory for what is made once for this machine: graphs and language models, which lanes share.",
    )

    overlength: Literal["clip", "reject"] = Field("clip", description="Audio over the limit: `clip` or `reject`.")
    clip_seconds: float = Field(10.0, ge=0.1, description="The limit, in seconds of audio.")
    resampler: Literal["soxr", "resampy"] = Field("soxr", description="`resampy` must be installed beside.")
    max_upload_mb: float = Field(25.0, gt=0, description="Largest request body, in MiB.")
    max_inflight_mb: float = Field(
        512.0, gt=0, description="Bodies of all requests together, in MiB; one client alone gets half of it."
    )
    spool: Path | None = Field(
        None, description="Directory for bodies over 1 MiB while they are needed. The system's for temporary files."
    )
    max_connections: int = Field(1000, ge=1, description="Open connections; those beyond are turned away.")
    head_seconds: float = Field(10.0, gt=0, description="Time for the head of a request to arrive.")
    body_seconds: float = Field(20.0, gt=0, description="Time for a body to arrive; a long one has more, by its speed.")
    body_bytes_per_second: float = Field(
        1000.0, gt=0, description="Least speed of a body that takes longer than that; slower ones are given up."
    )
    keepalive_seconds: int = Field(
        75, ge=1, description="Quiet time after which a connection is closed; more than the balancer's before it."
    )
    trusted_proxies: Annotated[tuple[IPv4Network | IPv6Network | Literal["unix"], ...], NoDecode, _SPLIT] = Field(
        (),
        description="Proxies whose `X-Forwarded-For` or `Forwarded` is believed, as addresses and networks: "
        "`10.0.0.0/8, fd00::/8`; `unix` for whoever connects to the Unix socket.",
    )

    max_queue_seconds: float = Field(10.0, gt=0, description="Longest predicted wait before requests are refused.")
    request_timeout: float = Field(30.0, gt=0, description="Seconds within which a request is answered.")
    client_weights: Annotated[Json[dict[IPv4Network | IPv6Network, Annotated[float, Field(gt=0)]]], NoDecode] = Field(
        {},
        validate_default=False,  # a default is no JSON
        description='Shares that are not 1, by address or network, as JSON: `{"10.1.0.0/16": 4, "10.0.0.7": 0.5}`.',
    )
    hang_seconds: float = Field(5.0, gt=0, description="A lane silent for longer than a clip can take is killed.")
    lane_memory_mb: int = Field(2048, ge=64, description="Resident MiB at which a lane is recycled between requests.")
    grace_seconds: int = Field(30, ge=1, description="Time for running requests to finish after SIGTERM.")
    max_requests: int = Field(0, ge=0, description="Requests after which a worker is recycled; 0: never.")

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="Least severe level logged.")
    log_format: Literal["auto", "json", "text"] = Field("auto", description="`auto`: text on a terminal, else JSON.")

    @property
    def max_upload_bytes(self) -> int:
        """Largest request body, in bytes."""
        return int(self.max_upload_mb * 1024 * 1024)

    @property
    def max_inflight_bytes(self) -> int:
        """Bodies of all requests together, in bytes."""
        return int(self.max_inflight_mb * 1024 * 1024)


class InvalidSettings(Exception):
    """The environment holds values that cannot be used; the message names every one and what is accepted."""


def read_settings() -> Settings:
    """Read the environment; raise InvalidSettings."""
    try:
        return Settings()
    except ValidationError as error:
        raise InvalidSettings("\n".join(dict.fromkeys(map(_sentence, error.errors())))) from None


def _sentence(error: Any) -> str:
    setting = str(error["loc"][0])
    value = "" if setting in _SECRET else f"={error['input']}"
    return f"{_PREFIX}{setting.upper()}{value}: {error['msg']}"


def settings_table() -> str:
    """Markdown rows of every variable, its default and its meaning; the README's table is this one."""
    rows = ["| variable | default | meaning |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = field.default.relative_to(_ROOT) if isinstance(field.default, Path) else field.default
        shown = "computed" if default is None else "none" if default == () else f"`{default}`"
        rows.append(f"| `{_PREFIX}{name.upper()}` | {shown} | {field.description} |")
    return "\n".join(rows)


def unknown_variables() -> list[str]:
    """Sentences about variables that look like settings and are none; a warning, since Kubernetes makes such too."""
    known = [f"{_PREFIX}{name.upper()}" for name in Settings.model_fields]
    unknown = sorted(name for name in os.environ if name.startswith(_PREFIX) and name not in known)
    return [f"{name} is not a setting{_suggestion(name, known)}" for name in unknown]


def _suggestion(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]}?" if close else ""
