"""int8 by plan, with the real model: near to fp32, chosen where it may be, and reported."""

import dataclasses

import numpy as np
import onnx
import pytest

from inference import loading
from inference.audio import decode as audio
from inference.errors import PackageError
from inference.features import Featurizer
from inference.loading import choose_plan, load
from inference.machine import int8_weight_bits
from inference.package import load_package
from inference.prepared.prepare import prepare
from inference.prepared.rewriting.exported import Exported
from inference.prepared.rewriting.rewrite import rewrite, write
from inference.recogniser import OnnxRecogniser, SessionOptions
from inference.types import AudioLimits, Int8Plan
from tests.samples import CLIPS

PLAN = Int8Plan(
    once=("pre_encode", "linear1", "linear_q", "linear_k", "linear_v", "linear_out", "pointwise_conv1"),
    twice=("linear2", "pointwise_conv2", "decoder_layers.0"),
    ranges=(6.0, 18.0),
)
PLANS = (PLAN, dataclasses.replace(PLAN, weight_bits=7))
ABLE = pytest.mark.skipif(int8_weight_bits() is None, reason="this processor has no instructions for 8-bit products")


@pytest.fixture
def plain(model_directory):
    return dataclasses.replace(load_package(model_directory), int8=())


@pytest.fixture
def planned(plain):
    return dataclasses.replace(plain, int8=PLANS)


@pytest.fixture
def processor(monkeypatch):
    """Say how many bits weights may have on this processor."""
    return lambda bits: monkeypatch.setattr(loading, "int8_weight_bits", lambda: bits)


@ABLE
def test_near_to_fp32_in_the_graph_that_lanes_load(planned, features, tmp_path):
    loaded = load(planned, precision="auto", cache=tmp_path)
    assert (loaded.precision, loaded.prepared) == ({8: "int8", 7: "int8-w7"}[int8_weight_bits()], True)
    (graph,) = tmp_path.glob("*/model.onnx")
    assert np.abs(answer(graph, features) - answer(planned.model_path(), features)).mean() < 0.2
    operators = {node.op_type for node in onnx.load(graph, load_external_data=False).graph.node}
    assert operators >= {"QLinearConv", "DynamicQuantizeMatMul", "MatMulIntegerToFloat"}


@ABLE
@pytest.mark.parametrize("bits", [8, 7])
@pytest.mark.parametrize("kind", [*PLAN.once, *PLAN.twice])
def test_each_kind_alone_comes_near(planned, tmp_path, features, kind, bits):
    source = planned.model_path()
    groups = {"once": (kind,), "twice": ()} if kind in PLAN.once else {"once": (), "twice": (kind,)}
    plan = dataclasses.replace(PLAN, **groups, weight_bits=bits)
    write(Exported(source), tmp_path / "int8.onnx", plan)
    difference = np.abs(answer(tmp_path / "int8.onnx", features) - answer(source, features)).mean()
    assert 0 < difference < 0.1


@ABLE
def test_twice_comes_nearer_than_once(planned, tmp_path, features):
    source = planned.model_path()
    differences = []
    for plan in (Int8Plan(once=PLAN.twice), Int8Plan(twice=PLAN.twice)):
        write(Exported(source), tmp_path / "int8.onnx", plan)
        differences.append(np.abs(answer(tmp_path / "int8.onnx", features) - answer(source, features)).mean())
    assert differences[1] < 0.7 * differences[0]


@pytest.fixture
def features(planned):
    """Of one sample clip."""
    return Featurizer(planned.features)(audio.decode(CLIPS[0].read_bytes(), AudioLimits(), 16_000).waveform)


def answer(path, features):
    return OnnxRecogniser(path, SessionOptions())(features)


@pytest.mark.parametrize("bits", [8, 7])
def test_the_plan_for_this_kind_of_processor_is_chosen(plain, planned, processor, bits):
    processor(bits)
    mine, other = (dataclasses.replace(PLAN, weight_bits=each) for each in (bits, 15 - bits))
    assert [choose_plan(planned, wanted) for wanted in ("auto", "fp32", "int8")] == [mine, None, mine]
    assert [choose_plan(plain, wanted) for wanted in ("auto", "fp32")] == [None, None]
    elsewhere = dataclasses.replace(planned, int8=(other,))
    assert choose_plan(elsewhere, "auto") is None
    for package in (plain, elsewhere):
        with pytest.raises(PackageError, match=f"no int8 plan for weights of {bits} bits"):
            choose_plan(package, "int8")


def test_not_chosen_where_the_processor_is_not_able(planned, processor):
    processor(None)
    assert [choose_plan(planned, wanted) for wanted in ("auto", "fp32")] == [None, None]
    with pytest.raises(PackageError, match="VNNI"):
        choose_plan(planned, "int8")


@pytest.mark.parametrize(
    ("flags", "bits"),
    [("avx fma", None), ("avx2 fma", 7), ("avx512_vnni avx2", 8), ("avx2 avx_vnni", 8), ("asimd asimddp", 8)],
)
def test_what_the_processor_can_is_read_from_the_system(tmp_path, flags, bits):
    (tmp_path / "cpuinfo").write_text(f"processor: 0\nflags: fpu sse {flags}\n")
    assert int8_weight_bits(tmp_path / "cpuinfo") == bits
    assert int8_weight_bits(tmp_path / "missing") is None


def test_without_a_cache_fp32_serves_and_says_so(planned, processor, tmp_path):
    processor(8)
    (tmp_path / "file").write_text("")
    loaded = load(planned, precision="auto", cache=tmp_path / "file")
    assert (loaded.precision, loaded.prepared) == ("fp32", False)


def test_plans_have_fingerprints_of_their_own(planned):
    prints = [planned.fingerprint(plan) for plan in (None, Int8Plan(), *PLANS)]
    assert len(set(prints)) == 4


@pytest.mark.measuring
@ABLE
def test_plans_for_two_kinds_of_processors_are_prepared_apart(planned, tmp_path):
    graphs = []
    for plan in PLANS:
        graphs.append(prepare(planned, plan, tmp_path))
        assert graphs[-1].exists()
    assert len(set(graphs)) == 2


def test_a_graph_that_is_checked_is_written(planned, tmp_path):
    sizes = []
    for plan in (PLANS[1], None):
        rewrite(planned.model_path(), tmp_path / "written.onnx", plan)
        sizes.append((tmp_path / "written.onnx").stat().st_size)
    assert sizes[0] < 0.7 * sizes[1]
