"""Opens a `.nemo` file or a pretrained name, and says plainly what cannot be exported."""

import logging
import tarfile
import textwrap
import warnings
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from export.errors import ExportError
from inference.package import sha256

NemoModel: TypeAlias = Any  # NeMo has no types that mypy could read

_MODEL = "EncDecCTCModelBPE"
_ENCODER = "ConformerEncoder"
_UNLIMITED = [-1, -1]
_MOST_BYTES = 2**31 - 2**24  # of a message of protobuf's, less what is no weight
_ATTENTION = ("rel_pos", "abs_pos")  # those whose positional table bounds the length of the audio


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A NeMo model, restored on the CPU and ready to compute."""

    model: NemoModel
    """An `EncDecCTCModelBPE` in eval mode."""
    source: str
    """Where it came from, as model.yaml will say."""
    nemo_version: str
    """The NeMo that the checkpoint says it was saved with first."""
    sha256: str | None
    """Of the `.nemo` file; None for a pretrained name."""

    @property
    def pieces(self) -> list[str]:
        """SentencePiece's pieces in the order of their ids."""
        tokenizer = self.model.tokenizer
        return list(tokenizer.ids_to_tokens(list(range(tokenizer.vocab_size))))


def open_checkpoint(source: str) -> Checkpoint:
    """Restore `source`: a path ending in `.nemo`, or a name that NeMo can download.

    Raises ExportError where it is missing, damaged, or no Conformer-CTC with a SentencePiece vocabulary.
    """
    path = Path(source)
    is_file = path.is_file()
    if not is_file and (source.endswith(".nemo") or path.exists()):
        raise ExportError(f"{source} is not a file")
    if is_file:
        _check_archive(path)
    model_class = import_model_class()
    model = _restore(model_class, path) if is_file else _download(model_class, source)
    model.eval()
    _check_model(model)
    return Checkpoint(
        model=model,
        source=path.name if is_file else source,
        nemo_version=str(model.cfg.get("nemo_version", "unknown")),
        sha256=sha256(path) if is_file else None,
    )


def nemo_versions() -> dict[str, str]:
    """Versions of the software that exports, for the provenance of a package."""
    import nemo
    import torch

    return {"nemo": nemo.__version__, "torch": str(torch.__version__)}


def import_model_class() -> NemoModel:
    """Import the one model class, with NeMo's many notices hushed; raise ExportError where NeMo is not installed."""
    for name in ("nv_one_logger", "nemo_logger", "pytorch_lightning", "torch.distributed.elastic"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore")
    try:
        from nemo.collections.asr.models import EncDecCTCModelBPE
        from nemo.utils import logging as nemo_logging
    except ImportError as error:
        raise ExportError(f"NeMo cannot be imported ({error}): pip install -r requirements/export.txt") from error
    nemo_logging.setLevel(nemo_logging.CRITICAL)  # its errors are pages; ours say the same in a line
    return EncDecCTCModelBPE


def _check_archive(path: Path) -> None:
    """Read the archive to its end, since NeMo's own message about a damaged one is a page of traceback."""
    try:
        with tarfile.open(path) as archive:
            names = {Path(member.name).name for member in archive}
            for member in archive:
                stream = archive.extractfile(member)
                while stream is not None and stream.read(1 << 20):
                    pass
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise ExportError(f"{path} is damaged or not a .nemo file: {error}") from error
    missing = {"model_config.yaml", "model_weights.ckpt"} - names
    if missing:
        raise ExportError(f"{path} is damaged or not a .nemo file: {' and '.join(sorted(missing))} missing")


def _restore(model_class: NemoModel, path: Path) -> NemoModel:
    config = _without_traceback(lambda: model_class.restore_from(str(path), return_config=True), str(path))
    target = str(config.get("target", ""))
    if not target.endswith(f".{_MODEL}"):
        raise ExportError(f"{path} holds a {target.rsplit('.', 1)[-1] or 'model of unknown class'}, not an {_MODEL}")
    return _without_traceback(lambda: model_class.restore_from(str(path), map_location="cpu"), str(path))


def _download(model_class: NemoModel, name: str) -> NemoModel:
    known = {info.pretrained_model_name for info in model_class.list_available_models()}
    if name not in known and "/" not in name:
        hindi = ", ".join(sorted(entry for entry in known if "_hi_" in entry))
        raise ExportError(f"{name} is neither a .nemo file nor a name that NeMo knows (for Hindi: {hindi})")
    try:
        model = model_class.from_pretrained(name, map_location="cpu")
    except Exception as error:  # urllib, requests, the hub's client: each raises its own
        raise ExportError(
            f"{name} cannot be downloaded ({_in_short(error)}): this needs the internet; "
            "download the .nemo file elsewhere and give its path"
        ) from error
    if type(model).__name__ != _MODEL:
        raise ExportError(f"{name} is a {type(model).__name__}, not an {_MODEL}")
    return model


def _without_traceback(action: Callable[[], NemoModel], what: str) -> NemoModel:
    try:
        return action()
    except Exception as error:  # NeMo raises whatever its parts raise
        raise ExportError(f"NeMo cannot restore {what}: {_in_short(error)}") from error


def _check_model(model: NemoModel) -> None:
    encoder = type(model.encoder).__name__
    if encoder != _ENCODER:
        raise ExportError(f"the encoder is a {encoder}; only {_ENCODER} can be exported")
    attention = model.encoder.self_attention_model
    if attention not in _ATTENTION:
        raise ExportError(f"the encoder's self_attention_model is {attention}; {' and '.join(_ATTENTION)} are taken")
    context = list(getattr(model.encoder, "att_context_size", _UNLIMITED))
    if context != _UNLIMITED:
        raise ExportError(f"the encoder's att_context_size is {context}; only attention to all steps is taken")
    if model.tokenizer_type != "bpe" or not hasattr(model.tokenizer, "ids_to_tokens"):
        raise ExportError(f"the tokenizer is of type {model.tokenizer_type}; only SentencePiece ('bpe') is taken")
    if model.decoder.num_classes_with_blank != model.tokenizer.vocab_size + 1:
        raise ExportError(
            f"the decoder has {model.decoder.num_classes_with_blank} classes "
            f"for {model.tokenizer.vocab_size} pieces and a blank"
        )
    _check_pieces(model.tokenizer)
    size = 4 * sum(parameter.numel() for parameter in model.parameters())
    if size > _MOST_BYTES:
        raise ExportError(f"the model has {size / 2**30:.1f} GiB of weights; 2 are the most that an ONNX file holds")


def _check_pieces(tokenizer: NemoModel) -> None:
    """Pieces that stand for bytes or for nothing would be written out as they are spelt."""
    pieces = tokenizer.tokenizer
    for number in range(tokenizer.vocab_size):
        if pieces.is_byte(number) or pieces.is_control(number):
            raise ExportError(f"the vocabulary holds {pieces.id_to_piece(number)!r}; only pieces of text are taken")


def _in_short(error: BaseException) -> str:
    return textwrap.shorten(f"{type(error).__name__}: {error}", 240)
