"""Numbers in words → digits, in sentences and with times."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.text.lexicon import CURRENCIES, NUMBERS, SCALES, STARTERS, UNITS
from inference.text.numerals import text_with_numerals, with_numerals
from inference.types import Token, Word

SENTENCES = {
    "मुझे सात सौ पच्चीस लोग मिले": "मुझे 725 लोग मिले",
    "पाँच लाख करोड़ रुपये का घोटाला": "₹5000000000000 का घोटाला",
    "एक सौ चालीस करोड़ भारतीय": "1400000000 भारतीय",
    "दो दशमलव पाँच लाख रुपये": "₹250000",
    "साढ़े पाँच रुपये और दस रुपये पचास पैसे": "₹5.50 और ₹10.50",
    "पाँच अरब डॉलर, चार अरब देशों में": "$5000000000, 4 अरब देशों में",
    "दस पंद्रह लोग, दो तीन सौ रुपये, सौ डेढ़ सौ किलो": "10-15 लोग, ₹200-300, 100-150 kg",
    "दो हज़ार तीन हज़ार": "2000-3000",
    "एक से दस तक गिनो": "1 से 10 तक गिनो",
    "दो से तीन किलो": "2 से 3 kg",
    "मैं साढ़े सात बजे से बारह बजकर पाँच मिनट तक वहाँ था": "मैं 7:30 से 12:05 तक वहाँ था",
    "रात के पौने एक बजे": "रात के 12:45",
    "ट्रेन दस अठारह पर आएगी": "ट्रेन 10:18 पर आएगी",
    "साढ़े तीन से चार प्रतिशत": "3 1/2 से 4%",
    "दो घंटे तीस मिनट लगे": "2 घंटे 30 मिनट लगे",
    "पंद्रह अगस्त उन्नीस सौ सैंतालीस को": "15 अगस्त, 1947 को",
    "दस मार्च दो हज़ार रुपये": "10 मार्च ₹2000",
    "वह दो हज़ार पाँच से दो हज़ार उन्नीस तक मंत्री रहे": "वह 2005-2019 तक मंत्री रहे",
    "दो हज़ार पाँच से बीस लोग": "2005 से 20 लोग",
    "मेरा नंबर नौ आठ सात डबल छह पाँच चार तीन दो एक है": "मेरा नंबर 9876654321 है",
    "फोन अट्ठानवे छिहत्तर चौवन बत्तीस दस": "फोन 9876543210",
    "आपका खाता नंबर चौवन तिरानवे अड़तालीस तिरेपन है": "आपका खाता नंबर 54934853 है",
    "ज़ीरो वन थ्री थ्री सिक्स टू थ्री फोर": "01336234",
    "तापमान माइनस पाँच डिग्री सेल्सियस": "तापमान -5 °C",
    "छह फुट दो इंच": "6 ft 2 in",
    "सौ ग्राम पनीर और आधा किलो आटा": "100 g पनीर और 1/2 kg आटा",
    "दसवीं कक्षा का पाँचवाँ नवाँ अध्याय": "10वीं कक्षा का 5वाँ 9वाँ अध्याय",
    "दो तिहाई बहुमत": "2/3 बहुमत",
    "डेढ़ घंटे में": "1.5 घंटे में",
    "नंबर एक खिलाड़ी दो तारीख को": "नंबर 1 खिलाड़ी 2 तारीख को",
}
STAY = (
    "एक आदमी एक दिन आया",
    "एक मिनट रुको",
    "एक एक करके दो चार दिन में",
    "दो तीन लोग",
    "दस दस रुपये के नोट",
    "सौ सौ रुपये",
    "पाँच छह सात लोग",
    "सौ बात की एक बात",
    "हज़ार बार कहा लाख कोशिश की",
    "आधा काम आधा घंटा",
    "वह नौ दो ग्यारह हो गया",
    "तीन तेरह और सोलह आने",
    "सातवें आसमान पर चार चाँद लग गए",
    "पहला दूसरा तीसरा चौथा छठा",
    "उनकी नवासी आई",
    "दो सही काम",
    "सऊदी अरब में",
    "वन में टू एट",
    "डबल रोटी पाव भाजी",
    "मई में मार्च किया",
    "दोनों चारों हज़ारों",
    "",
    "।",
)
PLAIN = ("और", "घर", "लोग", "से", "है", "बजे", "मिनट", "बटा", "दशमलव", "बाई", "तक", "की", "नंबर", "रोड", "आए,", "है।", ",")
VOCABULARY = sorted({*STARTERS, *PLAIN, *(word for phrase in (*UNITS, *CURRENCIES) for word in phrase)})
texts = st.lists(st.sampled_from(VOCABULARY) | st.text("कखगab१1,।", min_size=1, max_size=4), max_size=12)


@st.composite
def timed(draw):
    said = draw(texts)
    times = sorted(draw(st.lists(st.floats(0, 60), min_size=2 * len(said), max_size=2 * len(said))))
    sure = draw(st.lists(st.floats(0, 1), min_size=len(said), max_size=len(said)))
    return tuple(
        Word(text, *times[2 * at : 2 * at + 2], round(sure[at], 4), (Token(at, text, -1.0),))
        for at, text in enumerate(said)
    )


def spoken(number):
    """The Indian system, every scale once."""
    names = {value: word for word, value in reversed(NUMBERS.items())}
    words = []
    for word, scale in sorted(SCALES.items(), key=lambda item: -item[1]):
        count, number = divmod(number, scale)
        words += [names[count], word] if count else []
    return " ".join([*words, names[number]] if number or not words else words)


@pytest.mark.parametrize(("said", "written"), SENTENCES.items())
def test_numbers_in_sentences(said, written):
    assert text_with_numerals(said, "ascii") == written


@pytest.mark.parametrize("said", STAY)
def test_what_is_no_number_stays(said):
    assert text_with_numerals(said, "ascii") == said


@given(st.integers(0, 10**13 - 1) | st.integers(0, 10**4))
def test_every_cardinal_is_written_as_its_value(number):
    assert text_with_numerals(spoken(number), "ascii") == str(number)


def test_a_number_lasts_from_its_first_word_to_its_last():
    said = ["यहाँ", "सात", "सौ", "पच्चीस", "किलो", "हैं"]
    words = [Word(text, at, at + 0.5, 1 - at / 10, (Token(at, text, 0.0),)) for at, text in enumerate(said)]
    number = Word("७२५", 1, 3.5, 0.594, tuple(Token(at, said[at], 0.0) for at in (1, 2, 3)))
    assert 0.9 * 0.8 * 0.7 < number.confidence < 0.7
    assert with_numerals(words, "devanagari") == (words[0], number, replace(words[4], text="kg"), words[5])
    assert with_numerals(words, "words") == tuple(words)


@given(timed(), st.sampled_from(["words", "ascii", "devanagari"]))
def test_times_and_text_survive(words, numerals):
    written = with_numerals(words, numerals)
    assert [token for word in written for token in word.tokens] == [token for word in words for token in word.tokens]
    assert all(0 <= word.confidence <= 1 for word in written)
    times = [time for word in written for time in (word.start, word.end)]
    assert times == sorted(times)
    assert (written[0].start, written[-1].end) == (words[0].start, words[-1].end) if words else not written
    said = " ".join(word.text for word in words)
    assert " ".join(word.text for word in written) == text_with_numerals(said, numerals)
    assert all(word.text for word in written)
    # What nothing was written for has its own times and text; nothing is invented in between.
    starts, ends = {word.start for word in words}, {word.end for word in words}
    assert all(word.start in starts and word.end in ends for word in written)


@given(texts)
def test_scripts_differ_in_their_digits_alone(said):
    text = " ".join(said)
    digits = str.maketrans("०१२३४५६७८९", "0123456789")
    devanagari, ascii_ = (text_with_numerals(text, script) for script in ("devanagari", "ascii"))
    assert devanagari.translate(digits) == ascii_.translate(digits)


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("दो दशमलव एक दो तीन चार हज़ार लोग", "2123.4 लोग"),
        ("दो दशमलव एक दो तीन चार पाँच नौ हज़ार रुपये", "₹2123.459"),
        ("एक दशमलव एक एक एक एक एक एक एक लाख", "111111.11"),
        ("एक दशमलव दो पाँच हज़ार", "1250"),
    ],
)
def test_of_a_scaled_decimal_as_many_places_are_left_as_it_has(said, written):
    assert text_with_numerals(said, "ascii") == written
