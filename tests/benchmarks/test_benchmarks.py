"""The ruler: turns, ratios, the count of multiply-adds, the page."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from benchmarks import cli, goals, lanes, page, tables
from benchmarks.child import RATE
from benchmarks.compared import OURS, RUNTIME, SHERPA, Compared
from benchmarks.limit import Rate, multiply_adds
from benchmarks.operators import profile
from benchmarks.rounds import Division, Entrant, Failed, Program, Results, take_turns
from benchmarks.spread import Spread, percentile, spread
from tests.samples import CLIPS

ALONE, SIDE_BY_SIDE = Division(1, 2), Division(2, 1)


class Scripted:
    """A program that answers at once and writes down when it was asked."""

    def __init__(self, name, seconds, asked):
        self.name, self.seconds, self.asked = name, seconds, asked

    def ask(self, clip, times=1):  # noqa: ARG002 - a program's signature
        self.asked.append(self.name)
        return {"seconds": self.seconds, "text": f"{self.name} heard {clip}"}


def test_programs_take_turns_and_each_begins():
    asked = []
    programs = {name: Scripted(name, seconds, asked) for name, seconds in (("a", 1.0), ("b", 2.0), ("c", 4.0))}
    results = take_turns(programs, {5.0: "clip"}, rounds=3)[5.0]
    assert "".join(asked[6:]) == "abcbcacab"  # after the warm-up
    assert results["a"].ratio(results["c"]).median == pytest.approx(4)


def test_a_ratio_is_taken_round_by_round():
    ours, theirs = Results([1.0, 10.0, 1.0]), Results([2.0, 20.0, 3.0])  # all were slow in the second round
    assert ours.ratio(theirs) == Spread(2.0, 2.0, pytest.approx(2.8))


def test_spread_of_one_value():
    assert spread([3.0]) == Spread(3.0, 3.0, 3.0)


def test_percentile():
    assert percentile([3.0, 1.0, 2.0], 50) == 2.0
    assert np.isnan(percentile([], 99))


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


@pytest.fixture
def compared():
    results = {
        (OURS, ALONE): Results([0.1, 0.1], [0.04, 0.04]),
        (OURS, SIDE_BY_SIDE): Results([0.05, 0.05], [0.02, 0.02]),
        (SHERPA, ALONE): Results([0.2, 0.3]),
        (SHERPA, SIDE_BY_SIDE): Results([0.4, 0.4]),
        (RATE, ALONE): Results([1e-10, 2e-10]),
        (RATE, SIDE_BY_SIDE): Results([2e-10, 2e-10]),
    }
    return Compared("wall", [ALONE, SIDE_BY_SIDE], {5.0: results}, {5.0: 500_000_000})


def test_each_program_counts_in_the_division_that_suits_it(compared):
    assert compared.names == [OURS, SHERPA]
    assert compared.full(5.0, OURS).median == 0.05
    assert compared.gain(5.0, [OURS], [SHERPA]).median == pytest.approx(5)
    assert compared.gain(5.0, [OURS], [SHERPA], full=False).median == pytest.approx(2.5)
    assert compared.outside(5.0).median == pytest.approx(2)


def test_table_of_programs(compared):
    text = tables.library(compared, 5.0)
    assert "| the limit: 0.50 G multiply-adds | 50.0 | 100 | 100 |  |  | 1 |" in text
    assert "| this library | 100.0 | 50 | 100 |  |  | 1.00 |" in text
    assert "| sherpa-onnx | 250.0 | 20 | 12 | 2.50 [2.10, 2.90] | 5.00 [4.20, 5.80] |  |" in text


def test_goals_of_the_library(compared):
    text = goals.of_library(compared)
    assert "| this library ÷ sherpa-onnx, fp32, full load | ≥ 1.6 | 5.00 [4.20, 5.80] | yes |" in text
    assert "| share of the fp32 limit, best precision | ≥ 1.25 | 1.00 [1.00, 1.00] | no |" in text
    assert "| time outside ONNX Runtime, fp32 | ≤ 5 % | 2.00 [2.00, 2.00] | yes |" in text


def test_two_processes_hear_side_by_side(model_directory, tmp_path):
    with Program(Entrant(OURS, "library", model_directory), SIDE_BY_SIDE, tmp_path / "errors.log") as program:
        answer = program.ask(CLIPS[0], times=2)
    assert answer["text"]
    assert answer["seconds"] > 0
    assert 0 < answer["outside"] < 1


def test_a_program_that_cannot_start_says_why(tmp_path):
    with pytest.raises(Failed, match="does not exist"):
        Program(Entrant(OURS, "library", tmp_path / "nowhere"), ALONE, tmp_path / "errors.log")


def test_a_whole_run(model_directory, tmp_path, capsys):
    models = ["--speed", str(model_directory), "--accuracy", str(model_directory)]
    files = ["--out", str(tmp_path / "page.md"), "--pictures", str(tmp_path)]
    length = ["--lengths", "0.5", "--divisions", "1x1", "--clock", "processor", "--rounds", "2"]
    assert cli.main([*models, *files, *length, "--without", "int8", "servers", "fairness", "lanes"]) == 0
    text = capsys.readouterr().out
    assert "### 0.5 s of audio, processor time" in text
    assert f"| {RUNTIME} |" in text
    assert f"| {SHERPA} | {len(CLIPS)} of {len(CLIPS)}, 0.0 %, 0.0 % |" in text
    assert (tmp_path / "benchmarks.png").stat().st_size > 1000


def test_lanes(compared, model_directory):
    found = lanes.measure(model_directory, CLIPS[0], 2, 1)
    text = goals.of_server(compared, None, None, found)
    assert "| start of a lane to its first answer | ≤ 1.5 s |" in text
    assert "| PSS of a further lane | ≤ 60 MiB |" in text
