"""The file of keys: read again when it changes, written whole or not at all, and what a broken one does."""

import json
import os
import re
import stat
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from loadtest.harness.processes import wait_until
from server.authentication.key_file import InvalidKeys, KeyFile, changed, read_keys, write_keys
from server.authentication.key_text import KeyText
from server.authentication.keys import Key
from server.keys import main
from server.principal import Limits

KEY = Key(name="a", sha256="0" * 64, created=datetime.now(UTC), limits=Limits(audio_seconds_per_day=60.0))
ID, OTHER = "0123456789ab", "ba9876543210"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "folder" / "keys.json"


def entry(**given):
    return json.dumps({ID: json.loads(write_keys({ID: KEY}))[ID] | given})


def test_what_is_written_is_read():
    assert read_keys(write_keys({ID: KEY})) == {ID: KEY}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "Invalid JSON"),
        ("[]", "an object"),
        ('{"s3cret": {}}', "should match pattern"),
        (entry(sha256="s3cret"), f"{ID}.sha256: String should match"),
        (entry(scopes=["s3cret"]), f"{ID}.scopes"),
        (entry(limits={"request_per_minute": 1}), f"{ID}.limits: Unexpected"),
        (entry(limits={"requests_per_minute": 0}), "must be over 0"),
        (entry(expire="2027-01-01T00:00:00Z"), "not permitted"),
        (entry(expires="2027-01-01T00:00:00"), "timezone"),
        (entry(weight=0), "greater than 0"),
    ],
)
def test_what_is_misspelt_is_refused_without_being_repeated(text, reason):
    """A limit or an expiry that was overlooked would be none."""
    with pytest.raises(InvalidKeys, match=reason) as caught:
        read_keys(text)
    assert "s3cret" not in str(caught.value)


def test_the_file_is_private_and_nothing_else_is_left(path):
    with changed(path) as keys:
        keys[ID] = KEY
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in path.parent.iterdir()] == ["keys.json"]


def test_what_fails_leaves_the_file_as_it_was(path, monkeypatch):
    with changed(path) as keys:
        keys[ID] = KEY
    before = path.read_bytes()
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="space"), changed(path) as keys:
        keys.clear()
    assert path.read_bytes() == before
    assert [each.name for each in path.parent.iterdir()] == ["keys.json"]


def test_a_link_stays_one(path, tmp_path):
    path.parent.mkdir()
    path.symlink_to(tmp_path / "elsewhere.json")
    with changed(path) as keys:
        keys[ID] = KEY
    assert path.is_symlink()
    assert KeyFile(path).keys == {ID: KEY}


LOCKS = Path("/proc/locks")


@pytest.mark.skipif(not LOCKS.exists(), reason="no /proc here")
def test_changes_of_several_processes_all_count(path):
    command = [sys.executable, "-m", "server.keys", "--file", str(path), "create", "--name", "b"]
    with changed(path) as keys:
        keys[ID] = KEY
        other = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

        def waits_or_has_ended():
            waiting = [line.split() for line in LOCKS.read_text().splitlines() if "->" in line]
            return other.poll() is not None or str(other.pid) in {words[5] for words in waiting}

        wait_until(waits_or_has_ended, "it waits, or has changed the file meanwhile")
    made = KeyText.read(other.communicate()[0].strip())
    assert set(read_keys(path.read_bytes())) == {ID, made.public_id}


def test_a_change_is_seen_without_a_restart(path):
    file = KeyFile(path)
    assert (file.keys, file.was_there) == ({}, False)
    for content in ({ID: KEY}, {ID: KEY, OTHER: KEY}, {}, {OTHER: KEY}):
        with changed(path) as keys:
            keys.clear()
            keys.update(content)
        wait_until(lambda content=content: file.keys == content, "the keys are those of the file", pause=0.05)
        assert file.was_there  # also where no key is left: that is no open door
    path.unlink()
    wait_until(lambda: not file.keys, "the file's end is noticed", pause=0.05)
    assert file.was_there


WORKER = """
import os, sys
from pathlib import Path
from server.authentication.key_file import KeyFile

path = Path(sys.argv[1])

def in_a_worker(work):
    if not (pid := os.fork()):
        os._exit(0 if work() else 1)
    assert os.waitpid(pid, 0)[1] == 0

in_a_worker(lambda: not KeyFile(path).was_there)
path.write_text("{}")
in_a_worker(lambda: KeyFile(path).was_there)
path.unlink()
in_a_worker(lambda: KeyFile(path).was_there)
in_a_worker(lambda: not KeyFile(path.with_name("other.json")).was_there)
"""


def test_a_worker_that_starts_when_the_file_has_gone_knows_that_another_one_has_seen_it(tmp_path):
    """Whose master imported all of it before it forked them."""
    subprocess.run([sys.executable, "-c", WORKER, str(tmp_path / "keys.json")], check=True)


def test_asking_costs_a_look_now_and_then_and_no_more(path, monkeypatch):
    with changed(path) as keys:
        keys[ID] = KEY
    file = KeyFile(path)
    looks = []
    look = Path.stat
    monkeypatch.setattr(Path, "stat", lambda self, **given: looks.append(self) or look(self, **given))
    began = time.monotonic()
    assert all(file.keys for _ in range(10_000))
    assert len(looks) <= 2 + (time.monotonic() - began) / 0.5


def test_a_broken_file_leaves_the_keys_as_they_were(path):
    with changed(path) as keys:
        keys[ID] = KEY
    file = KeyFile(path)
    path.write_text("{", encoding="utf-8")
    file._next_look = 0.0
    assert file.keys == {ID: KEY}
    assert "Invalid JSON" in file._failure
    with pytest.raises(InvalidKeys, match=re.escape(str(path))):
        KeyFile(path)
    with pytest.raises(InvalidKeys, match=re.escape(str(path))), changed(path):
        pass


def test_the_command_line_makes_shows_rotates_and_takes_back(path, capsys):
    def run(*words, code=0):
        assert main(["--file", str(path), *words]) == code
        return capsys.readouterr()

    limits = ["--rate", "120/minute", "--audio-minutes-per-day", "600", "--concurrent", "2", "--streams", "1"]
    made = run("create", "--name", "batch", "--scopes", "transcribe,jobs", "--expires", "90d", "--weight", "2", *limits)
    text = KeyText.read(made.out.strip())
    (key,) = read_keys(path.read_bytes()).values()
    assert (key.sha256, key.name, key.scopes, key.weight) == (text.digest, "batch", {"transcribe", "jobs"}, 2.0)
    assert key.limits == Limits(120, None, 36_000.0, 2, 1)
    assert (key.expires - key.created).days == 90
    shown = run("list").out
    assert all(word in shown for word in (text.public_id, "batch", "jobs,transcribe", "requests_per_minute=120"))

    following = KeyText.read(run("rotate", text.public_id, "--overlap", "2h").out.strip())
    (rotated,) = read_keys(path.read_bytes()).values()
    assert following.public_id == text.public_id
    assert not any(rotated.refusal_of(each.digest, datetime.now(UTC)) for each in (text, following))

    everything = shown + run("list").out + path.read_text(encoding="utf-8") + made.err
    assert text.secret not in everything
    assert following.secret not in everything

    assert "there is no key" in run("revoke", "nobody", code=1).err
    run("revoke", text.public_id)
    assert read_keys(path.read_bytes()) == {}


def test_the_command_line_prints_what_a_variable_takes(path, capsys):
    assert main(["--file", str(path), "create", "--name", "a", "--print"]) == 0
    text, _, entry = capsys.readouterr().out.partition("\n")
    (key,) = read_keys(entry).values()
    assert key.sha256 == KeyText.read(text).digest
    assert not path.exists()


@pytest.mark.parametrize(
    "words",
    [
        ["--scopes", "everything"],
        ["--rate", "120"],
        ["--rate", "0/minute"],
        ["--expires", "soon"],
        ["--weight", "nan"],
        ["--weight", "-1"],
        ["--concurrent", "0"],
        ["--origins", "example.org"],
    ],
)
def test_the_command_line_says_what_it_takes(path, capsys, words):
    with pytest.raises(SystemExit):
        main(["--file", str(path), "create", "--name", "a", *words])
    assert words[0] in capsys.readouterr().err
    assert not path.exists()
