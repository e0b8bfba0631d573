"""A real EncDecCTCModelBPE with random weights: the shapes, and so the speed, of NVIDIA's models."""

import tempfile
from collections.abc import Mapping
from pathlib import Path

from export.checkpoint import Checkpoint, import_model_class
from export.configuration import Shape, conformer_ctc

SOURCE = "random weights, for benchmarks of speed only"
SEED = 20_261_122
_PIECES = 128

_STEMS = "कर जा दे ले आ बोल सुन देख लिख पढ़ चल रख मिल बैठ उठ सो खा पी बन रह कह गिन तोड़ छू झूल थक धो फेंक भर"
_ENDINGS = "ना ता ती ते ने कर ऊँगा ऊँगी ओगे एगा एगी एँगे इए कर"


# NeMo's examples/asr/conf/conformer/conformer_ctc_bpe.yaml; medium is stt_hi_conformer_ctc_medium.
SHAPES: Mapping[str, Shape] = {
    "small": Shape(width=176, layers=16, heads=4),
    "medium": Shape(width=256, layers=18, heads=4),
    "large": Shape(width=512, layers=18, heads=8),
}


def random_checkpoint(shape: Shape, seed: int = SEED, save_to: Path | None = None) -> Checkpoint:
    """Build a model whose weights depend on `seed` alone, and also write it to `save_to`, a `.nemo` file."""
    model_class = import_model_class()
    import torch
    from omegaconf import OmegaConf

    torch.manual_seed(seed)
    with tempfile.TemporaryDirectory() as directory:
        _train_tokenizer(Path(directory))
        settings = {**conformer_ctc(shape, Path(directory)), "optim": {"name": "adamw", "lr": 1e-3}}
        model = model_class(cfg=OmegaConf.create(settings))
        model.eval()
        if save_to:  # here, while the tokenizer's files exist
            save_to.parent.mkdir(parents=True, exist_ok=True)
            partial = save_to.with_name(f".partial-{save_to.name}")
            model.save_to(str(partial))
            partial.replace(save_to)
    return Checkpoint(model=model, source=SOURCE, nemo_version=str(model.cfg.nemo_version), sha256=None)


def _train_tokenizer(directory: Path) -> None:
    """Find 128 pieces in the forms of some verbs."""
    import sentencepiece

    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([" ".join(stem + ending for ending in _ENDINGS.split()) for stem in _STEMS.split()]),
        model_prefix=str(directory / "tokenizer"),
        vocab_size=_PIECES,
        model_type="bpe",  # unigram wants more text than this to find so many
        character_coverage=1.0,
        bos_id=-1,
        eos_id=-1,
        minloglevel=2,
    )
    # NeMo asks for this list beside the model, and reads nothing but its existence.
    vocabulary = (directory / "tokenizer.vocab").read_text(encoding="utf-8")
    (directory / "vocab.txt").write_text(vocabulary, encoding="utf-8")
