"""API keys: whose they are, and every way in which one is not valid."""

import hmac
from datetime import UTC, datetime, timedelta

import pytest

from server.authentication.key_text import KeyText
from server.authentication.keys import Key, principal_of
from server.errors import Forbidden, Unauthorized
from server.principal import Limits, Scope

NOW = datetime.now(UTC)
TEXT = KeyText.new()
LIMITS = Limits(requests_per_minute=120)


def key(**given):
    return Key(**{"name": "batch", "sha256": TEXT.digest, "created": NOW, **given})


def call(kept=None, text=TEXT, origin=None):
    return principal_of(str(text), origin, {TEXT.public_id: kept or key()}.get)


def test_a_key_says_all_of_its_principal():
    principal = call(key(scopes={"transcribe", "metrics"}, weight=4, limits=LIMITS))
    assert (principal.id, principal.name, principal.kind) == (f"key:{TEXT.public_id}", "batch", "key")
    assert (principal.scopes, principal.weight, principal.limits) == (
        {Scope.TRANSCRIBE, Scope.METRICS},
        4.0,
        LIMITS,
    )


def test_a_key_has_256_random_bits_and_its_digest_tells_nothing_of_them():
    texts = [KeyText.new() for _ in range(100)]
    assert len({text.secret for text in texts}) == len({text.public_id for text in texts}) == 100
    assert all(len(bytes.fromhex(text.secret)) == 32 and text.secret != text.digest for text in texts)
    assert TEXT.secret not in repr(TEXT)


NEARLY = {
    "nothing": "",
    "the beginning": "asr_",
    "two parts of nothing": "asr__",
    "no secret": f"asr_{TEXT.public_id}_",
    "another's secret": f"asr_{TEXT.public_id}_{'0' * 64}",
    "another's id": f"asr_{'0' * 12}_{TEXT.secret}",
    "another's key": str(KeyText.new()),
    "too long": f"{TEXT}0",
    "a line": f"{TEXT}\n",
    "a space": f" {TEXT}",
    "in capitals": str(TEXT).upper(),
    "what a stolen file has": f"asr_{TEXT.public_id}_{TEXT.digest}",
    "the secret alone": TEXT.secret,
    "the digest alone": TEXT.digest,
    "not ASCII": "asr_" + "é" * 12 + "_" + "0" * 64,
    "huge": "asr_" + "a" * 100_000,
}


@pytest.mark.parametrize("text", NEARLY.values(), ids=NEARLY)
def test_what_is_nearly_a_key_is_none(text):
    with pytest.raises(Unauthorized) as caught:
        call(text=text)
    assert str(caught.value) == "this key is not valid here"  # whatever was wrong with it
    assert caught.value.reason == ("wrong_secret" if caught.value.key == TEXT.public_id else "unknown_key")
    assert caught.value.key in ("", *text.split("_")[1:2])


def test_an_expired_key():
    assert call(key(expires=NOW + timedelta(hours=1)))
    with pytest.raises(Unauthorized, match="expired") as caught:
        call(key(expires=NOW))
    assert (caught.value.reason, caught.value.key) == ("expired_key", TEXT.public_id)
    with pytest.raises(Unauthorized) as caught:  # whoever does not have the secret is not told
        call(key(expires=NOW), KeyText.new(TEXT.public_id))
    assert "expired" not in str(caught.value)


def test_a_key_that_is_rotated_has_two_secrets_for_a_while():
    following = KeyText.new(TEXT.public_id)
    for until, valid in ((NOW + timedelta(hours=1), True), (NOW, False)):
        rotated = key().rotated(following.digest, until)
        assert call(rotated, following)
        if valid:
            assert call(rotated, TEXT)
        else:
            with pytest.raises(Unauthorized, match="not valid") as caught:
                call(rotated, TEXT)
            assert caught.value.reason == "rotated_key"


def test_rotated_twice_the_first_secret_is_gone():
    later = NOW + timedelta(hours=1)
    rotated = key().rotated("1" * 64, later).rotated("2" * 64, later)
    with pytest.raises(Unauthorized):
        call(rotated, TEXT)


@pytest.mark.parametrize("origin", [None, "", "null", "https://example.org.evil.net", "http://example.org", "*"])
def test_a_key_for_pages_is_not_for_others(origin):
    kept = key(origins={"https://example.org"})
    assert call(kept, origin="https://example.org")
    with pytest.raises(Forbidden, match="origin"):
        call(kept, origin=origin)


def test_unknown_ids_take_the_same_comparisons_as_known_ones(monkeypatch):
    compared = []
    compare = hmac.compare_digest
    monkeypatch.setattr(hmac, "compare_digest", lambda *both: compared.append(both) or compare(*both))
    costs = []
    for text in (f"asr_{TEXT.public_id}_{'0' * 64}", str(KeyText.new()), "asr_", "nonsense"):
        compared.clear()
        with pytest.raises(Unauthorized):
            call(text=text)
        costs.append([tuple(map(len, both)) for both in compared])
    assert costs == [[(64, 64), (64, 64)]] * 4
