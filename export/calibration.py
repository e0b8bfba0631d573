"""The ranges that the int8 subsampling needs to know beforehand."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort

from export.errors import ExportError
from inference.types import Float32Array

_CONVOLUTIONS = ("/pre_encode/conv/conv.0/Conv", "/pre_encode/conv/conv.2/Conv")


def subsampling_ranges(source: Path, features: Sequence[Float32Array]) -> tuple[float, float]:
    """Largest output of either subsampling convolution of the exported graph: the median over clips, `[mels, frames]`.

    What goes beyond is cut: the largest of all clips would leave the others fewer steps, which costs more.
    Raises ExportError where the graph has no such nodes.
    """
    model = onnx.load(source)
    outputs = {node.name: node.output[0] for node in model.graph.node}
    if missing := [name for name in _CONVOLUTIONS if name not in outputs]:
        raise ExportError(f"{source}: there is no {', '.join(missing)}")
    wanted = [outputs[name] for name in _CONVOLUTIONS]
    model.graph.output.extend(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in wanted)
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    largest = []
    for clip in features:
        feed = {"audio_signal": clip[None], "length": np.array([clip.shape[1]], dtype=np.int64)}
        largest.append([float(found.max()) for found in session.run(wanted, feed)])
    first, second = np.median(largest, axis=0)
    return float(first), float(second)
