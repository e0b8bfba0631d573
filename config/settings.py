"""Every setting of the server, read from variables that begin with `ASR_`."""

import difflib
import os
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import BeforeValidator, Field, Json, SecretStr, ValidationError, model_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from config.authentication import AuthenticationSettings, split
from config.protection import ProtectionSettings
from config.tracing import TracingSettings

_PREFIX = "ASR_"
_ROOT = Path(__file__).parent.parent
_MODELS = _ROOT / "models"
_EMBEDDED_MODEL = _MODELS / "hi-demo"
_PROFILE = _ROOT / "build" / "tuned.yaml"
_CACHE = _ROOT / "build" / "cache"

# By mistake they hold names of clients, keys or a password.
_PERSONAL = {"client_weights", "jwt_keys_url", "otlp_endpoint", "otlp_traces_endpoint"}
_SPLIT = BeforeValidator(split)


class Settings(AuthenticationSettings, ProtectionSettings, TracingSettings):
    """Twelve-factor settings; the defaults serve the embedded model on all usable processors."""

    model_config = SettingsConfigDict(env_prefix=_PREFIX, frozen=True, hide_input_in_errors=True, loc_by_alias=False)

    bind: str | None = Field(
        None,
        description="Where to listen: `ADDRESS:PORT`, `[IPV6]:PORT`, or `unix:PATH` for a Unix socket. Unset, "
        "`0.0.0.0:8000` where callers must be known or `ASR_AUTH=none` says that they need not, else `127.0.0.1:8000`.",
    )
    model: Path = Field(
        _EMBEDDED_MODEL, description="Directory of the default package, used where a request names none."
    )
    models: Path = Field(
        _MODELS,
        description="Directory of packages; each in it is served by its name, and loaded when it is first asked for.",
    )
    model_aliases: Annotated[tuple[str, ...], NoDecode, _SPLIT] = Field(
        ("whisper-1", "gpt-4o-transcribe", "gpt-4o-mini-transcribe", "gpt-transcribe"),
        description="Other names of the default package, by which clients of OpenAI's API ask for it.",
    )
    models_loaded: int = Field(4, ge=1, description="The most packages that a lane keeps loaded.")
    precision: Literal["auto", "fp32", "int8"] = Field(
        "auto",
        description="`fp32`, `int8`, or int8 where the package has a plan for this processor, else fp32 (`auto`).",
    )
    decoding: Literal["auto", "greedy", "beam"] = Field(
        "auto",
        description="`greedy`, `beam` search with the package's language model, or that where there is one (`auto`).",
    )

    workers: int | None = Field(None, ge=1, description="Gunicorn workers. Unset, they follow from the processors.")
    lanes: int | None = Field(
        None,
        ge=1,
        description="Lanes of one worker: processes, one clip at a time each. Unset, from processors and memory.",
    )
    threads: int | None = Field(None, ge=1, description="ONNX Runtime threads of one lane; 1 where unset.")
    spinning: bool | None = Field(None, description="Idle ONNX Runtime threads spin instead of sleeping.")
    profile: Path = Field(_PROFILE, description="What `python -m loadtest tune` found; fills in the four above.")
    cache: Path = Field(
        _CACHE,
        description="Directory for what is prepared for this machine, which all lanes map: graphs and language models.",
    )

    overlength: Literal["window", "clip", "reject"] = Field(
        "window",
        description="Long audio: hear all of it, in windows (`window`), `clip` it at the next setting, or `reject` it.",
    )
    clip_seconds: float = Field(
        10.0, ge=0.1, description="Seconds at which audio is clipped, or over which it is rejected."
    )
    window_seconds: float = Field(
        15.0,
        ge=5.0,
        description="Longest stretch that the model hears at once; longer recordings are cut in the silences.",
    )
    max_audio_seconds: float = Field(
        14_400.0, gt=0, description="Longest recording that is heard in windows; longer ones are refused (422)."
    )
    resampler: Literal["soxr", "resampy"] = Field(
        "soxr", description="`soxr`, or `resampy`, which must be installed beside."
    )
    detect_speech: bool = Field(
        default=True,
        description="Where nobody speaks there is no text; `false`: the model hears everything, and invents.",
    )
    max_upload_mb: float = Field(512.0, gt=0, description="Largest request body, in MiB.")
    max_inflight_mb: float = Field(
        512.0,
        gt=0,
        description="Bodies of all requests together in memory, in MiB; one client alone gets half of it.",
    )
    max_spool_mb: float = Field(
        4096.0, gt=0, description="Bodies of all requests together on the disk, in MiB; one client alone gets half."
    )
    spool: Path | None = Field(
        None,
        description="Directory for bodies over 1 MiB while they are needed. Unset, the system's for temporary files.",
    )
    max_connections: int = Field(
        1000,
        ge=1,
        description="Open connections. One more takes the place of the one that is idle longest, or is turned away "
        "where all have a request under way.",
    )
    head_seconds: float = Field(
        10.0,
        gt=0,
        description="Seconds for the head of a request to arrive, and for the first one of a connection to begin.",
    )
    body_seconds: float = Field(
        20.0,
        gt=0,
        description="Seconds that a client may be silent in a body, or slower than the next setting in all, or take "
        "nothing of its answer.",
    )
    body_bytes_per_second: float = Field(
        4000.0, gt=0, description="Least speed of a body that takes longer than that; slower ones are given up."
    )
    keepalive_seconds: int = Field(
        75,
        ge=1,
        description="Seconds of quiet after which a connection is closed; longer than the balancer's own.",
    )
    trusted_proxies: Annotated[tuple[IPv4Network | IPv6Network | Literal["unix"], ...], NoDecode, _SPLIT] = Field(
        (),
        description="Proxies whose `X-Forwarded-For` or `Forwarded` is believed, as addresses and networks: "
        "`10.0.0.0/8, fd00::/8`; `unix` for whoever connects to the Unix socket.",
    )

    max_queue_seconds: float = Field(
        10.0, gt=0, description="Longest predicted wait, in seconds; requests that would wait longer are refused (429)."
    )
    request_timeout: float = Field(
        30.0,
        gt=0,
        description="Seconds within which a request is answered, or fails (504); a recording has half its length more.",
    )
    client_weights: Annotated[Json[dict[IPv4Network | IPv6Network, Annotated[float, Field(gt=0)]]], NoDecode] = Field(
        {},
        validate_default=False,  # a default is no JSON
        description='Shares that are not 1, by address or network, as JSON: `{"10.1.0.0/16": 4, "10.0.0.7": 0.5}`.',
    )
    hang_seconds: float = Field(
        5.0, gt=0, description="A lane silent for so many seconds, and far longer than its clip should take, is killed."
    )
    lane_memory_mb: int = Field(
        2048,
        ge=16,
        description="MiB of its own, beside the weights that lanes share, at which a lane is started anew "
        "between two requests.",
    )
    grace_seconds: int = Field(30, ge=1, description="Seconds for running requests to finish after SIGTERM.")
    drain_seconds: float = Field(
        0.0,
        ge=0,
        description="Seconds before that in which `/readyz` is 503 already and requests are still served, so that "
        "balancers learn of it; more than two of their checks take.",
    )
    max_requests: int = Field(0, ge=0, description="Requests after which a worker is replaced; 0: never.")

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="Least severe level logged.")
    log_format: Literal["auto", "json", "text"] = Field("auto", description="`auto`: text on a terminal, else JSON.")
    access_log_sample: float = Field(
        1.0, ge=0, le=1, description="Share of served requests that have a log line; all others always have one."
    )

    @property
    def address(self) -> str:
        """Where to listen."""
        everywhere = self.authenticates or self.auth == "none"
        return self.bind or ("0.0.0.0:8000" if everywhere else "127.0.0.1:8000")

    @property
    def max_upload_bytes(self) -> int:
        """Largest request body, in bytes."""
        return int(self.max_upload_mb * 1024 * 1024)

    @property
    def max_inflight_bytes(self) -> int:
        """Bodies of all requests together in memory, in bytes."""
        return int(self.max_inflight_mb * 1024 * 1024)

    @property
    def max_spool_bytes(self) -> int:
        """Bodies of all requests together on the disk, in bytes."""
        return int(self.max_spool_mb * 1024 * 1024)

    @model_validator(mode="before")
    @classmethod
    def _read_files(cls, given: dict[str, Any]) -> dict[str, Any]:
        """Take secrets from the files that `ASR_…_FILE` names, as Docker and Kubernetes hand them over."""
        environment = {name.upper(): value for name, value in os.environ.items()}
        for name in secrets_in_files():
            variable = variable_of(name)
            if path := environment.get(f"{variable}_FILE"):
                key = Settings.model_fields[name].validation_alias or name
                if key in given:
                    raise ValueError(f"{variable} and {variable}_FILE are both set")
                try:
                    given[str(key)] = Path(path).read_text(encoding="utf-8").strip()
                except (OSError, UnicodeDecodeError) as error:
                    reason = error.strerror if isinstance(error, OSError) else "this is no text"
                    raise ValueError(f"{variable}_FILE={path}: {reason}") from None
        return given

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if self.management_bind and self.management_bind.rpartition(":")[2] == self.address.rpartition(":")[2]:
            raise ValueError("ASR_MANAGEMENT_BIND has the port of ASR_BIND: it needs one of its own")
        if self.max_spool_mb < self.max_upload_mb:
            raise ValueError("ASR_MAX_SPOOL_MB is less than ASR_MAX_UPLOAD_MB: a body of that size would never fit")
        if self.overlength == "window" and self.max_audio_seconds < self.window_seconds:
            raise ValueError(
                "ASR_MAX_AUDIO_SECONDS is less than ASR_WINDOW_SECONDS: set ASR_OVERLENGTH=reject and ASR_CLIP_SECONDS"
            )
        return self


class InvalidSettings(Exception):
    """The environment holds values that cannot be used; the message names every one and what is accepted."""


def read_settings() -> Settings:
    """Read the environment; raise InvalidSettings."""
    try:
        return Settings()
    except ValidationError as error:
        raise InvalidSettings("\n".join(dict.fromkeys(map(_sentence, error.errors())))) from None


def _sentence(error: Any) -> str:
    if not error["loc"]:  # several that do not fit together
        return str(error["ctx"]["error"])
    setting = str(error["loc"][0])
    value = "" if setting in {*secrets(), *_PERSONAL} else f"={error['input']}"
    return f"{variable_of(setting)}{value}: {error['msg']}"


def variable_of(setting: str) -> str:
    """Name the environment variable of a setting."""
    return str(Settings.model_fields[setting].validation_alias or f"{_PREFIX}{setting.upper()}")


def secrets() -> list[str]:
    """Name the settings whose values are shown nowhere."""
    return [name for name, field in Settings.model_fields.items() if SecretStr in get_args(field.annotation)]


def secrets_in_files() -> list[str]:
    """Name those that `ASR_…_FILE` may bring, unless that is a setting of its own."""
    return [name for name in secrets() if f"{name}_file" not in Settings.model_fields]


def forget_secrets() -> None:
    """Take the secret settings out of the environment, which every process inherits that is started from here on."""
    secret = set(map(variable_of, secrets()))
    for name in [name for name in os.environ if name.upper() in secret]:
        del os.environ[name]


def unknown_variables() -> list[str]:
    """Sentences about variables that look like settings and are none; a warning, since Kubernetes makes such too."""
    known = [variable_of(name) for name in Settings.model_fields]
    known += [f"{variable_of(name)}_FILE" for name in secrets_in_files()]
    unknown = sorted(name for name in os.environ if name.startswith(_PREFIX) and name not in known)
    return [f"{name} is not a setting{_suggestion(name, known)}" for name in unknown]


def _suggestion(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]}?" if close else ""
