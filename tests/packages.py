"""Model packages for tests, made on the spot."""

import hashlib
import shutil

import numpy as np
import onnx
import yaml
from onnx import numpy_helper


def random_package(source, directory, *, name, language, seed):
    """A package of the same shape whose weights are those of `source` in random order: it hears other things."""
    shutil.copytree(source, directory)
    model = onnx.load(directory / "model.onnx")
    chance = np.random.default_rng(seed)
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype in (np.float32, np.float16) and values.ndim >= 2 and values.size > 1000:
            shuffled = chance.permutation(values.ravel()).reshape(values.shape)
            tensor.CopyFrom(numpy_helper.from_array(shuffled, tensor.name))
    onnx.save(model, directory / "model.onnx")
    manifest = yaml.safe_load((directory / "model.yaml").read_text(encoding="utf-8"))
    manifest |= {"name": name, "language": language, "accuracy": [], "int8": []}
    manifest["models"]["fp32"]["sha256"] = hashlib.sha256((directory / "model.onnx").read_bytes()).hexdigest()
    for of_other_weights in ("language_model", "word_model", "calibration", "confidence"):
        manifest.pop(of_other_weights, None)
    (directory / "model.yaml").write_text(yaml.safe_dump(manifest), encoding="utf-8")
    return directory
