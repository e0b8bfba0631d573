"""int8 by plan, with the real model: near to fp32, chosen where it may be, and told."""

import dataclasses

import numpy as np
import onnx
import pytest

from inference import audio, loading
from inference.cpu import has_int8_products
from inference.errors import PackageError
from inference.features import Featurizer
from inference.loading import choose_precision, load
from inference.model import Model, SessionOptions
from inference.package import load_package
from inference.rewriting.exported import Exported
from inference.rewriting.rewrite import rewrite, write
from inference.types import Int8Plan, Options
from tests.samples import CLIPS

PLAN = Int8Plan(
    once=("pre_encode", "linear1", "linear_q", "linear_k", "linear_v", "linear_out", "pointwise_conv1"),
    twice=("linear2", "pointwise_conv2", "decoder_layers.0"),
    ranges=(6.0, 18.0),
)
ABLE = pytest.mark.skipif(not has_int8_products(), reason="this processor has no instructions for 8-bit products")


@pytest.fixture
def plain(model_directory):
    return dataclasses.replace(load_package(model_directory), int8=None)


@pytest.fixture
def planned(plain):
    return dataclasses.replace(plain, int8=PLAN)


@pytest.fixture
def processor(monkeypatch):
    """Say whether this processor has instructions for 8-bit products."""
    return lambda able: monkeypatch.setattr(loading, "has_int8_products", lambda: able)


@ABLE
def test_near_to_fp32_in_the_graph_that_lanes_load(planned, features, tmp_path):
    loaded = load(planned, precision="auto", cache=tmp_path)
    assert (loaded.precision, loaded.prepared) == ("int8", True)
    (graph,) = tmp_path.glob("*/model.onnx")
    assert np.abs(answer(graph, features) - answer(planned.model_path(), features)).mean() < 0.2
    operators = {node.op_type for node in onnx.load(graph, load_external_data=False).graph.node}
    assert operators >= {"QLinearConv", "DynamicQuantizeMatMul", "MatMulIntegerToFloat"}


@ABLE
@pytest.mark.parametrize("kind", [*PLAN.once, *PLAN.twice])
def test_each_kind_alone_comes_near(planned, tmp_path, features, kind):
    source = planned.model_path()
    plan = dataclasses.replace(PLAN, once=(kind,), twice=()) if kind in PLAN.once else Int8Plan((), (kind,))
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
    return Featurizer(planned.features)(audio.decode(CLIPS[0].read_bytes(), Options(), 16_000).waveform)


def answer(path, features):
    return Model(path, SessionOptions())(features)


def test_chosen_where_there_is_a_plan_and_the_processor_is_able(plain, planned, processor):
    processor(True)
    assert [choose_precision(planned, wanted) for wanted in ("auto", "fp32", "int8")] == ["int8", "fp32", "int8"]
    assert [choose_precision(plain, wanted) for wanted in ("auto", "fp32")] == ["fp32", "fp32"]
    with pytest.raises(PackageError, match="no int8 plan"):
        choose_precision(plain, "int8")


def test_not_chosen_where_the_processor_is_not_able(planned, processor):
    processor(False)
    assert [choose_precision(planned, wanted) for wanted in ("auto", "fp32")] == ["fp32", "fp32"]
    with pytest.raises(PackageError, match="VNNI"):
        choose_precision(planned, "int8")


@pytest.mark.parametrize(("flags", "able"), [("avx2 fma", False), ("avx512_vnni", True), ("avx_vnni", True)])
def test_what_the_processor_can_is_read_from_the_system(tmp_path, flags, able):
    (tmp_path / "cpuinfo").write_text(f"processor: 0\nflags: fpu sse {flags}\n")
    assert has_int8_products(tmp_path / "cpuinfo") is able
    assert not has_int8_products(tmp_path / "missing")


def test_without_a_cache_fp32_serves_and_says_so(planned, processor, tmp_path):
    processor(True)
    (tmp_path / "file").write_text("")
    loaded = load(planned, precision="auto", cache=tmp_path / "file")
    assert (loaded.precision, loaded.prepared) == ("fp32", False)


def test_precisions_and_plans_have_fingerprints_of_their_own(plain, planned):
    other = dataclasses.replace(planned, int8=Int8Plan())
    prints = {plain.fingerprint("fp32"), planned.fingerprint("int8"), other.fingerprint("int8")}
    assert len(prints) == 3
    assert planned.fingerprint("fp32") == plain.fingerprint("fp32")


def test_a_graph_that_is_checked_is_written(planned, tmp_path):
    rewrite(planned.model_path(), tmp_path / "int8.onnx", PLAN)
    assert (tmp_path / "int8.onnx").stat().st_size < planned.model_path().stat().st_size
