"""What int8 needs to know beforehand: how far activations reach on speech."""

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort

from export.errors import ExportError
from inference.prepared.rewriting.balance import MEASURED, Reach
from inference.prepared.rewriting.conformer import conformer
from inference.prepared.rewriting.exported import Exported
from inference.prepared.rewriting.graph import Graph
from inference.prepared.rewriting.products import Products
from inference.types import Float32Array

_CONVOLUTIONS = ("/pre_encode/conv/conv.0/Conv", "/pre_encode/conv/conv.2/Conv")
_SHARE_OF_CLIPS = 0.75


def subsampling_ranges(source: Path, features: Sequence[Float32Array]) -> tuple[float, float]:
    """Largest output of either subsampling convolution of the exported graph, for `features` as `[mels, frames]`.

    Of three clips in four: what goes beyond is cut. The largest of all clips would leave the others fewer steps, their
    median would cut too much; either costs twice as much accuracy. Raises ExportError where there are no such nodes.
    """
    model = onnx.load(source)
    outputs = {node.name: node.output[0] for node in model.graph.node}
    if missing := [name for name in _CONVOLUTIONS if name not in outputs]:
        raise ExportError(f"{source}: there is no {', '.join(missing)}")
    wanted = [outputs[name] for name in _CONVOLUTIONS]
    largest = [[float(found.max()) for found in clip] for clip in _answers(model, wanted, features)]
    first, second = np.quantile(largest, _SHARE_OF_CLIPS, axis=0)
    return float(first), float(second)


def measure_reach(exported: Exported, features: Sequence[Float32Array]) -> Reach:
    """Largest magnitude of each channel that `prepared/rewriting/balance.py` asks for; `features` as above."""
    products = Products(Graph(), None)
    output = conformer(products, exported)
    modules = [name for name in products.inputs if name.endswith(MEASURED)]
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "graph.onnx"
        products.graph.save(path, exported.mel_bins, output)
        clips = _answers(onnx.load(path), [products.inputs[name] for name in modules], features)
        of_clips = [[np.abs(found).max(axis=0) for found in clip] for clip in clips]
    return {name: np.max(found, axis=0) for name, found in zip(modules, zip(*of_clips, strict=True), strict=True)}


def _answers(
    model: onnx.ModelProto, wanted: Sequence[str], clips: Sequence[Float32Array]
) -> Iterator[list[Float32Array]]:
    """Run clip after clip; yield those values of the graph."""
    model.graph.output.extend(
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in dict.fromkeys(wanted)
    )
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    for clip in clips:
        feed = {"audio_signal": clip[None], "length": np.array([clip.shape[1]], dtype=np.int64)}
        yield session.run(wanted, feed)
