"""Checkpoints of other kinds: what is taken, and what is refused with which words."""

import io
import tarfile
from types import SimpleNamespace

import pytest
import yaml

from export.cli import main
from export.errors import ExportError
from inference.package import load_package


@pytest.fixture
def repacked(nemo_checkpoint_file, tmp_path):
    """Write the same .nemo file with its configuration changed."""

    def repack(change):
        path = tmp_path / "changed.nemo"
        with tarfile.open(nemo_checkpoint_file) as old, tarfile.open(path, "w") as new:
            for member in old:
                data = old.extractfile(member).read() if member.isfile() else b""
                if member.name.endswith("model_config.yaml"):
                    config = yaml.safe_load(data)
                    change(config)
                    data = yaml.safe_dump(config).encode()
                    member.size = len(data)
                new.addfile(member, io.BytesIO(data))
        return str(path)

    return repack


@pytest.mark.parametrize(
    ("version", "semantics"), [("1.6.0", "nemo-1"), ("2.4.0", "nemo-1"), ("2.5.0", "nemo-2.5"), ("3.0.0", "nemo-2.5")]
)
def test_the_checkpoints_own_version_tells_the_features(repacked, tmp_path, version, semantics):
    source = repacked(lambda config: config.update(nemo_version=version))
    assert main(["nemo", source, "--out", str(tmp_path / "x"), "--language", "mr", "--name", "tiny"]) == 0
    package = load_package(tmp_path / "x")
    assert package.features.semantics == semantics
    assert package.provenance["checkpoint_nemo"] == version
    assert (package.language, package.name, package.source) == ("mr", "tiny", "changed.nemo")


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda config: config["preprocessor"].update(window="hamming"), "window is 'hamming'"),
        (lambda config: config["preprocessor"].update(normalize="all_features"), "normalize is 'all_features'"),
        (lambda config: config.update(target="nemo.collections.asr.models.EncDecRNNTBPEModel"), "EncDecRNNTBPEModel"),
        (lambda config: config.update(target="nemo.collections.asr.models.EncDecCTCModel"), "EncDecCTCModel"),
        (
            lambda config: config["encoder"].update(self_attention_model="rel_pos_local_attn", att_context_size=[8, 8]),
            "self_attention_model",
        ),
        (lambda config: config["encoder"].update(att_context_size=[100, 100]), "att_context_size is [100, 100]"),
        (lambda config: config["encoder"].update(d_model=64), "cannot restore"),
        (lambda config: config.update(nemo_version="?"), "--semantics"),
    ],
)
def test_refused_in_one_line(repacked, tmp_path, capsys, change, complaint):
    assert main(["nemo", repacked(change), "--out", str(tmp_path / "x")]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert complaint in error
    assert [path.name for path in tmp_path.iterdir()] == ["changed.nemo"]


def test_pieces_of_bytes_are_refused(tmp_path):
    import sentencepiece

    from export.checkpoint import _check_pieces

    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["नमस्ते दुनिया", "मेरा नाम राम है"]), model_prefix=str(tmp_path / "bytes"),
        vocab_size=300, byte_fallback=True, hard_vocab_limit=False, minloglevel=2,
    )  # fmt: skip
    pieces = sentencepiece.SentencePieceProcessor(str(tmp_path / "bytes.model"))
    with pytest.raises(ExportError, match="only pieces of text are taken"):
        _check_pieces(SimpleNamespace(tokenizer=pieces, vocab_size=pieces.vocab_size()))
