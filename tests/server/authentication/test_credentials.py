"""What is taken for a key in the head of a request, and what is not."""

import pytest

from server.authentication.credentials import credential_of
from server.errors import Unauthorized

SECRET = "s3cret"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("authorization", f"Bearer {SECRET}"),
        ("authorization", f"bearer  {SECRET} "),
        ("authorization", f"Token {SECRET}"),
        ("x-api-key", SECRET),
    ],
)
def test_a_key_is_found_where_clients_put_it(name, value):
    assert credential_of([(b"host", b"here"), (name.encode(), value.encode())]) == SECRET


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("authorization", "")],
        [("authorization", "Bearer")],
        [("authorization", "Bearer ")],
        [("authorization", SECRET)],
        [("authorization", f"Basic {SECRET}")],
        [("authorization", f"Bearer\t{SECRET}")],
        [("authorization", f"Bearer {SECRET} {SECRET}")],
        [("authorization", f"Bearer {SECRET},Bearer {SECRET}"), ("x-api-key", SECRET)],
        [("authorization", f"Bearer {SECRET}")] * 2,
        [("authorization", f"Bearer {SECRET}"), ("x-api-key", SECRET)],
        [("x-api-key", SECRET)] * 2,
        [("x-api-key", "")],
        [("x-api-key", f"{SECRET}\x00")],
        [("x-api-key", f"{SECRET}é")],
        [("x-api-key", "नमस्ते")],
        [("x-api-key", SECRET * 5000)],
    ],
)
def test_everything_else_is_refused_without_being_repeated(headers):
    with pytest.raises(Unauthorized) as caught:
        credential_of([(name.encode(), value.encode()) for name, value in headers])
    assert SECRET not in str(caught.value)
