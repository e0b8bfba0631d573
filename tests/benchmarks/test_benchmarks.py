"""The ruler: turns, the count of multiply-adds, what is reported of them."""

import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from benchmarks import page, programs
from benchmarks.__main__ import main
from benchmarks.limit import UNIT, fastest_product, multiply_adds
from benchmarks.programs import Company, Division, Times, company, take_turns
from benchmarks.quantised import Peers
from benchmarks.servers.roster import everybody
from benchmarks.subject import LIMIT, OURS, RUNTIME, Entrant, Subject
from inference.package import load_package
from loadtest.harness import REPOSITORY, children
from loadtest.harness.children import Children, Failed, Heard
from tests.samples import CLIPS

ALONE, SIDE_BY_SIDE = Division(1, 2), Division(2, 1)


class Scripted:
    """A program that answers at once and writes down when it was asked."""

    def __init__(self, name, seconds, asked, breaks=False):
        self.name, self.seconds, self.asked, self.breaks = name, seconds, asked, breaks

    def hear(self, clips, seconds, warm_up):  # noqa: ARG002 - a program's signature
        self.asked.append(self.name)
        if self.breaks:
            raise Failed(f"{self.name} is broken")
        return [Heard([self.seconds], "", None)]


@pytest.fixture
def cast(monkeypatch):
    monkeypatch.setattr(programs, "_PAUSE", 0.0)
    asked = []
    found = {(name, ALONE): Scripted(name, 2.0**index, asked) for index, name in enumerate("abc")}
    return Company(found, frozenset("a")), asked


def test_programs_take_turns_and_each_begins(cast):
    times = take_turns(cast[0], CLIPS[0], 3, 1.0)
    assert "".join(cast[1]) == "abcbcacab"
    assert times.gain("a", "c").median == pytest.approx(4)


def test_a_program_that_breaks_leaves_and_the_others_go_on(cast):
    cast[0].programs["b", SIDE_BY_SIDE] = Scripted("B", 1.0, cast[1], breaks=True)
    times = take_turns(cast[0], CLIPS[0], 2, 1.0)
    assert list(times.seconds) == ["a", "c"]
    assert cast[0].broken == {"b": "B is broken"}
    assert "".join(cast[1]) == "abcBca"


def test_nothing_is_left_to_compare_when_ours_breaks(cast):
    cast[0].programs["a", ALONE].breaks = True
    with pytest.raises(Failed, match="a is broken"):
        take_turns(cast[0], CLIPS[0], 2, 1.0)


@pytest.fixture
def times():
    """Ours is fastest side by side; the limit in every way."""
    return Times(
        {
            OURS: {ALONE: [0.1, 0.1], SIDE_BY_SIDE: [0.05, 0.05]},
            LIMIT: {ALONE: [0.04, 0.04]},
            "peer": {ALONE: [0.2, 0.3], SIDE_BY_SIDE: [0.4, 0.4]},
        },
        {OURS: 0.02},
    )


def test_each_program_counts_in_the_division_that_suits_it(times):
    assert times.full(OURS) == [0.05, 0.05]
    assert times.full("peer") == times.alone("peer") == [0.2, 0.3]
    assert times.gain(OURS, "peer").median == pytest.approx(5)


def test_what_is_told(times, capsys, tmp_path):
    report = page.Report(5.0, None, "model")
    report.libraries(times, {OURS: "int8"}, {"peer": 20.0})
    said = capsys.readouterr().out
    assert "this library: 100 · 100 ms · int8 · 0.80 of the limit · 2.0% outside\n" in said
    assert "peer: 20 · 250 ms · × 5.00 [4.20, 5.80] · WER 20.0 %\n" in said
    report.draw(tmp_path / "picture.png")
    assert (tmp_path / "picture.png").stat().st_size > 1000


def test_the_page_has_a_row_for_each_program_and_server(model_directory):
    subject = Subject(load_package(model_directory), Peers(model_directory, model_directory), Path("a.nemo"))
    servers = [settings[0].name for settings in everybody(subject, Path(sys.executable), 2)]
    text = (REPOSITORY / "docs" / "performance.md").read_text(encoding="utf-8")
    for table, names in (("libraries", [entrant.name for entrant in subject.entrants()]), ("servers", servers)):
        block = text.partition(f"<!-- {table}: begin -->")[2].partition(f"<!-- {table}: end -->")[0]
        rows = [line.split("|")[1].strip() for line in block.splitlines() if line.startswith("|")][2:]
        assert sorted(rows) == sorted(names)


def _graph(*nodes, weights, path):
    values = [helper.make_tensor_value_info("audio_signal", TensorProto.FLOAT, [1, 4, "T"])]
    values += [helper.make_tensor_value_info("length", TensorProto.INT64, [1])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
    initializers = [numpy_helper.from_array(array, name) for name, array in weights.items()]
    graph = helper.make_graph(list(nodes), "graph", values, outputs, initializers)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def test_multiply_adds_of_products_and_convolutions(tmp_path):
    convolution = helper.make_node("Conv", ["audio_signal", "kernel"], ["x"], kernel_shape=[3], pads=[1, 1])
    product = helper.make_node("MatMul", ["left", "x"], ["y"])
    weights = {"kernel": np.ones((6, 4, 3), np.float32), "left": np.ones((1, 5, 6), np.float32)}
    path = _graph(convolution, product, weights=weights, path=tmp_path / "graph.onnx")
    frames = 10
    assert multiply_adds(path, 4, frames) == frames * (6 * 4 * 3) + frames * (5 * 6)


def test_the_fastest_product_can_be_repeated():
    product = fastest_product(1)
    assert product() is None
    assert UNIT > 10**9


def library(model, **given):
    return Entrant(OURS, "loadtest.harness.library:library", {"model": model, **given})


def test_two_processes_hear_side_by_side(model_directory, tmp_path):
    given = {"model": model_directory, "threads": 1}
    with Children("loadtest.harness.library:library", given, tmp_path / "log", 2) as found:
        heard = found.hear(CLIPS[:2], 0.1)
        assert found.computes.startswith(("fp32", "int8"))
    assert len(heard) == 2
    assert all(child.text and child.rate > 0 and 0 < child.outside < 1 for child in heard)


def test_a_program_that_cannot_start_says_why(tmp_path):
    with company([library(tmp_path / "nowhere")], [ALONE], tmp_path) as found:
        assert not found.programs
    assert "does not exist" in found.broken[OURS]


def test_a_program_that_hangs_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(children, "_PATIENCE", 0.2)
    hangs = tmp_path / "hangs"
    hangs.write_text("#!/bin/sh\nexec sleep 60\n")
    hangs.chmod(0o755)
    with pytest.raises(Failed):
        Children("nothing:nothing", {"threads": 1}, tmp_path / "log", python=hangs)


def test_a_program_that_is_killed_has_failed(model_directory, tmp_path):
    given = {"model": model_directory, "threads": 1}
    with Children("loadtest.harness.library:library", given, tmp_path / "log", 2) as found:
        found._processes[1].kill()
        found._processes[1].wait()
        with pytest.raises(Failed):
            found.hear(CLIPS[:1])


@pytest.mark.measuring
@pytest.mark.timeout(900)
def test_a_whole_run(model_directory, tmp_path, capsys):
    table = "| program | AVX2 | VNNI |\n| --- | --- | --- |"
    names = [LIMIT, OURS, f"{OURS}, fp32", RUNTIME, "sherpa-onnx", "onnx-asr"]
    rows = "\n".join(f"| {name} |  |  |" for name in names)
    (tmp_path / "page.md").write_text(f"<!-- libraries: begin -->\n{table}\n{rows}\n<!-- libraries: end -->\n")
    arguments = ["--speed", model_directory, "--accuracy", model_directory, "--length", 0.5, "--rounds", 2]
    arguments += ["--seconds", 0.1, "--without", "int8", "servers", "--page", tmp_path / "page.md"]
    assert main([str(argument) for argument in arguments]) == 0
    assert f"  {RUNTIME}: " in capsys.readouterr().out
    text = (tmp_path / "page.md").read_text()
    assert "| sherpa-onnx | " in text
    assert text.count("WER 0.0 %") >= 3
