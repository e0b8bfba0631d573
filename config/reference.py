"""The settings as Markdown, for docs/configuration.md."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic.fields import FieldInfo

from config.settings import Settings, secrets_in_files, variable_of

_ROOT = Path(__file__).parent.parent

_GROUPS: Mapping[str, Sequence[str]] = {
    "Listening": (
        "bind", "trusted_proxies", "keepalive_seconds", "max_connections", "head_seconds", "body_seconds",
        "body_bytes_per_second",
    ),
    "Callers": (
        "auth", "keys_file", "keys", "jwt_issuer", "jwt_audience", "jwt_keys_url", "jwt_key", "jwt_algorithms",
        "jwt_leeway_seconds", "jwt_scope_claim", "jwt_scopes", "jwt_weight_claim", "jwt_refresh_seconds",
        "jwt_pause_seconds", "jwt_oldest_seconds",
    ),
    "Models": ("model", "models", "model_aliases", "models_loaded", "precision", "decoding", "cache"),
    "Audio": ("overlength", "clip_seconds", "window_seconds", "max_audio_seconds", "resampler", "detect_speech"),
    "Bodies": ("max_upload_mb", "max_inflight_mb", "max_spool_mb", "spool"),
    "Load": ("max_queue_seconds", "request_timeout", "client_weights"),
    "Limits of callers": (
        "requests_per_minute", "audio_seconds_per_minute", "audio_seconds_per_day", "concurrent_requests",
        "limits_file", "redis_url", "limits_unreachable",
    ),
    "Seen from outside": ("metrics_access", "docs_access", "management_bind", "agent_bind", "cors_origins"),
    "Processes": (
        "workers", "lanes", "threads", "spinning", "profile", "lane_memory_mb", "hang_seconds", "grace_seconds",
        "drain_seconds", "max_requests",
    ),
    "Log": ("log_level", "log_format", "access_log_sample", "audit_log"),
    "Traces": (
        "otlp_endpoint", "otlp_traces_endpoint", "otlp_protocol", "otlp_traces_protocol", "otlp_headers",
        "otlp_traces_headers", "service_name", "traces_exporter", "sdk_disabled",
    ),
}  # fmt: skip

_COMPUTED = {"bind", "workers", "lanes", "threads", "spinning", "spool"}


def settings_reference() -> str:
    """Return a heading and a table for each group: variable, default, meaning; those in no group come last."""
    grouped = {name for names in _GROUPS.values() for name in names}
    rest = tuple(name for name in Settings.model_fields if name not in grouped)
    groups = {**_GROUPS, **({"Others": rest} if rest else {})}
    return "\n\n".join(f"### {heading}\n\n{_table(names)}" for heading, names in groups.items())


def _table(names: Sequence[str]) -> str:
    rows = [_row(name, Settings.model_fields[name]) for name in names]
    return "\n".join(("| variable | default | meaning |", "|---|---|---|", *rows))


def _row(name: str, field: FieldInfo) -> str:
    default = field.default
    if isinstance(default, Path):
        default = default.relative_to(_ROOT)
    elif isinstance(default, tuple) and default:
        default = ", ".join(default)
    unset = "computed" if name in _COMPUTED else "none"
    shown = unset if default in (None, (), "") else f"`{default}`"
    from_file = f" `{variable_of(name)}_FILE` names a file with it." if name in secrets_in_files() else ""
    return f"| `{variable_of(name)}` | {shown} | {field.description}{from_file} |"
