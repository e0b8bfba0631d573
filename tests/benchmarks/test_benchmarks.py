"""The ruler: turns, ratios, the count of multiply-adds, the page."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from benchmarks import cli, page
from benchmarks.child import RATE
from benchmarks.limit import Rate, multiply_adds
from benchmarks.operators import profile
from benchmarks.page import Compared, Spoken
from benchmarks.rounds import Entrant, Failed, Program, Results, take_turns
from inference.package import load_package


class Scripted:
    """A program that answers at once and writes down when it was asked."""

    def __init__(self, name, seconds, asked):
        self.name, self.seconds, self.asked = name, seconds, asked

    def ask(self, clip):
        self.asked.append(self.name)
        return {"seconds": self.seconds, "text": f"{self.name} heard {clip}"}


def test_programs_take_turns_and_each_begins():
    asked = []
    programs = {name: Scripted(name, seconds, asked) for name, seconds in (("a", 1.0), ("b", 2.0), ("c", 4.0))}
    results = take_turns(programs, ["clip"], rounds=3)["clip"]
    assert "".join(asked[6:]) == "abcbcacab"  # after the warm-up
    assert results["a"].ratio(results["c"])[0] == pytest.approx(4)
    assert results["b"].texts == {"b heard clip"}


def test_a_ratio_is_taken_round_by_round():
    ours, theirs = Results([1.0, 10.0, 1.0]), Results([2.0, 20.0, 3.0])  # all were slow in the second round
    assert ours.ratio(theirs) == pytest.approx((2.0, 2.0, 2.8))


@pytest.fixture
def graph(tmp_path):
    """A convolution and a product: 8 × 2 × 3 × frames and 5 × 8 × frames multiply-adds."""
    rng = np.random.default_rng(0)
    weights = {"w": rng.normal(size=(8, 2, 3)), "v": rng.normal(size=(5, 8))}
    nodes = [
        helper.make_node("Conv", ["audio_signal", "w"], ["x"], pads=[1, 1]),
        helper.make_node("MatMul", ["v", "x"], ["y"]),
        helper.make_node("Cast", ["length"], ["z"], to=TensorProto.FLOAT),
        helper.make_node("Add", ["y", "z"], ["logprobs"]),
    ]
    inputs = [
        helper.make_tensor_value_info("audio_signal", TensorProto.FLOAT, [1, 2, "frames"]),
        helper.make_tensor_value_info("length", TensorProto.INT64, [1]),
    ]
    outputs = [helper.make_tensor_value_info("logprobs", TensorProto.FLOAT, None)]
    constants = [numpy_helper.from_array(array.astype(np.float32), name) for name, array in weights.items()]
    model = helper.make_graph(nodes, "tiny", inputs, outputs, constants)
    path = tmp_path / "tiny.onnx"
    onnx.save(helper.make_model(model, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def test_multiply_adds(graph):
    assert multiply_adds(graph, 2, 100) == (8 * 2 * 3 + 5 * 8) * 100


def test_operators(graph):
    assert {"Conv", "MatMul", "Add"} <= profile(graph, 100, runs=2).keys()


def test_rate():
    assert 1e7 < Rate(1)() < 1e13


def test_the_page_keeps_what_people_wrote(tmp_path):
    path = tmp_path / "page.md"
    page.write(path, "first")
    path.write_text(f"above\n{path.read_text()}below\n")
    page.write(path, "second")
    text = path.read_text()
    assert text.startswith("above\n")
    assert text.endswith("below\n")
    assert "second" in text
    assert "first" not in text


def test_tables(model_directory, tmp_path):
    results = {page.OURS: Results([0.1, 0.1]), "peer": Results([0.2, 0.3]), RATE: Results([1e-10, 2e-10])}
    run = Compared(2, "wall", {5.0: results}, {5.0: 500_000_000})
    clip = tmp_path / "clip.wav"
    spoken = Spoken("model", {clip: "कल"}, {page.OURS: {clip: "कल"}, "peer": {clip: "काल"}})
    text = page.render([run], spoken, "command", load_package(model_directory))
    assert "| the limit: 0.50 G multiply-adds | 50.0 | 100 | | 1 |" in text
    assert "| this library | 100.0 | 50 |  | 0.50 |" in text
    assert "| peer | 250.0 | 20 | 2.50 [2.10, 2.90] |  |" in text
    assert "| peer | 0 | 0 |" in text


def test_a_program_that_cannot_start_says_why(tmp_path):
    with pytest.raises(Failed, match="does not exist"):
        Program(Entrant(page.OURS, tmp_path / "nowhere"), 1, tmp_path / "errors.log")


def test_a_whole_run(model_directory, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(cli, "FP32", [page.OURS, "ONNX Runtime alone"])
    monkeypatch.setattr(cli, "INT8", [])
    models = ["--speed", str(model_directory), "--accuracy", str(model_directory)]
    files = ["--out", str(tmp_path / "page.md"), "--picture", str(tmp_path / "picture.png")]
    assert (
        cli.main([*models, *files, "--lengths", "0.5", "--threads", "1", "--clock", "processor", "--rounds", "2"]) == 0
    )
    assert "### 0.5 s of audio, one thread, processor time" in capsys.readouterr().out
    assert (tmp_path / "picture.png").stat().st_size > 1000
