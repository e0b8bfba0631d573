"""Every setting of the server, read from variables that begin with `ASR_`."""

import difflib
import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, Json, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

_PREFIX = "ASR_"
_ROOT = Path(__file__).parent.parent
_MODELS = _ROOT / "models"
_EMBEDDED_MODEL = _MODELS / "hi-demo"
_PROFILE = _ROOT / "build" / "tuned.yaml"
_CACHE = _ROOT / "build" / "cache"


class Settings(BaseSettings):
    """Twelve-factor settings; the defaults serve the embedded model on all usable processors."""

    model_config = SettingsConfigDict(env_prefix=_PREFIX, frozen=True)

    bind: str = Field("0.0.0.0:8000", description="Address and port to listen on.")
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
    profile: Path = Field(_PROFILE, description="What `python -m tools.tune` found; fills in the four above.")
    cache: Path = Field(
        _CACHE,
        description="Directory for what is made once for this machine: graphs and language models, which lanes share.",
    )

    overlength: Literal["clip", "reject"] = Field("clip", description="Audio over the limit: `clip` or `reject`.")
    clip_seconds: float = Field(10.0, ge=0.1, description="The limit, in seconds of audio.")
    resampler: Literal["soxr", "resampy"] = Field("soxr", description="`resampy` must be installed beside.")
    max_upload_mb: float = Field(25.0, gt=0, description="Largest request body, in MiB.")

    max_queue_seconds: float = Field(10.0, gt=0, description="Longest predicted wait before requests are refused.")
    request_timeout: float = Field(30.0, gt=0, description="Seconds within which a request is answered.")
    client_weights: Annotated[Json[dict[str, Annotated[float, Field(gt=0)]]], NoDecode] = Field(
        {},
        validate_default=False,  # a default is no JSON
        description='Shares that are not 1, by client, as JSON: `{"Bearer KEY": 4, "10.0.0.7": 0.5}`.',
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


class InvalidSettings(Exception):
    """The environment holds values that cannot be used; the message names every one and what is accepted."""


def read_settings() -> Settings:
    """Read the environment; raise InvalidSettings."""
    try:
        return Settings()
    except ValidationError as error:
        wrong = [f"{_variable(row['loc'])}={row['input']}: {row['msg']}" for row in error.errors()]
        raise InvalidSettings("\n".join(wrong)) from error


def _variable(location: tuple[int | str, ...]) -> str:
    setting, *inside = location
    return f"{_PREFIX}{str(setting).upper()}" + "".join(f"[{key}]" for key in inside)


def settings_table() -> str:
    """Markdown rows of every variable, its default and its meaning; the README's table is this one."""
    rows = ["| variable | default | meaning |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = field.default.relative_to(_ROOT) if isinstance(field.default, Path) else field.default
        shown = "computed" if default is None else f"`{default}`"
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
