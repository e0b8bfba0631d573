"""The story of an export: checkpoint → graph, vocabulary, model.yaml."""

from dataclasses import dataclass
from pathlib import Path

from omegaconf import OmegaConf

from export import graph, package_writer
from export.checkpoint import Checkpoint, nemo_versions
from export.preprocessor import Semantics, feature_parameters, semantics_of
from inference.package import FORMAT, GraphFile, Package, PackageFile, Weights, load_package, sha256

_GRAPH_FILE = "model.onnx"


@dataclass(frozen=True, slots=True)
class Labels:
    """What the checkpoint itself does not know."""

    name: str
    language: str
    """BCP 47 tag."""
    licence: str
    source: str | None = None
    """Where the weights come from; the checkpoint's file or name where it is None."""


@dataclass(frozen=True, slots=True)
class Choices:
    """What may differ from the checkpoint."""

    semantics: Semantics | None = None
    """How features are computed; None: as the checkpoint's own NeMo version has it."""
    positions: int | None = None
    """Steps in the positional table, which bounds the length of the audio; None: the checkpoint's."""
    weights: Weights = "float32"
    """How they are stored; in float16 the file is half as long, in int8 little more than a quarter."""
    replace: bool = False
    """Whether an existing package may be written over."""


def write_package(checkpoint: Checkpoint, out: Path, labels: Labels, choices: Choices | None = None) -> Package:
    """Write a package to `out` and read it back. Raises ExportError, and then nothing is written."""
    choices = choices or Choices()
    model = checkpoint.model
    section = OmegaConf.to_container(model.cfg.preprocessor, resolve=True)
    features = feature_parameters(section, choices.semantics or semantics_of(checkpoint.nemo_version))
    graph.resize_positional_table(model, choices.positions)
    with package_writer.new_directory(out, replace=choices.replace) as directory:
        vocabulary_path = directory / package_writer.VOCABULARY_FILE
        package_writer.write_vocabulary(vocabulary_path, checkpoint.pieces)
        graph.write_graph(model, directory / _GRAPH_FILE, choices.weights)
        package = Package(
            directory=directory,
            format=FORMAT,
            name=labels.name,
            language=labels.language,
            architecture="nemo-conformer-ctc",
            features=features,
            subsampling=graph.subsampling_of(model),
            blank=len(checkpoint.pieces),
            maximum_steps=graph.maximum_steps_of(model),
            models={"fp32": GraphFile(_GRAPH_FILE, sha256(directory / _GRAPH_FILE), choices.weights)},
            vocabulary=PackageFile(vocabulary_path.name, sha256(vocabulary_path)),
            licence=labels.licence,
            source=labels.source or checkpoint.source,
            provenance=_provenance(checkpoint, directory / _GRAPH_FILE),
        )
        package_writer.write_onnx_asr_config(directory, package)
        package_writer.write_manifest(package)
    return load_package(out)


def _provenance(checkpoint: Checkpoint, graph_path: Path) -> dict[str, object]:
    parameters = sum(parameter.numel() for parameter in checkpoint.model.parameters())
    provenance: dict[str, object] = {
        "checkpoint": checkpoint.source,
        "checkpoint_nemo": checkpoint.nemo_version,
        "parameters": parameters,
        "exported_with": {**nemo_versions(), "opset": graph.opset_of(graph_path)},
    }
    if checkpoint.sha256:
        provenance["checkpoint_sha256"] = checkpoint.sha256
    return provenance
