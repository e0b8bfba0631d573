"""Whether callers must be known, which a file of keys may decide while the server runs."""

from datetime import UTC, datetime

from config.settings import Settings
from loadtest.harness.processes import wait_until
from server.authentication.authenticator import Authenticator
from server.authentication.key_file import changed
from server.authentication.keys import Key


def test_the_first_key_closes_the_door_and_the_last_one_leaves_it_closed(tmp_path):
    path = tmp_path / "keys.json"
    authenticator = Authenticator(Settings(keys_file=path))
    assert not authenticator.required
    with changed(path) as keys:
        keys["0123456789ab"] = Key(name="a", sha256="0" * 64, created=datetime.now(UTC))
    wait_until(lambda: authenticator.required, "the file is read", pause=0.05)
    assert authenticator.number_of_keys == 1
    path.unlink()
    wait_until(lambda: not authenticator.number_of_keys, "the file's end is noticed", pause=0.05)
    assert authenticator.required
