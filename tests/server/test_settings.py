"""Settings come from the environment; a wrong one is named in plain words."""

import subprocess
import sys
import traceback
from ipaddress import ip_network

import pytest
from pydantic import ValidationError

from config.settings import InvalidSettings, Settings, read_settings, unknown_variables

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
        assert f"ASR_{name.upper()}" in table
