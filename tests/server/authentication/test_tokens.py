"""Tokens: whose they are, and the known ways to make one that nobody has issued."""

import base64
import hashlib
import hmac
import json
import time

import jwt
import pytest
from jwt.algorithms import RSAAlgorithm
from jwt.warnings import InsecureKeyLengthWarning

from server.authentication.tokens import Rules, Tokens
from server.authentication.verification_keys import InvalidKeySet, PemKey, VerificationKey, read_key_set
from server.errors import Unauthorized
from server.principal import Scope
from tests.issuer import AUDIENCE, ISSUER, SigningKey

KEY, STRANGERS = SigningKey(), SigningKey()
NAMES = {str(scope): scope for scope in Scope}


def rules(**given):
    return Rules(**{
        "issuer": ISSUER, "audience": AUDIENCE, "algorithms": ("RS256", "ES256"), "leeway": 30.0,
        "scope_claim": "scope", "scopes": NAMES, "weight_claim": "", **given,
    })  # fmt: skip


def call(token, key=KEY, **given):
    return Tokens(rules(**given), PemKey(key.pem)).principal_of(token)


def forged(header, claims, sign):
    """A token by hand; `sign` makes its signature of what is signed."""
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (header, claims)]
    signed = b".".join(parts)
    return b".".join((signed, base64.urlsafe_b64encode(sign(signed)).rstrip(b"="))).decode()


def claims_of(token):
    return jwt.decode(token, options={"verify_signature": False})


def test_a_token_says_all_of_its_principal():
    principal = call(KEY.token(scope="openid transcribe listen", share=4), weight_claim="share")
    assert (principal.id, principal.name, principal.kind) == ("token:somebody", "somebody", "token")
    assert (principal.scopes, principal.weight) == ({Scope.TRANSCRIBE, Scope.LISTEN}, 4.0)


@pytest.mark.parametrize(
    ("claim", "scopes"),
    [
        ({"scp": ["speech.read", "transcribe"]}, {Scope.TRANSCRIBE}),  # own names mean nothing where others are set
        ({"scp": "speech.read  speech.ops"}, {Scope.TRANSCRIBE, Scope.METRICS}),
        ({"scp": None}, set()),
        ({"scp": {"speech.read": True}}, set()),
        ({"scp": 7}, set()),
        ({"scp": [["speech.read"], 7, None]}, set()),
        ({"scope": "speech.read"}, set()),
    ],
)
def test_claims_are_mapped_to_scopes(claim, scopes):
    names = {"speech.read": Scope.TRANSCRIBE, "speech.ops": Scope.METRICS}
    assert call(KEY.token(**claim), scope_claim="scp", scopes=names).scopes == scopes


@pytest.mark.parametrize("weight", [0, -1, 1e9, float("nan"), float("inf"), True, "4", None, [4]])
def test_a_weight_that_is_none_is_refused(weight):
    token = KEY.token(share=weight)
    if weight is None:
        assert call(token, weight_claim="share").weight == 1.0
        return
    with pytest.raises(Unauthorized, match="weight"):
        call(token, weight_claim="share")


def test_clocks_may_differ_a_little():
    now = int(time.time())
    assert call(KEY.token(exp=now - 5, nbf=now + 15))


def in_seconds(seconds):
    return int(time.time()) + seconds


def under_the_same_signature():
    head, _, signature = KEY.token().split(".")
    return ".".join((head, STRANGERS.token(sub="root").split(".")[1], signature))


def by_hand(header, sign=lambda _: b""):
    return forged(header, claims_of(KEY.token()), sign)


# Made when they are tried, since they live for ten minutes.
ATTACKS = {
    "another's key": ("signature", STRANGERS.token),
    "expired": ("expired_token", lambda: KEY.token(exp=in_seconds(-3600))),
    "not valid yet": ("token_too_early", lambda: KEY.token(nbf=in_seconds(3600))),
    "for another audience": ("audience", lambda: KEY.token(aud="mail")),
    "for several others": ("audience", lambda: KEY.token(aud=["mail", "speechless"])),
    "for nobody": ("missing_claim", lambda: KEY.token(aud=None)),
    "of another issuer": ("issuer", lambda: KEY.token(iss="https://issuer.example.evil.net")),
    "of no issuer": ("missing_claim", lambda: KEY.token(iss=None)),
    "for ever": ("missing_claim", lambda: KEY.token(exp=None)),
    "of nobody": ("missing_claim", lambda: KEY.token(sub=None)),
    "of an empty subject": ("subject", lambda: KEY.token(sub="")),
    "of an endless subject": ("subject", lambda: KEY.token(sub="a" * 1000)),
    "another signature": ("signature", lambda: KEY.token()[:-8] + "AAAAAAAA"),
    "no signature": ("signature", lambda: KEY.token().rpartition(".")[0] + "."),
    "other claims under the same signature": ("signature", under_the_same_signature),
    "alg none": ("algorithm", lambda: by_hand({"alg": "none", "typ": "JWT"})),
    "alg None": ("algorithm", lambda: by_hand({"alg": "None"})),
    "no alg": ("algorithm", lambda: by_hand({})),
    "alg in a list": ("algorithm", lambda: by_hand({"alg": ["RS256"]})),
    "HS256 with the public key": (
        "algorithm",
        lambda: by_hand({"alg": "HS256"}, lambda text: hmac.digest(KEY.pem.encode(), text, hashlib.sha256)),
    ),
    "HS256 with nothing": (
        "algorithm",
        lambda: by_hand({"alg": "HS256"}, lambda text: hmac.digest(b"", text, hashlib.sha256)),
    ),
    "ES256 over an RSA key": ("malformed_token", SigningKey(algorithm="ES256").token),
    "an algorithm that is not taken": ("algorithm", lambda: jwt.encode(claims_of(KEY.token()), KEY.private, "RS512")),
    "an unknown critical extension": ("malformed_token", lambda: KEY.token(headers={"crit": ["x"], "x": 1})),
    "a payload elsewhere": ("malformed_token", lambda: KEY.token(headers={"b64": False, "crit": ["b64"]})),
    "one part": ("malformed_token", lambda: "eyJhbGciOiJub25lIn0"),
    "no JSON": ("malformed_token", lambda: "AAAA.AAAA.AAAA"),
    "brackets without end": ("malformed_token", lambda: base64.urlsafe_b64encode(b"[" * 6000).decode() + ".e30.e30"),
    "brackets in the claims": ("malformed_token", lambda: jwt.PyJWS().encode(b"[" * 6000, KEY.private, "RS256")),
}


@pytest.mark.parametrize(("reason", "attack"), ATTACKS.values(), ids=ATTACKS)
def test_a_token_that_nobody_has_issued_for_this_server(reason, attack):
    token = attack()
    with pytest.raises(Unauthorized) as caught:
        call(token)
    assert caught.value.reason == reason
    assert not any(part in str(caught.value) for part in token.split(".") if len(part) > 4)


@pytest.mark.parametrize("expiry", ["1e999", "-1e999", "NaN", '"soon"', "[1]", "{}", "true", "9" * 5000, "null"])
def test_an_expiry_that_is_no_time(expiry):
    """Signed by the issuer, who writes what no parser likes."""
    payload = json.dumps(claims_of(KEY.token()) | {"exp": "EXPIRY"}).replace('"EXPIRY"', expiry)
    with pytest.raises(Unauthorized):
        call(jwt.PyJWS().encode(payload.encode(), KEY.private, "RS256"))


def test_a_key_that_is_for_one_algorithm_checks_no_other():
    token = SigningKey(algorithm="RS512")
    tokens = Tokens(rules(algorithms=("RS256", "RS512")), PemKey(token.pem))
    assert tokens.principal_of(token.token())
    tokens.keys.find = lambda _: VerificationKey(token.public, "RS256")
    with pytest.raises(Unauthorized):
        tokens.principal_of(token.token())


def test_a_weak_key_is_none():
    weak = SigningKey(bits=1024)
    with pytest.warns(InsecureKeyLengthWarning):
        token = weak.token()
    with pytest.raises(Unauthorized):
        call(token, weak)


@pytest.mark.parametrize("pem", ["", "s3cret", KEY.pem[:100]], ids=["nothing", "no PEM", "half of one"])
def test_what_is_no_pem_is_refused_without_being_repeated(pem):
    with pytest.raises(InvalidKeySet) as caught:
        PemKey(pem)
    assert not pem or pem not in str(caught.value)


PRIVATE = json.loads(RSAAlgorithm.to_jwk(KEY.private)) | {"kid": "first"}
SYMMETRIC = {"kty": "oct", "k": base64.urlsafe_b64encode(b"0" * 32).decode(), "kid": "first", "alg": "HS256"}
LIES = {
    "no JSON": b"<html>",
    "no set": b"[]",
    "nothing": b"",
    "an error": b'{"error": "try again"}',
    "no list": b'{"keys": {"first": 1}}',
    "no keys": b'{"keys": []}',
    "what are no keys": b'{"keys": [null, 1, "a", [], {}]}',
    "a symmetric key": json.dumps({"keys": [SYMMETRIC]}).encode(),
    "a private key": json.dumps({"keys": [PRIVATE]}).encode(),
    "a key for encryption": json.dumps({"keys": [KEY.entry(use="enc")]}).encode(),
    "half a key": json.dumps({"keys": [KEY.entry(n=None)]}).encode(),
    "a key of another type": json.dumps({"keys": [KEY.entry(alg="ES256")]}).encode(),
    "an unknown algorithm": json.dumps({"keys": [KEY.entry(alg=["RS256"])]}).encode(),
    "brackets without end": b'{"keys":' + b"[" * 100_000,
}


@pytest.mark.parametrize("text", LIES.values(), ids=LIES)
def test_what_is_no_key_set(text):
    with pytest.raises(InvalidKeySet):
        read_key_set(text)


def test_of_a_set_what_can_be_used_is():
    other = SigningKey("second", "ES256")
    entries = [SYMMETRIC | {"kid": "third"}, KEY.entry(alg=None), {}, other.entry()]
    keys = read_key_set(json.dumps({"keys": entries}).encode())
    assert {name: key.algorithm for name, key in keys.items()} == {"first": None, "second": "ES256"}
