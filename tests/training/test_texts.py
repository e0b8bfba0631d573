"""Sentences out of whatever files there are."""

import pytest

from training.files import RecipeError
from training.texts import gather, sentences_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# कौआ और साँप\n\n##\nकौआ पेड़ पर बैठा था। वह उदास था!", ["कौआ और साँप", "कौआ पेड़ पर बैठा था", "वह उदास था"]),
        ("* License: [CC-BY]\n* Text: संजीव जायसवाल", []),
        ("I like it.\tमुझे यह पसंद है।\tCC-BY 2.0 (France)", ["मुझे यह पसंद है"]),
        ('{"context": "पहला वाक्य यह है।\\nदूसरा वाक्य यह है"}', ["पहला वाक्य यह है", "दूसरा वाक्य यह है"]),
        ("# text = उसने कहा कि वह आएगा\n1\tउसने\tवह\tPRON", ["उसने कहा कि वह आएगा"]),
        ("मेरे पास 25 किताबें हैं", ["मेरे पास पच्चीस किताबें हैं"]),
        ("मैं WhatsApp पर हूँ", []),
    ],
)  # fmt: skip
def test_sentences(text, expected):
    assert list(sentences_of(text)) == expected


def test_nothing_echoes_a_test(tmp_path):
    (tmp_path / "a.md").write_text(
        "आज सुबह से बारिश हो रही है। कल धूप निकलेगी ऐसा लगता है। कल धूप निकलेगी ऐसा लगता है।", encoding="utf-8"
    )
    assert gather([tmp_path], {"उसने कहा आज सुबह से बारिश होगी"}) == ["कल धूप निकलेगी ऐसा लगता है"]


def test_what_is_no_text(tmp_path):
    (tmp_path / "a.bin").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RecipeError, match=r"a\.bin cannot be read as text"):
        gather([tmp_path / "a.bin"], set())
