"""The Helm chart: linted, rendered, checked against Kubernetes' own schemas, and run by podman as it was rendered."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from loadtest.harness.processes import wait_until
from tests.image.conftest import PATIENCE
from tests.image.inside import asked
from tests.samples import CLIPS

pytestmark = [pytest.mark.image, pytest.mark.timeout(1800)]

ROOT = Path(__file__).parent.parent.parent
CHART = ROOT / "deploy" / "helm" / "hindi-asr"
TOOLS = ROOT / ".venv-deploy" / "bin"
_KUBERNETES = "1.37"
_OF_OTHERS = {"ServiceMonitor", "ScaledObject", "HTTPRoute"}  # whose schemas Kubernetes does not bring
_ALL = {
    "image": {"tag": "1.2", "pullSecrets": ["registry"]},
    "resources": {"requests": {"cpu": "3500m", "memory": "4Gi"}, "limits": {"memory": "4Gi"}},
    "settings": {"ASR_MAX_SPOOL_MB": 16777216, "ASR_DETECT_SPEECH": False, "ASR_CLIENT_WEIGHTS": {"10.1.0.0/16": 4}},
    "secretFiles": {
        "ASR_KEYS_FILE": {"secret": "asr-keys", "key": "keys.json"},
        "ASR_REDIS_URL_FILE": {"secret": "others", "key": "redis"},
        "ASR_JWT_KEY_FILE": {"secret": "others", "key": "issuer.pem"},
    },
    "models": {"volume": {"persistentVolumeClaim": {"claimName": "packages", "readOnly": True}}, "default": "medium"},
    "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
    "networkPolicy": {"egress": [{"to": [{"podSelector": {}}], "ports": [{"port": 6379}]}]},
    "route": {
        "enabled": True,
        "parentRefs": [{"name": "gateway"}],
        "hostnames": ["asr.example.org"],
        "others": [{"service": "asr-new", "weight": 10}],
    },
    "ingress": {
        "enabled": True,
        "className": "nginx",
        "annotations": {"nginx.ingress.kubernetes.io/proxy-body-size": "512m"},
        "hosts": [
            {"host": "asr.example.org"},
            {"host": "*.example.com", "paths": [{"path": "/transcribe", "pathType": "Exact"}, {"path": "/v1"}]},
        ],
        "tls": [{"secretName": "asr-tls", "hosts": ["asr.example.org"]}],
    },
    "podLabels": {"team": "speech"},
    "podAnnotations": {"team": "speech"},
    "nodeSelector": {"kubernetes.io/arch": "amd64"},
    "tolerations": [{"key": "speech", "operator": "Exists"}],
    "affinity": {"podAntiAffinity": {}},
    "priorityClassName": "high",
}
_LOOK = """
import os, pathlib
status = dict(line.split(":\\t", 1) for line in pathlib.Path("/proc/1/status").read_text().splitlines())
print(status["Uid"].split()[0], status["CapBnd"].strip("0") or "-", status["NoNewPrivs"], status["Seccomp"])
for folder in ("/app", "/venv", "/run/secrets/asr-keys", "/tmp", "/cache"):
    print(folder, os.access(folder, os.W_OK))
"""


def _run(*command, check=True, data=None, seconds=300):
    done = subprocess.run([*map(str, command)], capture_output=True, input=data, timeout=seconds, check=False)
    said = (done.stdout + done.stderr).decode()
    assert not check or done.returncode == 0, said
    return done.stdout.decode() if check else said


@pytest.fixture(scope="module")
def helm():
    program = TOOLS / "helm"
    if not program.exists():
        pytest.skip("no Helm: `make deploy-test` brings it")
    return program


@pytest.fixture
def values(tmp_path):
    """Options of Helm for the values that it is called with."""

    def write(tree):
        path = tmp_path / "values.yaml"
        path.write_text(yaml.safe_dump(tree))
        return ["--values", path]

    return write


def _documents(text):
    return {(document["kind"], document["metadata"]["name"]): document for document in yaml.safe_load_all(text)}


def _rendered(text):
    return {kind: document for (kind, name), document in _documents(text).items() if name == "asr"}


@pytest.mark.parametrize("scaling", ["none", "hpa", "keda"])
def test_it_is_what_kubernetes_takes(helm, values, tmp_path, scaling):
    for tree in ({}, _ALL):
        options = values({**tree, "autoscaling": {"kind": scaling}})
        _run(helm, "lint", "--strict", *options, CHART)
        text = _run(helm, "template", "asr", CHART, *options)
        names = [f"{kind.lower()}/{name}" for kind, name in _documents(text) if kind not in _OF_OTHERS]
        path = tmp_path / "rendered.yaml"
        path.write_text(text)
        checked = _run(
            TOOLS / "kubernetes-validate", "--strict", "--kubernetes-version", _KUBERNETES, path, check=False
        )
        passed = re.findall(r"passed for resource (\S+) ", checked)
        assert sorted(passed) == sorted(names), checked
        assert "ERROR" not in checked


def test_what_kubernetes_would_refuse_is_found(helm, tmp_path):
    path = tmp_path / "rendered.yaml"
    path.write_text(_run(helm, "template", "asr", CHART).replace("automountServiceAccountToken", "automountToken"))
    checked = _run(TOOLS / "kubernetes-validate", "--strict", "--kubernetes-version", _KUBERNETES, path, check=False)
    assert "automountToken" in checked


@pytest.mark.parametrize(
    "wrong",
    [
        {"replcias": 3},
        {"resources": {"requests": {"cpu": 16, "memory": "2Gi"}}},  # more lanes than one worker drives
        {"settings": {"ASR_LANES": 4}},
        {"settings": {"ASR_MANAGEMENT_BIND": "0.0.0.0:9090"}},
        {"settings": {"HOME": "/"}},
        {"secretFiles": {"ASR_KEYS": {"secret": "keys", "key": "keys.json"}}},
        {"autoscaling": {"kind": "vpa"}},
        {"route": {"enabled": True}},
        {"ingress": {"enabled": True}},  # it would serve nobody, or everybody's hosts
        {"ingress": {"hosts": [{"host": "asr.example.org", "paths": ["/"]}]}},
    ],
)
def test_values_that_mean_nothing_are_refused(helm, values, wrong):
    assert "values don't meet the specifications" in _run(helm, "template", "asr", CHART, *values(wrong), check=False)


def test_metrics_are_never_published_with_the_server(helm, values):
    options = values({"service": {"type": "LoadBalancer"}, "serviceMonitor": {"enabled": True}})
    documents = _documents(_run(helm, "template", "asr", CHART, *options))
    services = {name: document["spec"] for (kind, name), document in documents.items() if kind == "Service"}
    ports = {name: (spec["type"], [port["name"] for port in spec["ports"]]) for name, spec in services.items()}
    assert ports == {"asr": ("LoadBalancer", ["http"]), "asr-metrics": ("ClusterIP", ["metrics"])}
    monitor = documents["ServiceMonitor", "asr"]["spec"]
    wanted = monitor["selector"]["matchLabels"].items()
    assert wanted <= documents["Service", "asr-metrics"]["metadata"]["labels"].items()
    assert [endpoint["port"] for endpoint in monitor["endpoints"]] == ["metrics"]


def test_the_ingress_leads_to_the_server_and_not_to_its_metrics(helm, values):
    assert "Ingress" not in _rendered(_run(helm, "template", "asr", CHART))
    documents = _rendered(_run(helm, "template", "asr", CHART, *values(_ALL)))
    ingress, service = documents["Ingress"]["spec"], documents["Service"]["spec"]
    assert documents["Ingress"]["metadata"]["annotations"] == _ALL["ingress"]["annotations"]
    assert (ingress["ingressClassName"], ingress["tls"]) == ("nginx", _ALL["ingress"]["tls"])
    asked = {(rule["host"], path["path"], path["pathType"]) for rule in ingress["rules"] for path in _paths(rule)}
    assert asked == {
        ("asr.example.org", "/", "Prefix"),
        ("*.example.com", "/transcribe", "Exact"),
        ("*.example.com", "/v1", "Prefix"),
    }
    backends = [path["backend"]["service"] for rule in ingress["rules"] for path in _paths(rule)]
    assert backends == [{"name": "asr", "port": {"name": "http"}}] * 3
    # Where metrics have an address of their own they are 404 at the other one.
    assert [(port["name"], port["targetPort"]) for port in service["ports"]] == [("http", "http")]


def _paths(rule):
    return rule["http"]["paths"]


def test_settings_reach_the_server_as_it_reads_them(helm, values):
    deployment = _rendered(_run(helm, "template", "asr", CHART, *values(_ALL)))["Deployment"]
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    told = {variable["name"]: variable.get("value") for variable in container["env"]}
    told = {name: value for name, value in told.items() if name.startswith("ASR_") and not name.endswith("_FILE")}
    told |= {"ASR_LANES": "4", "ASR_MODEL": str(ROOT / "models" / "hi-demo"), "ASR_MODELS": str(ROOT / "models")}
    ask_settings = (
        "from config.settings import read_settings as r; s = r(); print(s.max_spool_mb, s.detect_speech, s.auth)"
    )
    command = [sys.executable, "-c", ask_settings]
    done = subprocess.run(command, env=told | {"PATH": os.environ["PATH"]}, capture_output=True, cwd=ROOT, check=False)
    assert done.stdout.decode().split() == ["16777216.0", "False", "required"], done.stderr.decode()
    grace = deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
    assert grace > int(told["ASR_GRACE_SECONDS"]) + container["lifecycle"]["preStop"]["sleep"]["seconds"]


@pytest.mark.programs("promtool")
def test_replicas_follow_the_wait_and_the_work_of_the_release_alone(helm, values, tmp_path):
    options = values({"autoscaling": {"kind": "keda"}})
    scaled = _rendered(_run(helm, "template", "asr", CHART, "--namespace", "speech", *options))["ScaledObject"]
    asked_for = {t["metadata"]["query"]: float(t["metadata"]["threshold"]) for t in scaled["spec"]["triggers"]}
    series = []
    for pod, wait in {"asr-5d8c9b-x7k2p": 6, "asr-5d8c9b-q9w1z": 3, "asr-new-77f9d4-b2c3d": 50}.items():
        labels = f'namespace="speech",pod="{pod}",job="asr"'
        series.append({"series": f"asr_current_wait_seconds{{{labels}}}", "values": f"{wait}x20"})
        series.append({"series": f'asr_lanes{{{labels},state="ready"}}', "values": "1x20"})
        series.append({"series": f'asr_lanes{{{labels},state="down"}}', "values": "1x20"})
        series.append({"series": f"asr_compute_seconds_total{{{labels}}}", "values": "0+15x20"})  # one of two lanes
    tests = []
    for query, threshold in asked_for.items():
        wanted = {2.0: 9, 0.7: 1}[threshold]
        tests.append({"expr": query, "eval_time": "4m", "exp_samples": [{"labels": "{}", "value": wanted}]})
    case = {"interval": "15s", "input_series": series, "promql_expr_test": tests}
    (tmp_path / "tests.yml").write_text(yaml.safe_dump({"tests": [case]}))
    assert len(tests) == 2
    _run("promtool", "test", "rules", tmp_path / "tests.yml")


@pytest.fixture(scope="module")
def podman(engine, image):
    """Podman, with the image in its store."""
    program = shutil.which("podman")
    if not program or subprocess.run([program, "info"], capture_output=True, check=False).returncode:
        pytest.skip("podman does not answer")
    if engine.program == "podman":
        return engine
    other = type(engine)(program)
    with subprocess.Popen([engine.program, "save", image], stdout=subprocess.PIPE) as saved:
        loaded = subprocess.run([program, "load", "--quiet"], stdin=saved.stdout, capture_output=True, check=False)
    assert (saved.returncode, loaded.returncode) == (0, 0), loaded.stderr.decode()
    return other


def _free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture(scope="module")
def pod(helm, podman, image, tmp_path_factory):
    """The name of the container that runs what the chart says, with a key in a Secret; and that key."""
    folder = tmp_path_factory.mktemp("pod")
    make = [sys.executable, "-m", "server.keys", "--file", str(folder / "keys.json"), "create", "--name", "anna"]
    key = subprocess.run(make, capture_output=True, cwd=ROOT, check=True).stdout.decode()
    values = ["repository=localhost/" + image, "tag=latest", "pullPolicy=Never"]
    options = [option for value in values for option in ("--set", "image." + value)]
    options += ["--set", "replicas=1,secretFiles.ASR_KEYS_FILE.secret=asr-keys,secretFiles.ASR_KEYS_FILE.key=keys.json"]
    deployment = _rendered(_run(helm, "template", "asr", CHART, *options))["Deployment"]
    spec = deployment["spec"]["template"]["spec"]
    for port in spec["containers"][0]["ports"]:
        port["hostPort"] = _free_port()  # podman publishes them all, and not elsewhere unless it is told
    # Podman 4.3 gives Secrets undecoded: what it is handed instead differs in nothing else.
    secret = next(volume for volume in spec["volumes"] if "secret" in volume)
    secret["configMap"] = {"name": secret.pop("secret")["secretName"]}
    keys = {"keys.json": (folder / "keys.json").read_text()}
    config_map = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "asr-keys"}, "data": keys}
    path = folder / "deployment.yaml"
    path.write_text(yaml.safe_dump_all([config_map, deployment]))
    podman("volume", "rm", "--force", "asr-keys", check=False)  # of a run that was cut off
    podman("play", "kube", path)
    name = "asr-pod-0-server"
    try:
        yield name, key.strip()
    finally:
        print(podman("logs", name, check=False))
        podman("play", "kube", "--down", path)
        podman("volume", "rm", "--force", "asr-keys")


def test_what_it_says_is_run_as_it_says(podman, pod, library_texts):
    name, key = pod
    wait_until(lambda: asked(podman, name, ":8000/readyz")[0] == 200, "ready", PATIENCE)
    assert asked(podman, name, ":8000/readyz") == (200, '{"status":"ready","warnings":[]}')  # lanes are confined, too
    clip = CLIPS[0].read_bytes()
    assert asked(podman, name, ":8000/transcribe", data=clip)[0] == 401
    status, body = asked(podman, name, ":8000/transcribe", key=key, data=clip)
    assert status == 200, body
    assert json.loads(body)["text"] == library_texts[CLIPS[0]]
    assert asked(podman, name, ":8000/metrics", key=key)[0] == 404
    assert asked(podman, name, ":9090/metrics")[0] == 200
    assert "1 workers × 2 processes × 1 threads" in podman("logs", name, check=False)
    state, *folders = podman("exec", name, "python", "-c", _LOOK).splitlines()
    assert state == "10001 - 1 2"
    writable = [folder.split()[0] for folder in folders if folder.endswith("True")]
    assert writable == ["/tmp", "/cache"]
