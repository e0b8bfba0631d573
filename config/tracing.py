"""Settings of traces, by the names that OpenTelemetry has for them; what is not here its SDK reads itself."""

from importlib.util import find_spec
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings

_GRPC = "opentelemetry-exporter-otlp-proto-grpc"


def _a_url(url: str | None) -> str | None:
    if url and not url.startswith(("http://", "https://")):
        raise ValueError("must begin with http:// or https://")
    return url


def _default(default: str | None) -> BeforeValidator:
    """OpenTelemetry takes an empty variable for one that is not set."""
    return BeforeValidator(lambda value: value or default)


def _is_true(value: Any) -> bool:
    return str(value).strip().lower() == "true"  # whatever else stands there is false: so it is specified


_Url = Annotated[str | None, AfterValidator(_a_url)]


class TracingSettings(BaseSettings):
    """Part of the settings; nothing is recorded until there is an endpoint."""

    otlp_endpoint: _Url = Field(
        None,
        validation_alias="OTEL_EXPORTER_OTLP_ENDPOINT",
        description="Where traces go: `http://collector:4318`, or port 4317 by gRPC. Unset, there are none.",
    )
    otlp_traces_endpoint: _Url = Field(
        None,
        validation_alias="OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
        description="The same, for traces alone; by HTTP with the path, `/v1/traces`.",
    )
    otlp_protocol: Annotated[Literal["http/protobuf", "grpc"], _default("http/protobuf")] = Field(
        "http/protobuf",
        validation_alias="OTEL_EXPORTER_OTLP_PROTOCOL",
        description=f"`http/protobuf`, or `grpc`, for which the package `{_GRPC}` must be installed beside.",
    )
    otlp_traces_protocol: Annotated[Literal["http/protobuf", "grpc"] | None, _default(None)] = Field(
        None, validation_alias="OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", description="The same, for traces alone."
    )
    otlp_headers: SecretStr | None = Field(
        None,
        validation_alias="OTEL_EXPORTER_OTLP_HEADERS",
        description="Headers that the receiver asks for, keys in them: `name=value,name=value`, percent-encoded.",
    )
    otlp_traces_headers: SecretStr | None = Field(
        None,
        validation_alias="OTEL_EXPORTER_OTLP_TRACES_HEADERS",
        description="The same, for traces alone: in place of the others.",
    )
    service_name: Annotated[str, _default("hindi-asr")] = Field(
        "hindi-asr", validation_alias="OTEL_SERVICE_NAME", description="Name of the service in traces."
    )
    traces_exporter: Annotated[Literal["otlp", "none"], _default("otlp")] = Field(
        "otlp", validation_alias="OTEL_TRACES_EXPORTER", description="`none`: no traces, whatever the endpoint."
    )
    sdk_disabled: Annotated[bool, BeforeValidator(_is_true)] = Field(
        default=False, validation_alias="OTEL_SDK_DISABLED", description="`true`: no traces either."
    )

    @property
    def traced(self) -> bool:
        """Whether spans are made and sent."""
        named = self.otlp_traces_endpoint or self.otlp_endpoint
        return bool(named) and self.traces_exporter == "otlp" and not self.sdk_disabled

    @property
    def trace_protocol(self) -> Literal["http/protobuf", "grpc"]:
        """By which spans are sent."""
        return self.otlp_traces_protocol or self.otlp_protocol

    @property
    def trace_headers(self) -> str:
        """Headers that go with them, as the variables have them."""
        headers = self.otlp_traces_headers or self.otlp_headers
        return headers.get_secret_value() if headers else ""

    @model_validator(mode="after")
    def _have_an_exporter(self) -> Self:
        by_grpc = self.traced and self.trace_protocol == "grpc"
        if by_grpc and not _is_installed("opentelemetry.exporter.otlp.proto.grpc"):
            raise ValueError(f"traces by grpc: the package {_GRPC} is not installed")
        return self


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # of a package that it would be in
        return False
