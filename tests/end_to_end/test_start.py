"""A start that cannot succeed ends at once, with one line that says why."""

import shutil

import pytest
import yaml

from loadtest.harness.processes import PATIENCE
from loadtest.harness.server import GENEROUS, GunicornServer

WRONG = {
    "no model": ({"ASR_MODEL": "/nowhere"}, ["/nowhere/model.yaml does not exist", "ASR_MODEL"]),
    "an unknown precision": ({"ASR_PRECISION": "int4"}, ["ASR_PRECISION", "'auto'"]),
    "one bad setting": ({"ASR_OVERLENGTH": "cut"}, ["ASR_OVERLENGTH", "'clip' or 'reject'"]),
    "two bad settings": ({"ASR_LANES": "0", "ASR_LOG_LEVEL": "LOUD"}, ["ASR_LANES", "ASR_LOG_LEVEL", "'DEBUG'"]),
    "keys that are none": ({"ASR_KEYS": "{s3cret"}, ["ASR_KEYS: Invalid JSON"]),
    "an issuer without an audience": ({"ASR_JWT_ISSUER": "https://issuer.example"}, ["ASR_JWT_AUDIENCE is missing"]),
    "clips longer than the model takes": ({"ASR_CLIP_SECONDS": "100000"}, ["ASR_CLIP_SECONDS", "at most"]),
}


@pytest.mark.parametrize(("settings", "words"), WRONG.values(), ids=WRONG)
def test_a_start_that_cannot_succeed(model_directory, tmp_path, settings, words):
    check_that_it_cannot_start(GunicornServer(model_directory, tmp_path, GENEROUS | settings), tmp_path, words)


def test_int8_without_a_plan_cannot_start(model_directory, tmp_path):
    shutil.copytree(model_directory, plain := tmp_path / "plain")
    description = yaml.safe_load((plain / "model.yaml").read_text(encoding="utf-8"))
    description.pop("int8", None)
    (plain / "model.yaml").write_text(yaml.safe_dump(description, allow_unicode=True), encoding="utf-8")
    server = GunicornServer(plain, tmp_path, GENEROUS | {"ASR_PRECISION": "int8"})
    check_that_it_cannot_start(server, tmp_path, ["no int8 plan"])


def check_that_it_cannot_start(server, tmp_path, words):
    try:
        assert server.process.wait(PATIENCE) != 0
        server.assert_gone()
    finally:
        server.kill_all()
    said = "\n".join(map(str, server.log_lines()))
    assert all(word in said for word in words)
    assert "Traceback" not in said
    assert not server.logged("Booting worker with pid")
    assert not list(tmp_path.glob("asr-metrics-*"))


def test_an_unknown_variable_is_a_warning(start):
    with start(ASR_MAX_UPLOAD="1") as server:
        assert server.logged("ASR_MAX_UPLOAD is not a setting; did you mean ASR_MAX_UPLOAD_MB?")


def test_the_start_tells_what_a_user_wants_to_know(start, model_directory):
    with start() as server:
        said = "\n".join(line["message"] for line in server.log_lines())
        assert f":{server.port}" in said
        assert "curl -F file=@tests/data/namaste.wav" in said
        assert "2 processes" in said
        assert model_directory.name in said or "random" in said


@pytest.mark.parametrize("bind", ["0.0.0.0:{port}", "[::]:{port}"])
def test_nobody_is_let_in_from_elsewhere_unless_somebody_has_said_so(model_directory, tmp_path, bind):
    server = GunicornServer(model_directory, tmp_path, GENEROUS | {"ASR_BIND": bind})
    check_that_it_cannot_start(server, tmp_path, ["python -m server.keys create", "ASR_AUTH=none"])
