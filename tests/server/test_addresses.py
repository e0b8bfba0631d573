"""Where the metrics and the agent of HAProxy are served."""

import pytest

from config.settings import InvalidSettings, read_settings, variable_of


@pytest.mark.parametrize(
    ("name", "text", "taken"),
    [
        ("management_bind", "127.0.0.1:9090", True),
        ("management_bind", "[::1]:65535", True),
        ("management_bind", "unix:/run/metrics.sock", True),
        ("management_bind", "unix:", False),
        ("management_bind", "127.0.0.1", False),
        ("management_bind", "9090", False),
        ("management_bind", "127.0.0.1:99999", False),
        ("agent_bind", "0.0.0.0:8001", True),
        ("agent_bind", "unix:/run/agent.sock", False),
        ("agent_bind", "0.0.0.0:0", False),
        ("agent_bind", "0.0.0.0:८००१", False),
        ("agent_bind", ":8001", False),
    ],
)
def test_an_address_has_a_port_that_there_is(monkeypatch, name, text, taken):
    monkeypatch.setenv(variable_of(name), text)
    if taken:
        assert getattr(read_settings(), name) == text
    else:
        with pytest.raises(InvalidSettings, match=f"{variable_of(name)}.*is no ADDRESS:PORT"):
            read_settings()
