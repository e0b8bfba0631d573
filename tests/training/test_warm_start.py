"""A training that starts from a package starts with what the package hears."""

from pathlib import Path

import pytest

from tests.training.needs import WARNS, needs

ROOT = Path(__file__).parent.parent.parent
PACKAGE, CLIPS = ROOT / "models/hi-demo", ROOT / "tests/data"
pytestmark = [
    pytest.mark.training,
    pytest.mark.timeout(600),
    needs("torch", "nemo", "sentencepiece", "onnxruntime"),
    WARNS,
]
TEXTS = ["नमस्ते दुनिया", "मेरा नाम राम है और मैं दिल्ली में रहता हूँ", "आज मौसम अच्छा है"]


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    import sentencepiece  # noqa: F401 - a clear failure here, not in the middle

    from training.network.warm_start import begin_from

    folder = tmp_path_factory.mktemp("work")
    rows = [row.split("\t") for row in (CLIPS / "expected.tsv").read_text(encoding="utf-8").splitlines()]
    known = [{"audio_filepath": str(CLIPS / name), "text": text} for name, text, *_ in rows if name.endswith(".wav")]
    everything = (ROOT / "training/data/stories.txt").read_text(encoding="utf-8").splitlines()
    words = (ROOT / "training/data/slots.txt").read_text(encoding="utf-8").splitlines()
    texts = [line.replace("|", " ") for line in [*everything, *words] if not line.startswith("#")]
    clip = known[0]["audio_filepath"]
    begin_from(PACKAGE, folder, [*known, *({"audio_filepath": clip, "text": text} for text in texts)])
    return folder


def test_it_gives_the_package_s_log_probabilities(work):
    import numpy as np
    import onnxruntime
    import soundfile
    import torch

    from training.network.checkpoint import load_start
    from training.network.model import build, shape_of

    state = load_start(work)
    model = build(shape_of(state), work / "tokenizer")
    model.load_state_dict(state)
    model.eval()
    session = onnxruntime.InferenceSession(str(PACKAGE / "model.onnx"))
    norms = [value for name, value in state.items() if name.endswith("batch_norm.running_var")]
    assert all(float(norm.std()) > 0 for norm in norms), "statistics were measured, not left at one"
    for clip in sorted(CLIPS.glob("*.wav")):
        wave = torch.from_numpy(soundfile.read(clip, dtype="float32")[0])[None]
        with torch.no_grad():
            features, lengths = model.preprocessor(input_signal=wave, length=torch.tensor([wave.shape[1]]))
            ours = model(processed_signal=features, processed_signal_length=lengths)[0].numpy()
        theirs = session.run(None, {"audio_signal": features.numpy(), "length": lengths.numpy()})[0]
        # The table of positions lies in the package in half precision; NeMo computes its own.
        assert np.abs(ours - theirs).max() < 3e-3


def test_the_tokenizer_has_the_package_s_pieces_and_spells_with_them(work):
    from sentencepiece import SentencePieceProcessor

    from inference.decoding.vocabulary import load_vocabulary

    pieces = load_vocabulary(PACKAGE / "vocab.txt").pieces
    processor = SentencePieceProcessor(model_file=str(work / "tokenizer/tokenizer.model"))
    assert [processor.id_to_piece(index) for index in range(processor.get_piece_size())] == list(pieces)
    for text in TEXTS:
        assert processor.decode(processor.encode(text)) == text
