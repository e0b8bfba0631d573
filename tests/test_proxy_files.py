"""The files in deploy/ for proxies, and the Ingress of docs/kubernetes.md: times and sizes fit the defaults."""

import re
from pathlib import Path

import yaml

from config.settings import Settings

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
HAPROXY, NGINX, ENVOY = (
    (DEPLOY / name).read_text(encoding="utf-8")
    for name in ("haproxy/haproxy.cfg", "nginx/nginx.conf", "envoy/envoy.yaml")
)
UNITS = {"s": 1, "m": 60}
DEFAULT = {name: field.default for name, field in Settings.model_fields.items()}
LONGEST_ANSWER = DEFAULT["request_timeout"] + DEFAULT["max_audio_seconds"] / 2


def seconds(text, name):
    """Of all lines that set it."""
    found = re.findall(rf"\b{name}[: ]+(\d+)([sm])\b", text)
    assert found, name
    return [int(number) * UNITS[unit] for number, unit in found]


def test_proxies_wait_for_the_longest_answer():
    for text, name in (
        (HAPROXY, "timeout server"),
        (NGINX, "proxy_read_timeout"),
        (ENVOY, "stream_idle_timeout"),
        (ENVOY, r"(?<=\s)timeout(?=: \d{3})"),
    ):
        assert seconds(text, name)[0] > LONGEST_ANSWER, name


def test_proxies_leave_quiet_connections_first():
    for text, name in ((NGINX, "keepalive_timeout"), (ENVOY, "idle_timeout")):
        assert all(idle < DEFAULT["keepalive_seconds"] for idle in seconds(text, name)), name
    assert "option http-server-close" in HAPROXY


def test_the_server_says_first_that_a_body_is_too_slow():
    for text, name in ((HAPROXY, "timeout client"), (NGINX, "client_body_timeout")):
        assert seconds(text, name)[0] > DEFAULT["body_seconds"], name
    (size,) = map(int, re.findall(r"tune\.bufsize (\d+)", HAPROXY))
    (kept,) = map(int, re.findall(r"acl fits .* lt (\d+)", HAPROXY))
    assert kept < size - 1024  # tune.maxrewrite, and the head
    assert seconds(HAPROXY, "wait-for-body time")[0] > kept / DEFAULT["body_bytes_per_second"]


def test_nginx_takes_the_largest_body():
    (megabytes,) = map(int, re.findall(r"client_max_body_size (\d+)m;", NGINX))
    assert megabytes >= DEFAULT["max_upload_mb"]


def test_the_ingress_takes_the_largest_body_and_waits_for_the_longest_answer():
    page = (ROOT / "docs" / "kubernetes.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"^    ingress:\n(?:    .*\n)+", page, re.MULTILINE)
    given = yaml.safe_load(re.sub("^    ", "", shown, flags=re.MULTILINE))["ingress"]["annotations"]
    given = {name.removeprefix("nginx.ingress.kubernetes.io/"): value for name, value in given.items()}
    assert int(given["proxy-body-size"].removesuffix("m")) >= DEFAULT["max_upload_mb"]
    assert int(given["proxy-read-timeout"]) > LONGEST_ANSWER
    assert (given["proxy-request-buffering"], given["proxy-buffering"]) == ("off", "off")
