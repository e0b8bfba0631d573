"""NeMo-text-processing's cases, and those that are not followed, with the reason."""

from pathlib import Path
from unicodedata import normalize

import pytest

from inference.text.numerals import text_with_numerals

CASES = Path(__file__).parents[2] / "data" / "inverse_normalisation"

ABBREVIATED = "a title is no number, and nobody who asked for digits wants other words shortened"
NO_NUMBER = "said alone it names no amount; सवा of something is one and a quarter, not a quarter"
LASTING = "no Hindi writer puts yr, mo, h or doz; other cases write घंटा as a time of day, so that an hour is lost"
PAISE = "two paise are .02 rupees, as hi_en's own cases have it; and nobody writes p9000.00"
DIFFERENT = {
    "मास्टर निखिल तनिष": ("मास्टर निखिल तनिष", ABBREVIATED),
    "श्रीमती ज्योत्सना": ("श्रीमती ज्योत्सना", ABBREVIATED),
    "डॉक्टर": ("डॉक्टर", ABBREVIATED),
    "श्रीमान भारत कुमार": ("श्रीमान भारत कुमार", ABBREVIATED),
    "डॉक्टर प्रशांत": ("डॉक्टर प्रशांत", ABBREVIATED),
    "कुमारी": ("कुमारी", ABBREVIATED),
    "साढ़े": ("साढ़े", NO_NUMBER),
    "सवा": ("सवा", NO_NUMBER),
    "पौने ग्यारह घंटे": ("१०.७५ घंटे", LASTING),
    "साढ़े सात वर्ष": ("७.५ वर्ष", LASTING),
    "ढाई महीने": ("२.५ महीने", LASTING),
    "डेढ़ दर्जन": ("१.५ दर्जन", LASTING),
    "डेढ़ घंटा": ("१.५ घंटा", LASTING),
    "पौने तीन घंटा": ("२.७५ घंटा", LASTING),
    "नौ हज़ार दशमलव शून्य शून्य पैसे": ("९०००.०० पैसे", PAISE),
    "छह सौ पच्चीस रुपये दो पैसे": ("₹६२५.०२", PAISE),
}
DIFFERENT = {normalize("NFC", spoken): different for spoken, different in DIFFERENT.items()}


def cases(file):
    return [normalize("NFC", line).split("~") for line in file.read_text("utf-8").splitlines() if "~" in line]


@pytest.mark.parametrize("file", sorted(CASES.glob("*.txt")), ids=lambda file: file.stem.removeprefix("test_cases_"))
def test_cases_are_written_as_published(file):
    expected = {spoken: DIFFERENT.get(spoken, (written, ""))[0] for spoken, written in cases(file)}
    assert {spoken: text_with_numerals(spoken, "devanagari") for spoken in expected} == expected


def test_few_are_written_differently():
    everything = [spoken for file in CASES.glob("*.txt") for spoken, _ in cases(file)]
    assert len(everything) == 352
    assert sum(spoken in DIFFERENT for spoken in everything) < 0.05 * len(everything)
