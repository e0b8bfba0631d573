"""An encoder and decoder → one ONNX graph with the metadata that other programs read."""

from pathlib import Path

import onnx

from export.checkpoint import NemoModel
from export.errors import ExportError
from export.weights import write
from inference.package import Weights

_OPSET = 17
_INPUTS, _OUTPUTS = ["audio_signal", "length"], ["logprobs"]


def resize_positional_table(model: NemoModel, steps: int | None = None) -> None:
    """Make the table, which the exporter bakes into the graph, `steps` long, or as long as the checkpoint says.

    NeMo lengthens the table with every longer clip that goes through it; the graph must not depend on that.
    A shorter table makes a smaller file: 2 * steps * d_model numbers.
    """
    del model.encoder.pos_enc.pe  # or set_max_audio_length would only ever lengthen it
    model.encoder.set_max_audio_length(steps or model.encoder.pos_emb_max_len)


def write_graph(model: NemoModel, path: Path, weights: Weights = "float32") -> None:
    """Export `model` (an `EncDecCTCModelBPE`) to `path`, its weights stored so.

    Raises ExportError where the graph is not what is served.
    """
    try:
        model.export(str(path), onnx_opset_version=_OPSET)
    except Exception as error:  # the exporter raises whatever an operator raises
        raise ExportError(f"the model cannot be exported to ONNX: {error}") from error
    graph = onnx.load(path)
    inputs = [node.name for node in graph.graph.input]
    outputs = [node.name for node in graph.graph.output]
    if (inputs, outputs) != (_INPUTS, _OUTPUTS):
        raise ExportError(f"the graph goes from {inputs} to {outputs}, not from {_INPUTS} to {_OUTPUTS}")
    onnx.helper.set_model_props(graph, _metadata(model))
    graph.doc_string = ""
    write(graph, path, weights)


def opset_of(path: Path) -> int:
    """Return the version of the standard operators that a graph uses."""
    graph = onnx.load(path, load_external_data=False)
    return max(int(entry.version) for entry in graph.opset_import if not entry.domain)


def subsampling_of(model: NemoModel) -> int:
    """Frames to a step."""
    return int(model.encoder.subsampling_factor)


def maximum_steps_of(model: NemoModel) -> int:
    """Length of the positional table."""
    table = int(model.encoder.pos_enc.pe.shape[1])
    relative = type(model.encoder.pos_enc).__name__ == "RelPositionalEncoding"
    return (table + 1) // 2 if relative else table  # a relative table runs from -(n - 1) to n - 1


def _metadata(model: NemoModel) -> dict[str, str]:
    """Keys of sherpa-onnx (`offline-nemo-enc-dec-ctc-model.cc` reads the first three and `is_giga_am`)."""
    return {
        "vocab_size": str(model.decoder.num_classes_with_blank - 1),
        "subsampling_factor": str(subsampling_of(model)),
        "normalize_type": str(model.cfg.preprocessor.get("normalize", "per_feature")),
        "model_type": "EncDecCTCModelBPE",
        "version": "1",
        "model_author": "NeMo",
        "comment": "exported by python -m export",
    }
