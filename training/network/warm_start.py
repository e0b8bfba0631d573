"""Begin a training from a package instead of from chance: the graph's weights back into NeMo's model.

The exporter stored most weights under their own names, matrices transposed under made-up ones, and folded each batch
norm into the convolution before it. The folded convolution is kept as it is and followed by a batch norm that changes
nothing: its statistics are measured on clips, and its scale and shift undo them. In training mode it normalises by the
batch, as ever, so the model starts within a batch's chance of where the package ended.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import sentencepiece
import soundfile
import torch
from onnx import numpy_helper
from sentencepiece import sentencepiece_model_pb2
from torch import Tensor

from inference.decoding.vocabulary import load_vocabulary
from inference.errors import InferenceError
from inference.package import Package, load_package
from inference.prepared.rewriting.stored_weights import read_widened
from training.files import RecipeError
from training.network.checkpoint import load_start, save_start
from training.network.model import build, make_tokenizer, shape_of

_ROUNDS = 4
"""Of counting pieces, to find their probabilities."""
_CLIPS = 40
"""On which batch norms are measured."""


def _package(directory: Path) -> Package:
    try:
        return load_package(directory)
    except InferenceError as error:
        raise RecipeError(f"{directory}: {error}") from error


def begin_from(directory: Path, work: Path, rows: list[dict[str, Any]]) -> None:
    """Put the package's tokenizer and weights into `work`, unless they are there; `rows` lend text and clips."""
    if load_start(work) is not None:
        return
    tokenizer = package_tokenizer(directory, [row["text"] for row in rows], work / "tokenizer")
    state = package_weights(directory)
    model = build(shape_of(state), tokenizer)
    model.load_state_dict({**model.state_dict(), **state})  # the graph holds no preprocessor
    every = max(1, len(rows) // _CLIPS)
    settle_batch_norms(model, [Path(row["audio_filepath"]) for row in rows[::every]])
    save_start(work, model.state_dict())


def package_tokenizer(directory: Path, texts: list[str], folder: Path) -> Path:
    """A tokenizer in `folder` of the package's vocabulary, which counts its pieces in `texts`."""
    return tokenizer_of(list(load_vocabulary(_package(directory).vocabulary_path()).pieces), texts, folder)


def package_weights(directory: Path) -> dict[str, Tensor]:
    """The weights of a package that `export` wrote, by NeMo's names."""
    return read_weights(_package(directory).model_path())


def _weight(node: onnx.NodeProto, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Parameters of a matrix product or convolution, by NeMo's names, which the node's own name spells."""
    known = [weights[name] for name in node.input if name in weights]
    if not known:
        return {}
    path = node.name.strip("/").rpartition("/")[0].replace("/", ".")
    if path.startswith("pre_encode.conv."):
        path = path.replace("conv.conv.", "conv.")
    name = path.replace("decoder_layers.decoder_layers", "decoder.decoder_layers")
    name = name if name.startswith("decoder.") else f"encoder.{name}"
    found = {f"{name}.weight": known[0].T if node.op_type == "MatMul" else known[0]}
    if node.op_type == "Conv" and len(known) > 1:
        found[f"{name}.bias"] = known[1]
    return found


def read_weights(graph: Path) -> dict[str, Tensor]:
    """NeMo's parameters from the graph that `export` wrote; batch norms change nothing yet (mean 0, variance 1)."""
    model = read_widened(graph)
    weights = {
        tensor.name: torch.from_numpy(numpy_helper.to_array(tensor).copy()) for tensor in model.graph.initializer
    }
    state = {name: tensor for name, tensor in weights.items() if name.startswith(("encoder.", "decoder."))}
    for node in model.graph.node:
        if node.op_type in ("MatMul", "Conv"):
            state |= _weight(node, weights)
    for name in [name for name in state if name.endswith("depthwise_conv.bias")]:
        norm, width = name.replace("depthwise_conv.bias", "batch_norm"), state[name].shape[0]
        ones, zeros = torch.ones(width), torch.zeros(width)
        state |= {f"{norm}.weight": ones, f"{norm}.bias": zeros}
        state |= {f"{norm}.running_mean": zeros, f"{norm}.running_var": ones - 1e-5}
        state[f"{norm}.num_batches_tracked"] = torch.tensor(0)
    return {name: tensor.contiguous() for name, tensor in state.items()}


def settle_batch_norms(model: Any, clips: list[Path]) -> None:
    """Measure what the convolutions give on `clips`; make each batch norm normalise by that and undo it."""
    sums: dict[str, list[Tensor]] = {}
    hooks = []
    for name, module in model.named_modules():
        if name.endswith(".batch_norm"):
            keep = sums.setdefault(name, [])
            hooks.append(module.register_forward_pre_hook(lambda _module, given, keep=keep: keep.append(given[0][0])))
    model.eval()
    with torch.no_grad():
        for clip in clips:
            wave = torch.from_numpy(soundfile.read(clip, dtype="float32")[0])[None]
            model(input_signal=wave, input_signal_length=torch.tensor([wave.shape[1]]))
    for hook in hooks:
        hook.remove()
    for name, module in model.named_modules():
        if name in sums:
            seen = torch.cat(sums[name], 1)
            module.running_mean.copy_(seen.mean(1))
            module.running_var.copy_(seen.var(1))
            with torch.no_grad():
                module.weight.copy_((module.running_var + module.eps).sqrt())
                module.bias.copy_(module.running_mean)


def tokenizer_of(pieces: list[str], texts: list[str], folder: Path) -> Path:
    """A SentencePiece model with exactly `pieces` in their order; probabilities counted anew on `texts`."""
    target = folder / "tokenizer.model"
    if target.exists():
        return folder
    make_tokenizer(texts, folder, len(pieces))  # for its settings; its pieces are replaced
    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString(target.read_bytes())
    target.unlink()
    for place, (entry, piece) in enumerate(zip(proto.pieces, pieces, strict=True)):
        entry.piece, entry.score = piece, -float(np.log(place + 2))  # the order is that of their probabilities
    for _ in range(_ROUNDS):
        processor = sentencepiece.SentencePieceProcessor(model_proto=proto.SerializeToString())
        counts = Counter(token for ids in processor.encode(texts) for token in ids)
        for place, entry in enumerate(proto.pieces):
            if place:  # 0 is <unk>
                entry.score = float(np.log((counts[place] + 0.5) / counts.total()))
    (folder / "vocab.txt").write_text("".join(f"{piece}\n" for piece in pieces), encoding="utf-8")
    target.write_bytes(proto.SerializeToString())
    return folder
