"""Corpora of recordings, as they are packed elsewhere, on a handful of clips made here."""

import argparse
import json
import tarfile

import numpy as np
import pytest
import soundfile

from training.corpora import Corpus, gather, parse_corpus
from training.files import RecipeError, read_manifest

TONE = (0.1 * np.sin(np.arange(2 * 48_000) / 20)).astype(np.float32)


def sound(path, rate=48_000, seconds=1.0):
    path.parent.mkdir(parents=True, exist_ok=True)
    count = int(rate * seconds)
    soundfile.write(path, np.resize(TONE, count) if rate == 16_000 else np.resize(TONE, (count, 2)), rate)


def gathered(folder, *corpora, without=()):
    return read_manifest(gather(list(corpora), folder, list(without), jobs=1))


@pytest.fixture
def common_voice(tmp_path):
    folder = tmp_path / "cv-corpus/hi"
    rows = [
        ("a", "common_1.mp3", "मेरे पास 25 किताबें हैं।", "hi"),
        ("a", "common_2.mp3", "नमस्ते, दुनिया!", "hi"),
        ("b", "common_3.mp3", "यह परखने को है", "hi"),
        ("c", "common_4.mp3", "क्या है", "hi"),
        ("d", "missing.mp3", "क्या है", "hi"),
    ]
    for _, name, *_ in rows[:4]:
        sound(folder / "clips" / name, seconds=2.0)
    head = "client_id\tpath\tsentence\tlocale\n"
    lines = ["\t".join(row) + "\n" for row in rows]
    (folder / "validated.tsv").write_text(head + "".join(lines), encoding="utf-8")
    (folder / "test.tsv").write_text(head + lines[2], encoding="utf-8")
    return folder


def test_common_voice_becomes_a_manifest_in_the_model_s_spelling(common_voice, tmp_path, capsys):
    rows = gathered(tmp_path / "out", parse_corpus(f"common-voice:{common_voice}"))
    assert [row["text"] for row in rows] == ["मेरे पास पच्चीस किताबें हैं", "नमस्ते दुनिया", "क्या है"]
    assert [row["speaker"] for row in rows] == ["a", "a", "c"], "whoever is in its test set stays out"
    for row in rows:
        info = soundfile.info(row["audio_filepath"])
        assert (info.samplerate, info.channels) == (16_000, 1)
        assert row["duration"] == pytest.approx(2.0, abs=0.1)
    assert "left out: 1 clips, the clip is missing" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("index", "line"), [("line_index.tsv", "mlf_00012_0001\t{}"), ("utt_spk_text.tsv", "mlf_00012_0001\tmlf_00012\t{}")]
)
def test_openslr_names_its_speakers(index, line, tmp_path):
    sound(tmp_path / "slr/female/mlf_00012_0001.wav", 48_000, 2.0)
    (tmp_path / "slr" / index).write_text(line.format("കക്ക") + "\n", encoding="utf-8")
    (row,) = gathered(tmp_path / "out", Corpus("openslr", tmp_path / "slr", "ml"))
    assert (row["text"], row["speaker"], row["licence"]) == ("कक्का", "mlf_00012", "CC-BY-SA-4.0")


def test_a_nemo_manifest_s_clips_stay_where_they_are(tmp_path):
    sound(tmp_path / "audio/a.wav", 16_000, 2.0)
    row = {"audio_filepath": "audio/a.wav", "duration": 2.0, "text": "ਪੰਜਾਬ", "lang": "pa", "speaker_id": 7}
    (tmp_path / "m.jsonl").write_text(json.dumps(row), encoding="utf-8")
    (found,) = gathered(tmp_path / "out", parse_corpus(f"nemo:{tmp_path / 'm.jsonl'}"))
    assert found["audio_filepath"] == str(tmp_path / "audio/a.wav")
    assert (found["text"], found["speaker"], found["language"]) == ("पंजाब", "7", "pa")


@pytest.fixture
def people(tmp_path):
    folder = tmp_path / "human"
    lines = ["file\tseconds\tlanguage\tspeaker\ttranscript\tsource\tlicence"]
    for number, licence in enumerate(("CC0-1.0", "CC-BY-SA-4.0", "CC-BY-4.0")):
        name = f"src_{number:04d}.opus"
        soundfile.write(tmp_path / name, np.resize(TONE, 32_000), 16_000, format="OGG", subtype="OPUS")
        lines.append(f"{name}\t2.0\tmr\ts{number}\tमी {'फळ' if number else ''}\tsomewhere\t{licence}")
    folder.mkdir()
    with tarfile.open(folder / "src.tar", "w") as packed:
        for number in range(3):
            packed.add(tmp_path / f"src_{number:04d}.opus", f"src_{number:04d}.opus")
    (folder / "manifest.tsv").write_text("\n".join(lines), encoding="utf-8")
    return folder


def test_people_s_clips_come_out_of_their_tars_and_a_licence_can_be_left_out(people, tmp_path):
    corpus = parse_corpus(f"people:{people}")
    assert len(gathered(tmp_path / "all", corpus)) == 3
    free = gathered(tmp_path / "free", corpus, without=["BY-SA"])
    assert [(row["speaker"], row["text"]) for row in free] == [("s0", "मी"), ("s2", "मी फल")]


def test_clips_too_short_too_long_or_too_full_stay_out(tmp_path):
    rows = [(0.2, "हाँ"), (17.0, "हाँ"), (1.0, "बहुत लंबा वाक्य जो एक सेकंड में नहीं बोला जा सकता"), (1.0, "हाँ"), (1.0, "")]
    lines = []
    for number, (seconds, text) in enumerate(rows):
        sound(tmp_path / f"{number}.wav", 16_000, seconds)
        lines.append(json.dumps({"audio_filepath": f"{number}.wav", "text": text}))
    (tmp_path / "m.jsonl").write_text("\n".join(lines), encoding="utf-8")
    assert [row["text"] for row in gathered(tmp_path / "out", Corpus("nemo", tmp_path / "m.jsonl"))] == ["हाँ", ""]


@pytest.mark.parametrize("kind", ["common-voice", "openslr", "nemo", "people"])
def test_a_folder_of_another_shape_is_refused_in_one_line(kind, tmp_path):
    with pytest.raises(RecipeError, match=str(tmp_path)):
        gather([Corpus(kind, tmp_path)], tmp_path / "out", [], jobs=1)


@pytest.mark.parametrize("text", ["common-voice", "librispeech:there", "@hi:there"])
def test_an_unknown_name_is_refused(text):
    with pytest.raises(argparse.ArgumentTypeError, match="NAME:PLACE wanted"):
        parse_corpus(text)
