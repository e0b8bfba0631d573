"""Several packages side by side, each asked for by its name."""

import pytest

from inference import load
from inference.package import load_package
from loadtest.harness.processes import in_background
from tests.packages import random_package
from tests.samples import DATA, sentence_of

NAMASTE = (DATA / "namaste.wav").read_bytes()


@pytest.fixture(scope="module")
def models(model_directory, tmp_path_factory):
    """A directory with two packages of other languages, and what each hears in a clip."""
    directory = tmp_path_factory.mktemp("models")
    random_package(model_directory, directory / "first", name="ta-random", language="ta", seed=1)
    random_package(model_directory, directory / "second", name="te-random", language="te", seed=2)
    return directory


def listed(server):
    with server.client() as client:
        return client.get("/v1/models").json()["data"]


def test_kinds_of_files_are_listed(server):
    with server.client() as client:
        containers = client.get("/v1/models").json()["containers"]
    assert {"WAV", "MP3", "WebM or Matroska", "AMR"} <= {each["name"] for each in containers}
    assert {each["decoder"] for each in containers} == {"soundfile", "PyAV"}


def asked_for(server, name):
    with server.client() as client:
        return client.post("/transcribe", params={"model": name}, content=NAMASTE)


def texts(server, clip, name):
    with server.client() as client:
        reply = client.post("/transcribe", params={"model": name}, content=clip).json()
    return reply["model"], reply["language"], reply["text"]


def test_three_packages_are_served_at_once(start, models, model_directory, tmp_path):
    default = load_package(model_directory)
    clips = [sentence_of(1.5 + seed / 8, seed) for seed in range(8)]
    expected = {}
    for directory in (model_directory, models / "first", models / "second"):
        pipeline = load(directory, precision="fp32", cache=tmp_path / "library")
        package = pipeline.package
        for index, clip in enumerate(clips):
            expected[index, package.name] = (package.name, package.language, pipeline.transcribe(clip).text)
    assert len({text for _, _, text in expected.values()}) > len(clips)
    with start(ASR_MODELS=models, ASR_MODELS_LOADED=3, ASR_PRECISION="fp32", ASR_LANES=2) as server:
        assert [(model["id"], model["default"], model["calibrated"]) for model in listed(server)] == [
            (default.name, True, ["beam", "greedy"]),
            ("ta-random", False, []),
            ("te-random", False, []),
        ]
        with in_background(8) as submit:
            answers = {key: submit(texts, server, clips[key[0]], key[1]) for key in expected}
        assert {key: answer.result() for key, answer in answers.items()} == expected
        loaded = {(line["pid"], line["model"]) for line in server.logged("lane ready")}
        assert len(loaded) <= 6
        assert {model for _, model in loaded} == {default.name, "ta-random", "te-random"}


def test_one_place_for_two_models(start, models):
    with start(ASR_MODELS=models, ASR_MODELS_LOADED=1, ASR_PRECISION="fp32", ASR_LANES=1) as server:
        first = [texts(server, NAMASTE, name) for name in ("ta-random", "te-random")]
        assert [texts(server, NAMASTE, name) for name in ("ta-random", "te-random")] == first
        assert server.metric("asr_lane_restarts_total") == 0


def test_a_model_that_is_not_there(server):
    reply = asked_for(server, "hi-large")
    assert reply.status_code == 400
    assert reply.json()["type"] == "/problems/unknown-model"
    assert "hi-large" in reply.json()["detail"]
    assert "hi-demo" in reply.json()["detail"]


def test_a_wish_that_nobody_knows(server):
    with server.client() as client:
        reply = client.post("/transcribe", params={"decoding": "best"}, content=NAMASTE)
    assert (reply.status_code, reply.json()["type"]) == (400, "/problems/invalid-request")
    assert reply.json()["detail"] == "decoding: 'best' is not taken; what is: auto, greedy, beam"


def test_a_package_that_is_damaged_is_left_out(start, tmp_path, model_directory):
    beside = tmp_path / "models"
    good = random_package(model_directory, beside / "good", name="kn-random", language="kn", seed=3)
    bad = random_package(model_directory, beside / "bad", name="ml-random", language="ml", seed=4)
    (bad / "model.onnx").write_bytes(b"half")
    with start(ASR_MODELS=beside, ASR_PRECISION="fp32") as server:
        assert [model["id"] for model in listed(server)][1:] == ["kn-random"]
        warnings = [line["message"] for line in server.log_lines() if isinstance(line, dict)]
        assert any("bad is not served" in message and "damaged" in message for message in warnings)
        # Damaged after the start: the request fails, the lane and the other models do not.
        (good / "model.onnx").write_bytes(b"half")
        reply = asked_for(server, "kn-random")
        assert (reply.status_code, reply.json()["type"]) == (503, "/problems/model-unavailable")
        assert server.post(NAMASTE).status_code == 200
        assert server.metric("asr_lane_restarts_total") == 0
        before = listed(server)
        (good / "model.yaml").unlink()
        assert listed(server) == before
