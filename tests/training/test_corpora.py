"""Corpora of recordings, as they are packed elsewhere, on a handful of clips made here."""

import argparse
import json
import tarfile

import numpy as np
import pytest
import soundfile

from training.corpora.gather import gather
from training.corpora.readers import READERS, Corpus, parse_corpus
from training.files import RecipeError, read_manifest

TONE = (0.1 * np.sin(np.arange(2 * 48_000) / 20)).astype(np.float32)


def sound(path, rate=48_000, seconds=1.0):
    path.parent.mkdir(parents=True, exist_ok=True)
    count = int(rate * seconds)
    soundfile.write(path, np.resize(TONE, count) if rate == 16_000 else np.resize(TONE, (count, 2)), rate)


def tone(path, hertz, rate=48_000, seconds=2.0):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, 0.1 * np.sin(2 * np.pi * hertz * np.arange(int(rate * seconds)) / rate), rate)


def hertz(row):
    samples, rate = soundfile.read(row["audio_filepath"])
    return round(np.abs(np.fft.rfft(samples)).argmax() * rate / len(samples))


def manifest(path, *rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


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


def test_common_voice_s_test_set_can_be_had_alone(common_voice, tmp_path):
    (row,) = gathered(tmp_path / "out", parse_corpus(f"common-voice-test:{common_voice}"))
    assert (row["speaker"], row["text"]) == ("b", "यह परखने को है")


@pytest.mark.parametrize(
    ("index", "line"), [("line_index.tsv", "mlf_00012_0001\t{}"), ("utt_spk_text.tsv", "mlf_00012_0001\tmlf_00012\t{}")]
)
def test_openslr_names_its_speakers(index, line, tmp_path):
    sound(tmp_path / "slr/female/mlf_00012_0001.wav", 48_000, 2.0)
    (tmp_path / "slr" / index).write_text(line.format("കക്ക") + "\n", encoding="utf-8")
    (row,) = gathered(tmp_path / "out", Corpus("openslr", tmp_path / "slr", "ml"))
    assert (row["text"], row["speaker"], row["licence"]) == ("कक्का", "mlf_00012", "CC-BY-SA-4.0")


def test_openslr_with_an_index_for_women_and_one_for_men(tmp_path, capsys):
    for name in ("mlf_1_1", "mlm_2_1"):
        sound(tmp_path / f"slr63/{name}.wav", 48_000, 2.0)
    (tmp_path / "slr63/line_index_female.tsv").write_text("mlf_1_1\tകക്ക\nmlf_1_2\tകക്ക\n", encoding="utf-8")
    (tmp_path / "slr63/line_index_male.tsv").write_text("mlm_2_1\tകക്ക\n", encoding="utf-8")
    (tmp_path / "slr63/line_index.tsv").write_text("mlm_2_1\tകക്ക\n", encoding="utf-8")
    rows = gathered(tmp_path / "out", Corpus("openslr", tmp_path / "slr63", "ml"))
    assert sorted(row["speaker"] for row in rows) == ["mlf_1", "mlm_2"], "no clip comes twice"
    assert "left out: 1 clips, the clip is missing" in capsys.readouterr().out, "a row without a clip is counted"


def test_a_nemo_manifest_s_clips_stay_where_they_are(tmp_path):
    sound(tmp_path / "audio/a.wav", 16_000, 2.0)
    row = {"audio_filepath": "audio/a.wav", "duration": 2.0, "text": "ਪੰਜਾਬ", "lang": "pa", "speaker_id": 7}
    (tmp_path / "m.jsonl").write_text(json.dumps(row), encoding="utf-8")
    (found,) = gathered(tmp_path / "out", parse_corpus(f"nemo:{tmp_path / 'm.jsonl'}"))
    assert found["audio_filepath"] == str(tmp_path / "audio/a.wav")
    assert (found["text"], found["speaker"], found["language"]) == ("पंजाब", "7", "pa")


def test_clips_of_one_name_in_two_corpora_stay_two(tmp_path):
    corpora = []
    for folder, pitch in (("a", 300), ("b", 900)):
        tone(tmp_path / folder / "1.wav", pitch)
        corpora.append(Corpus("nemo", manifest(tmp_path / folder / "m", {"audio_filepath": "1.wav", "text": "एक"})))
    assert [hertz(row) for row in gathered(tmp_path / "out", *corpora)] == [300, 900]


def test_parts_of_a_file_are_cut_out_of_it(tmp_path):
    parts = [0.1 * np.sin(2 * np.pi * pitch * np.arange(48_000) / 16_000) for pitch in (300, 900)]
    soundfile.write(tmp_path / "long.wav", np.concatenate(parts), 16_000)
    part = {"audio_filepath": "long.wav", "text": "एक"}
    rows = [part | {"offset": 3.0, "duration": 3.0}, part | {"duration": 3.0}, part | {"duration": 6.004}, part]
    found = gathered(tmp_path / "out", Corpus("nemo", manifest(tmp_path / "m", *rows)))
    assert [row["duration"] for row in found] == [3.0, 3.0, 6.0, 6.0]
    assert [soundfile.info(row["audio_filepath"]).duration for row in found] == [3.0, 3.0, 6.0, 6.0]
    assert [hertz(row) for row in found[:2]] == [900, 300]
    assert {row["audio_filepath"] for row in found[2:]} == {str(tmp_path / "long.wav")}, "a whole file stays"


def test_what_ai4bharat_s_scripts_write(tmp_path):
    sound(tmp_path / "Hindi/v1/train/audios/1_chunk_2.wav", 16_000, 2.0)
    row = {"audio_filepath": str(tmp_path / "Hindi/v1/train/audios/1_chunk_2.wav"), "text": "नमस्ते", "duration": 2.0}
    row |= {"lang": "hi", "samples": 32_000, "verbatim": "नमस्ते", "normalized": "नमस्ते", "speaker_id": "S42"}
    file = manifest(tmp_path / "manifests/train_hindi_indicvoices.json", row)
    (found,) = gathered(tmp_path / "out", parse_corpus(f"indic-voices:{file}"))
    assert (found["speaker"], found["licence"]) == ("S42", "CC-BY-4.0")
    assert found["source"] == f"indic-voices:{file}"


def test_hindi_of_any_country_is_hindi(tmp_path):
    sound(tmp_path / "1.wav", 16_000, 2.0)
    rows = [{"audio_filepath": "1.wav", "text": "कमरा 12", "lang": code} for code in ("hi-IN", "hi_in", "HI", "hi")]
    found = gathered(tmp_path / "out", Corpus("nemo", manifest(tmp_path / "m", *rows)))
    assert [(row["text"], row["language"]) for row in found] == [("कमरा बारह", "hi")] * 4


def test_blank_lines_of_a_manifest_are_skipped(tmp_path):
    sound(tmp_path / "1.wav", 16_000, 2.0)
    line = json.dumps({"audio_filepath": "1.wav", "text": "एक"})
    (tmp_path / "m").write_text(f"{line}\n\n{line}\n", encoding="utf-8")
    assert len(gathered(tmp_path / "out", Corpus("nemo", tmp_path / "m"))) == 2


@pytest.mark.parametrize(
    ("line", "fault"),
    [('{"audio_filepath": "1.wav"}', "no text"), ('{"text": "एक"}', "no audio_filepath"), ("{oops", "not JSON")],
)
def test_a_line_that_names_no_text_or_clip_is_named(line, fault, tmp_path):
    (tmp_path / "m").write_text(f"\n{line}\n", encoding="utf-8")
    with pytest.raises(RecipeError, match=rf"m:2 .*{fault}"):
        gathered(tmp_path / "out", Corpus("nemo", tmp_path / "m"))


@pytest.mark.parametrize(("text", "language"), [("Das Wetter", "de"), ("नमस्ते world", "hi")])
def test_without_espeak_the_step_stops(text, language, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    sound(tmp_path / "1.wav", 16_000, 2.0)
    rows = [{"audio_filepath": "1.wav", "text": "एक"}, {"audio_filepath": "1.wav", "text": text, "lang": language}]
    with pytest.raises(RecipeError, match="apt-get install espeak-ng"):
        gathered(tmp_path / "out", Corpus("nemo", manifest(tmp_path / "m", *rows)))


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
    assert {row["source"] for row in free} == {"somewhere"}


def test_tars_of_one_name_in_two_corpora_stay_two(people, tmp_path):
    other = tmp_path / "other"
    tone(tmp_path / "src_0000.wav", 900, 16_000)
    other.mkdir()
    with tarfile.open(other / "src.tar", "w") as packed:
        packed.add(tmp_path / "src_0000.wav", "src_0000.opus")
    lines = (people / "manifest.tsv").read_text(encoding="utf-8").splitlines()
    (other / "manifest.tsv").write_text("\n".join(lines[:2]), encoding="utf-8")
    rows = gathered(tmp_path / "out", Corpus("people", people), Corpus("people", other))
    assert hertz(rows[0]) != 900 == hertz(rows[3])


def test_licences_are_read_in_any_spelling_and_counted(tmp_path, capsys):
    sound(tmp_path / "1.wav", 16_000, 2.0)
    licences = [{"license": "CC-BY-SA-4.0"}, {"licence": "cc-by-sa-4.0"}, {}, {"license": "CC0-1.0", "source": "Ann"}]
    rows = [{"audio_filepath": "1.wav", "text": "एक"} | licence for licence in licences]
    corpus = Corpus("nemo", manifest(tmp_path / "m", *rows))
    found = gathered(tmp_path / "out", corpus, without=["By-SA"])
    assert [(row["source"], row["licence"]) for row in found] == [(f"nemo:{tmp_path / 'm'}", ""), ("Ann", "CC0-1.0")]
    said = capsys.readouterr().out
    assert "2 clips left out for theirs, 1 clips of those kept name none" in said
    assert "source: Ann, CC0-1.0: 1 clips, 0.00 h" in said
    assert "no licence named: 1 clips" in said


def test_clips_too_short_too_long_or_too_full_stay_out(tmp_path):
    rows = [(0.2, "हाँ"), (17.0, "हाँ"), (1.0, "बहुत लंबा वाक्य जो एक सेकंड में नहीं बोला जा सकता"), (1.0, "हाँ"), (1.0, "")]
    lines = []
    for number, (seconds, text) in enumerate(rows):
        sound(tmp_path / f"{number}.wav", 16_000, seconds)
        lines.append(json.dumps({"audio_filepath": f"{number}.wav", "text": text}))
    (tmp_path / "m.jsonl").write_text("\n".join(lines), encoding="utf-8")
    assert [row["text"] for row in gathered(tmp_path / "out", Corpus("nemo", tmp_path / "m.jsonl"))] == ["हाँ", ""]


@pytest.mark.parametrize("kind", list(READERS))
def test_a_folder_of_another_shape_is_refused_in_one_line(kind, tmp_path):
    with pytest.raises(RecipeError, match=str(tmp_path)):
        gather([Corpus(kind, tmp_path)], tmp_path / "out", [], jobs=1)


@pytest.mark.parametrize("text", ["common-voice", "librispeech:there", "@hi:there"])
def test_an_unknown_name_is_refused(text):
    with pytest.raises(argparse.ArgumentTypeError, match="NAME:PLACE wanted"):
        parse_corpus(text)
