"""Settings come from the environment; a wrong one is named in plain words."""

import os
import subprocess
import sys
import traceback
from ipaddress import ip_network
from typing import get_args

import pytest
from pydantic import ValidationError

from config.authentication import AuthenticationSettings
from config.settings import (
    InvalidSettings,
    Settings,
    forget_secrets,
    read_settings,
    secrets_in_files,
    unknown_variables,
    variable_of,
)
from server.principal import Scope

PROXIES = ip_network("10.0.0.7"), ip_network("fd00::/8")


def test_defaults_are_valid():
    settings = Settings()
    assert settings.model.name == "hi-demo"
    assert settings.max_upload_bytes == 512 * 2**20


@pytest.mark.parametrize(
    ("variable", "value", "name", "expected"),
    [
        ("ASR_BIND", "127.0.0.1:9000", "bind", "127.0.0.1:9000"),
        ("ASR_LANES", "3", "lanes", 3),
        ("ASR_CLIP_SECONDS", "12.5", "clip_seconds", 12.5),
        ("ASR_OVERLENGTH", "reject", "overlength", "reject"),
        ("asr_threads", "2", "threads", 2),
        ("ASR_CLIENT_WEIGHTS", '{"10.0.0.0/8": 4}', "client_weights", {ip_network("10.0.0.0/8"): 4.0}),
        ("ASR_TRUSTED_PROXIES", "10.0.0.7, fd00::/8,unix", "trusted_proxies", (*PROXIES, "unix")),
        ("ASR_TRUSTED_PROXIES", "", "trusted_proxies", ()),
    ],
)
def test_the_environment_is_read(monkeypatch, variable, value, name, expected):
    monkeypatch.setenv(variable, value)
    assert getattr(Settings(), name) == expected


@pytest.mark.parametrize(
    ("variable", "value", "hint"),
    [
        ("ASR_JWT_KEYS_URL", "http://issuer.example/keys", "https://"),
        ("ASR_JWT_KEYS_URL", "file:///etc/keys", "https://"),
        ("ASR_JWT_KEYS_URL", "https://me:s3cret@issuer.example/keys", "must not hold a password"),
        ("ASR_JWT_ALGORITHMS", "RS256,HS256", "'RS256'"),
        ("ASR_JWT_ALGORITHMS", "none", "'RS256'"),
        ("ASR_JWT_ALGORITHMS", "", "at least 1"),
        ("ASR_JWT_SCOPES", '{"a": "everything"}', "'transcribe'"),
        ("ASR_AUTH", "off", "'auto', 'none' or 'required'"),
    ],
)
def test_what_would_open_the_door_is_refused(monkeypatch, variable, value, hint):
    monkeypatch.setenv(variable, value)
    with pytest.raises(InvalidSettings, match=hint) as caught:
        read_settings()
    assert "s3cret" not in str(caught.value)


def test_secrets_come_from_files_too(monkeypatch, tmp_path):
    for name in secrets_in_files():
        (tmp_path / name).write_text(" redis://s3cret:1\n", encoding="utf-8")  # one of them is an address
        monkeypatch.setenv(f"{variable_of(name)}_FILE", str(tmp_path / name))
    monkeypatch.setenv("ASR_JWT_ISSUER", "https://issuer.example")
    monkeypatch.setenv("ASR_JWT_AUDIENCE", "speech")
    settings = read_settings()
    assert {getattr(settings, name).get_secret_value() for name in secrets_in_files()} == {"redis://s3cret:1"}
    assert "s3cret" not in repr(settings)
    assert not unknown_variables()


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ({}, "127.0.0.1:8000"),
        ({"ASR_AUTH": "none"}, "0.0.0.0:8000"),
        ({"ASR_AUTH": "required"}, "0.0.0.0:8000"),
        ({"ASR_KEYS": "{}"}, "0.0.0.0:8000"),
        ({"ASR_KEYS_FILE": __file__}, "0.0.0.0:8000"),
        ({"ASR_BIND": "[::1]:9000", "ASR_AUTH": "none"}, "[::1]:9000"),
    ],
)
def test_others_can_reach_it_when_callers_are_known_or_need_not_be(monkeypatch, given, address):
    for variable, value in ({"ASR_KEYS_FILE": "/nowhere/keys.json"} | given).items():
        monkeypatch.setenv(variable, value)
    assert Settings().address == address


def test_settings_know_the_scopes_that_there_are():
    names = get_args(get_args(AuthenticationSettings.model_fields["jwt_scopes"].annotation)[1])
    assert set(names) == set(Scope)


def test_settings_are_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        Settings().lanes = 2


@pytest.mark.parametrize(
    ("variable", "value", "hint"),
    [
        ("ASR_LANES", "0", "greater than or equal to 1"),
        ("ASR_LANES", "many", "integer"),
        ("ASR_OVERLENGTH", "cut", "'window', 'clip' or 'reject'"),
        ("ASR_MAX_UPLOAD_MB", "-1", "greater than 0"),
        ("ASR_LOG_LEVEL", "LOUD", "'DEBUG', 'INFO', 'WARNING' or 'ERROR'"),
    ],
)
def test_a_wrong_value_is_refused_with_what_is_accepted(monkeypatch, variable, value, hint):
    monkeypatch.setenv(variable, value)
    with pytest.raises(ValidationError) as caught:
        Settings()
    assert variable.removeprefix("ASR_").lower() in str(caught.value)
    assert hint in str(caught.value)


def test_every_wrong_value_is_named_at_once(monkeypatch):
    monkeypatch.setenv("ASR_LANES", "0")
    monkeypatch.setenv("ASR_PRECISION", "fp8")
    with pytest.raises(InvalidSettings) as caught:
        read_settings()
    assert str(caught.value).splitlines() == [
        "ASR_PRECISION=fp8: Input should be 'auto', 'fp32' or 'int8'",
        "ASR_LANES=0: Input should be greater than or equal to 1",
    ]


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"ASR_MAX_UPLOAD_MB": "8192"}, "ASR_MAX_SPOOL_MB is less than ASR_MAX_UPLOAD_MB"),
        ({"ASR_JWT_AUDIENCE": "speech"}, "ASR_JWT_ISSUER is missing"),
        ({"ASR_JWT_KEYS_URL": "https://issuer.example/keys"}, "ASR_JWT_ISSUER is missing"),
        ({"ASR_JWT_ISSUER": "https://issuer.example", "ASR_JWT_KEY": "a"}, "ASR_JWT_AUDIENCE is missing"),
        ({"ASR_JWT_ISSUER": "https://issuer.example", "ASR_JWT_AUDIENCE": "speech"}, "to check tokens with"),
        ({"ASR_JWT_KEY": "a", "ASR_JWT_KEY_FILE": "b"}, "ASR_JWT_KEY and ASR_JWT_KEY_FILE are both set"),
        ({"ASR_JWT_KEY_FILE": "/nowhere/key"}, "ASR_JWT_KEY_FILE=/nowhere/key: No such file"),
        ({"ASR_OVERLENGTH": "window", "ASR_MAX_AUDIO_SECONDS": "10"}, "ASR_MAX_AUDIO_SECONDS is less than"),
    ],
)
def test_settings_that_do_not_fit_together_are_named(monkeypatch, given, named):
    for variable, value in given.items():
        monkeypatch.setenv(variable, value)
    with pytest.raises(InvalidSettings, match=named) as caught:
        read_settings()
    assert "Value error" not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        ("{secret", "Invalid JSON"),
        ('{"10.0.0.1": 0}', "greater than 0"),
        ('{"10.0.0.1": "secret"}', "a valid number"),
        ('{"Bearer secret": 4}', "not a valid IPv4 network"),
        ('["secret"]', "a valid dictionary"),
    ],
)
def test_wrong_weights_are_named_without_what_stands_in_them(monkeypatch, value, hint):
    monkeypatch.setenv("ASR_CLIENT_WEIGHTS", value)
    with pytest.raises(InvalidSettings, match=hint) as caught:
        read_settings()
    lines = str(caught.value).splitlines()
    assert all(line.startswith("ASR_CLIENT_WEIGHTS: ") for line in lines)
    assert "secret" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    ("variable", "value", "hint"),
    [
        ("ASR_CORS_ORIGINS", "example.org", "is no origin"),
        ("ASR_CORS_ORIGINS", "https://example.org/path", "is no origin"),
        ("ASR_MANAGEMENT_BIND", "0.0.0.0:8000", "has the port of ASR_BIND"),
        ("ASR_MANAGEMENT_BIND", "9090", "no ADDRESS:PORT"),
        *(
            ("ASR_REDIS_URL", url, r"^ASR_REDIS_URL: Value error, it is no redis://:PASSWORD@HOST:PORT/0[^\n]*$")
            for url in ("host:6379", "redis://host", "redis://:a/b@host:1", "redis://:a@b@host:1", "redis://[host:1")
        ),
    ],
)
def test_what_is_seen_from_outside(monkeypatch, variable, value, hint):
    monkeypatch.setenv(variable, value)
    with pytest.raises(InvalidSettings, match=hint):
        read_settings()


def test_an_unknown_variable_gets_a_suggestion(monkeypatch):
    monkeypatch.setenv("ASR_MAX_UPLOAD", "1")
    assert "ASR_MAX_UPLOAD is not a setting; did you mean ASR_MAX_UPLOAD_MB?" in unknown_variables()


def test_an_unknown_variable_like_no_other_gets_none(monkeypatch):
    monkeypatch.setenv("ASR_XYZZY_PLUGH_QUUX", "1")
    assert "ASR_XYZZY_PLUGH_QUUX is not a setting" in unknown_variables()


def test_other_peoples_variables_are_theirs(monkeypatch):
    monkeypatch.setenv("ASRAEL", "1")
    assert not any("ASRAEL" in sentence for sentence in unknown_variables())


def test_python_m_config_prints_every_setting():
    table = subprocess.run([sys.executable, "-m", "config"], capture_output=True, text=True, check=True).stdout
    for name in Settings.model_fields:
        assert f"| `{variable_of(name)}` |" in table


def test_traces_have_opentelemetrys_own_variables(monkeypatch, tmp_path):
    assert not Settings().traced
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318")
    for variable in ("OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_SERVICE_NAME", "OTEL_SDK_DISABLED", "OTEL_TRACES_EXPORTER"):
        monkeypatch.setenv(variable, "")  # as good as unset
    (tmp_path / "headers").write_text("api-key=sesame\n")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS_FILE", str(tmp_path / "headers"))
    settings = read_settings()
    assert settings.traced
    assert (settings.otlp_protocol, settings.service_name) == ("http/protobuf", "hindi-asr")
    assert settings.otlp_headers.get_secret_value() == "api-key=sesame"
    assert "sesame" not in repr(settings)


def test_what_is_for_traces_alone_comes_first_and_is_as_secret(monkeypatch):
    for prefix, protocol, key in (("", "http/protobuf", "others"), ("TRACES_", "grpc", "sesame")):
        monkeypatch.setenv(f"OTEL_EXPORTER_OTLP_{prefix}PROTOCOL", protocol)
        monkeypatch.setenv(f"OTEL_EXPORTER_OTLP_{prefix}HEADERS", f"api-key={key}")
    settings = read_settings()
    assert (settings.trace_protocol, settings.trace_headers) == ("grpc", "api-key=sesame")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "")
    settings = read_settings()
    assert (settings.trace_protocol, settings.trace_headers) == ("http/protobuf", "api-key=others")
    forget_secrets()
    assert [name for name in os.environ if name.startswith("OTEL_") and name.endswith("HEADERS")] == []


@pytest.mark.parametrize(("variable", "value"), [("OTEL_SDK_DISABLED", "true"), ("OTEL_TRACES_EXPORTER", "none")])
def test_they_switch_them_off_too(monkeypatch, variable, value):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://collector:4318/v1/traces")
    assert read_settings().traced
    monkeypatch.setenv(variable, value)
    assert not read_settings().traced


@pytest.mark.parametrize(
    ("variable", "value", "hint"),
    [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "name:secret@collector", "^OTEL_EXPORTER_OTLP_ENDPOINT: .*must begin with"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json", "^OTEL_EXPORTER_OTLP_PROTOCOL=http/json: "),
        ("OTEL_TRACES_EXPORTER", "jaeger", "^OTEL_TRACES_EXPORTER=jaeger: "),
        ("OTEL_EXPORTER_OTLP_HEADERS_FILE", "/nowhere", "^OTEL_EXPORTER_OTLP_HEADERS_FILE=/nowhere: No such file"),
    ],
)
def test_what_traces_cannot_do_with(monkeypatch, variable, value, hint):
    monkeypatch.setenv(variable, value)
    with pytest.raises(InvalidSettings, match=hint):
        read_settings()


def test_grpc_without_its_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.grpc", None)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4317")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    with pytest.raises(InvalidSettings, match="the package opentelemetry-exporter-otlp-proto-grpc is not installed"):
        read_settings()
