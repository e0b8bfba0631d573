"""What the processor could do: the model's multiply-adds, and the best rate of any matrix product."""

import json
import math
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

UNIT = 1 << 30
"""Multiply-adds; some milliseconds."""
_SIZES = ((1024, 1024, 1024), (256, 256, 1024), (1024, 1024, 256))  # rows, sum, columns: large, and a model's own
_REPETITIONS = 5


def multiply_adds(graph: Path, mel_bins: int, frames: int) -> int:
    """Count those of all products and convolutions in one run, from the shapes that ONNX Runtime's profiler saw."""
    import onnxruntime as ort

    with tempfile.TemporaryDirectory() as directory:
        options = ort.SessionOptions()
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(directory) / "profile")
        options.log_severity_level = 3
        session = ort.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
        features = np.zeros((1, mel_bins, frames), dtype=np.float32)
        session.run(None, {"audio_signal": features, "length": np.array([frames], dtype=np.int64)})
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    return sum(_of_node(event["args"]) for event in events if "output_type_shape" in event.get("args", {}))


def _of_node(node: Mapping[str, Any]) -> int:
    shapes = [next(iter(entry.values())) for entry in node["input_type_shape"]]
    if node["op_name"] in ("MatMul", "FusedMatMul", "Gemm", "FusedGemm"):
        summed = shapes[0][-1]
    elif node["op_name"] in ("Conv", "FusedConv"):
        summed = math.prod(shapes[1][1:])
    else:
        return 0
    results = math.prod(next(iter(node["output_type_shape"][0].values())))
    return int(summed * results)


def fastest_product(threads: int) -> Callable[[], None]:
    """Return a function that makes UNIT multiply-adds in fp32, with NumPy's BLAS or ONNX Runtime: whatever is faster.

    `threads` counts for ONNX Runtime; NumPy's must be told by the environment before it is imported.
    """
    rng = np.random.default_rng(0)
    products: list[Callable[[], None]] = []
    for rows, summed, columns in _SIZES:
        left = rng.normal(size=(rows, summed)).astype(np.float32)
        right = rng.normal(size=(summed, columns)).astype(np.float32)
        times = UNIT // (rows * summed * columns)
        products.append(_repeated(partial(np.matmul, left, right), times))
        products.append(_repeated(partial(_product(right, threads).run, None, {"x": left}), times))
    return min(products, key=lambda product: min(_seconds(product) for _ in range(_REPETITIONS)))


def _repeated(product: Callable[[], Any], times: int) -> Callable[[], None]:
    def run() -> None:
        for _ in range(times):
            product()

    return run


def _seconds(product: Callable[[], None]) -> float:
    started = time.perf_counter()
    product()
    return time.perf_counter() - started


def _product(right: Any, threads: int) -> Any:
    import onnx
    import onnxruntime as ort
    from onnx import TensorProto, helper, numpy_helper

    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "product",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", right.shape[0]])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["rows", right.shape[1]])],
        [numpy_helper.from_array(right, "w")],
    )
    model: onnx.ModelProto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    return ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
