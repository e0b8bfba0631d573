"""The ruler: turns, ratios, the count of multiply-adds, the page."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from benchmarks import cli, goals, lanes, page, picture, programs, rounds, server_goals, tables
from benchmarks.accuracy import Heard, Known, Texts
from benchmarks.child import CLOCKS
from benchmarks.compared import LIMIT, ONNX_ASR, OURS, OURS_FP32, RUNTIME, SHERPA, Compared
from benchmarks.entrants import SHERPA_INT8, SHERPA_SCRIPTED
from benchmarks.limit import UNIT, fastest_product, multiply_adds
from benchmarks.operators import profile
from benchmarks.programs import Company, Division, Entrant, Failed, Program, company
from benchmarks.rounds import Results, Turns, take_turns
from benchmarks.spread import Spread, percentile, spread
from evaluation.scoring import score
from tests.samples import CLIPS

ALONE, SIDE_BY_SIDE = Division(1, 2), Division(2, 1)


class Scripted:
    """A program that answers at once and writes down when it was asked."""

    def __init__(self, name, seconds, asked, breaks=False):
        self.name, self.seconds, self.asked, self.breaks = name, seconds, asked, breaks

    def ask(self, clip, seconds):  # noqa: ARG002 - a program's signature
        self.asked.append(f"{self.name}{clip}")
        if self.breaks:
            raise Failed(f"{self.name} is broken")
        return {"seconds": self.seconds, "text": "", "outside": None}


@pytest.fixture
def cast(monkeypatch):
    monkeypatch.setattr(rounds, "_PAUSE", 0.0)
    asked = []
    found = {(name, ALONE): Scripted(name, 2.0**index, asked) for index, name in enumerate("abc")}
    return Company(found, frozenset("a")), asked


def test_programs_take_turns_and_each_begins(cast):
    results = take_turns(cast[0], {10.0: ""}, Turns(3, 1.0))[10.0]
    assert "".join(cast[1]) == "abcbcacab"
    assert results["a", ALONE].ratio(results["c", ALONE]).median == pytest.approx(4)


def test_the_goals_length_is_in_every_round_and_others_take_turns(cast):
    results = take_turns(cast[0], {1.0: "1", 10.0: "10", 30.0: "30"}, Turns(4, 1.0))
    assert [len(results[seconds]["b", ALONE].seconds) for seconds in results] == [2, 4, 2]


def test_a_program_that_breaks_leaves_and_the_others_go_on(cast):
    cast[0].programs["b", SIDE_BY_SIDE] = Scripted("B", 1.0, cast[1], breaks=True)
    results = take_turns(cast[0], {10.0: ""}, Turns(2, 1.0))[10.0]
    assert list(results) == [("a", ALONE), ("c", ALONE)]
    assert cast[0].broken == {"b": "B is broken"}
    assert "".join(cast[1]) == "abcBca"


def test_nothing_is_left_to_compare_when_ours_breaks(cast):
    cast[0].programs["a", ALONE].breaks = True
    with pytest.raises(Failed, match="a is broken"):
        take_turns(cast[0], {10.0: ""}, Turns(2, 1.0))


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


def test_the_limit_is_a_rate_of_matrix_products():
    started = CLOCKS["wall"]()
    fastest_product(1)()
    assert 1e7 < UNIT / (CLOCKS["wall"]() - started) < 1e13


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
        (LIMIT, ALONE): Results([0.1, 0.1]),
        (LIMIT, SIDE_BY_SIDE): Results([0.05, 0.1]),
        (OURS, ALONE): Results([0.1, 0.1], [0.04, 0.04]),
        (OURS, SIDE_BY_SIDE): Results([0.05, 0.05], [0.02, 0.02]),
        (OURS_FP32, ALONE): Results([0.2, 0.2], [0.02, 0.02]),
        (OURS_FP32, SIDE_BY_SIDE): Results([0.1, 0.1], [0.01, 0.01]),
        (SHERPA, ALONE): Results([0.2, 0.3]),
        (SHERPA, SIDE_BY_SIDE): Results([0.4, 0.4]),
        (SHERPA_INT8, ALONE): Results([0.1, 0.1]),
        (SHERPA_INT8, SIDE_BY_SIDE): Results([0.2, 0.2]),
    }
    return Compared("wall", [ALONE, SIDE_BY_SIDE], {5.0: results}, {5.0: 0.5}, {OURS: "int8", OURS_FP32: "fp32"})


@pytest.fixture
def texts():
    """Of ten words, ours by default hears nine, sherpa-onnx ten, its int8 and onnx-asr eight."""
    said = "one two three four five six seven eight nine ten"
    heard = {OURS: said[:-4], OURS_FP32: said, SHERPA: said, SHERPA_INT8: said[:-9], SHERPA_SCRIPTED: said[:-4]}
    heard[ONNX_ASR] = said[:-9]
    return Texts([(Known("set", {}), {name: Heard(1, score([said], [text])) for name, text in heard.items()})])


def test_each_program_counts_in_the_division_that_suits_it(compared):
    assert compared.names == [OURS, OURS_FP32, SHERPA, SHERPA_INT8]
    assert compared.full(5.0, OURS).median == 0.05
    assert compared.gain(5.0, OURS, [SHERPA]).median == pytest.approx(5)
    assert compared.gain(5.0, OURS, [SHERPA], full=False).median == pytest.approx(2.5)
    assert compared.outside(5.0, OURS).median == pytest.approx(2)


def test_the_limit_is_compared_round_by_round(compared):
    assert compared.limit(5.0).seconds == pytest.approx([0.025, 0.05])
    assert compared.share(5.0, OURS).median == pytest.approx(0.75)


def test_table_of_programs(compared):
    text = tables.library(compared, 5.0)
    assert "### 5 s of audio: 0.54 G multiply-adds, wall time" in text
    assert "| the limit | fp32 | 37.5 | 100 | 133 |  |  | 1 |" in text
    assert "| this library | int8 | 100.0 | 50 | 100 |  |  | 0.75 |" in text
    assert "| sherpa-onnx |  | 250.0 | 20 | 12 | 2.50 [2.10, 2.90] | 5.00 [4.20, 5.80] |  |" in text


def test_what_hears_worse_is_no_configuration_to_compare_with(texts):
    assert texts.wer(SHERPA_INT8) == pytest.approx(20)
    assert texts.wer(ONNX_ASR) == pytest.approx(20)
    counting = {SHERPA: True, SHERPA_SCRIPTED: True, SHERPA_INT8: False, ONNX_ASR: True}  # fp32 is what it is
    assert {name: texts.counts(name) for name in counting} == counting
    assert Texts().counts(SHERPA_INT8)  # nobody was asked
    table = tables.texts(texts)
    assert "| sherpa-onnx | 1 of 0, 0.0 %, 0.0 % | 0.00 % | yes |" in table
    assert f"| {SHERPA_INT8} | 1 of 0, 20.0 %, 18.8 % | 20.00 % | no |" in table


def test_goals_of_the_library(compared, texts):
    text = goals.of_library(compared, texts)
    words = "10.0; sherpa-onnx: 0.0"
    assert f"| this library ÷ sherpa-onnx in fp32, full load | ≥ 1.6 | 5.00 [4.20, 5.80] | yes | {words} |" in text
    assert "| fp32 ÷ fp32: the same, full load |  | 2.50 [2.10, 2.90] |  | 0.0; sherpa-onnx: 0.0 |" in text
    best = "this library ÷ the fastest peer that counts, full load | ≥ 1.25"
    assert f"| {best} | 5.00 [4.20, 5.80] | yes | {words} |" in text  # though its int8 is faster
    assert f"| {best} | 2.00 [2.00, 2.00] | yes | not asked; {SHERPA_INT8}: not asked |" in goals.of_library(
        compared, Texts()
    )
    assert (
        f"the fastest peer, whatever its WER, full load |  | 2.00 [2.00, 2.00] |  | 10.0; {SHERPA_INT8}: 20.0 |" in text
    )
    assert "| share of the fp32 limit, this library | ≥ 1.25 | 0.75 [0.55, 0.95] | no |  |" in text
    assert "| time outside ONNX Runtime | ≤ 5 % | 2.00 [2.00, 2.00] | yes |  |" in text


def test_two_processes_hear_side_by_side(model_directory, tmp_path):
    entrant = Entrant(OURS, "library", model_directory)
    with Program(entrant, SIDE_BY_SIDE, "wall", tmp_path / "errors.log") as program:
        answer = program.ask(CLIPS[0], seconds=0.1)
    assert program.computes.startswith(("fp32", "int8"))
    assert answer["text"]
    assert answer["seconds"] > 0
    assert 0 < answer["outside"] < 1


def test_a_program_that_cannot_start_says_why(tmp_path):
    nowhere = Entrant(SHERPA, "library", tmp_path / "nowhere")
    with company([nowhere], [ALONE], "wall", tmp_path) as found:
        assert not found.programs
    assert "does not exist" in found.broken[SHERPA]


def test_a_program_that_hangs_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(programs, "_PATIENCE", 0.2)
    hangs = tmp_path / "hangs"
    hangs.write_text("#!/bin/sh\nexec sleep 60\n")
    hangs.chmod(0o755)
    with pytest.raises(Failed, match=SHERPA):
        Program(Entrant(SHERPA, "library", tmp_path, hangs), ALONE, "wall", tmp_path / "errors.log")


def test_a_program_that_is_killed_has_failed(model_directory, tmp_path):
    entrant = Entrant(OURS, "library", model_directory)
    with Program(entrant, SIDE_BY_SIDE, "wall", tmp_path / "errors.log") as program:
        program._processes[1].kill()
        program._processes[1].wait()
        with pytest.raises(Failed, match=OURS):
            program.ask(CLIPS[0])


def test_a_whole_run(model_directory, tmp_path, capsys):
    models = ["--speed", str(model_directory), "--accuracy", str(model_directory)]
    files = ["--out", str(tmp_path / "page.md"), "--pictures", str(tmp_path)]
    length = ["--lengths", "0.5", "--divisions", "1x1", "--clock", "processor", "--rounds", "2", "--seconds", "0.1"]
    assert cli.main([*models, *files, *length, "--without", "int8", "servers", "fairness", "lanes"]) == 0
    text = capsys.readouterr().out
    assert "### 0.5 s of audio: " in text
    assert f"| {RUNTIME} | fp32 |" in text
    assert f"| {SHERPA} | {len(CLIPS)} of {len(CLIPS)}, 0.0 %, 0.0 % | 0.00 % | yes |" in text
    assert text in (tmp_path / "page.md").read_text()
    assert (tmp_path / "benchmarks.png").stat().st_size > 1000


def test_a_page_that_cannot_be_finished_leaves_the_old_one(tmp_path):
    path = tmp_path / "page.md"
    page.write(path, "first")
    with pytest.raises(UnicodeEncodeError):
        page.write(path, "\ud800")
    assert "first" in path.read_text()


def test_colours_tell_ours_from_theirs_and_int8_from_fp32():
    names = (OURS, OURS_FP32, SHERPA, SHERPA_INT8)
    assert len({picture._colour(name) for name in names}) == 4


def test_lanes(compared, model_directory):
    found = lanes.measure(model_directory, CLIPS[0], 2, 1)
    text = server_goals.of_server(compared, Texts(), None, None, found)
    assert "| start of a lane to its first answer | ≤ 1.5 s |" in text
    assert "| PSS of a further lane | ≤ 60 MiB |" in text
