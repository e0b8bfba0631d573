"""The audit log where it is a stream, or cannot be written; in a file: tests/end_to_end/test_doors.py."""

import fcntl
import json
import os
import subprocess
import sys
import time

import pytest

from server.audit import AuditLog


def test_a_line_on_a_stream_is_bounded_and_one_line(capfd):
    AuditLog("stdout").write({"path": "/a\n\u2028b" + "क" * 10_000, "status": 200})
    text = capfd.readouterr().out
    assert text.endswith("\n")
    assert len(text.splitlines()) == 1
    assert len(text) < 4096  # what a pipe takes whole
    assert json.loads(text)["path"].startswith("/a\n\u2028bक")


def test_a_line_that_cannot_be_written_is_a_warning_until_one_can(tmp_path):
    audit = AuditLog(str(tmp_path / "folder" / "audit.jsonl"))
    audit.write({"status": 200})
    (warning,) = audit.warnings
    assert warning.startswith("the audit log cannot be written: ")
    (tmp_path / "folder").mkdir()
    audit.write({"status": 201})
    audit.close()
    assert not audit.warnings
    assert json.loads((tmp_path / "folder" / "audit.jsonl").read_text(encoding="utf-8"))["status"] == 201


@pytest.mark.parametrize("target", ["file", "stdout"])
def test_after_a_line_that_a_full_disk_cut_off_the_next_one_is_whole(tmp_path, monkeypatch, capfd, target):
    """In a file also where it is another worker that writes next, or the disk is full for longer."""
    file = tmp_path / "audit.jsonl"
    one = AuditLog(str(file) if target == "file" else target)
    other = AuditLog(str(file)) if target == "file" else one
    one.write({"status": 200})
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", lambda descriptor, line, write=os.write: write(descriptor, line[: len(line) // 2]))
        one.write({"status": 201})
        assert one.warnings
        patched.setattr(os, "write", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        one.write({"status": 202})
    other.write({"status": 203})
    one.write({"status": 204})
    assert not one.warnings
    text = file.read_text(encoding="utf-8") if target == "file" else capfd.readouterr().out
    first, half, *rest = text.splitlines()
    assert [json.loads(line)["status"] for line in (first, *rest)] == [200, 203, 204]
    assert half.startswith('{"timestamp')


def test_a_worker_that_is_stopped_in_a_line_keeps_nobody_waiting(tmp_path):
    file = tmp_path / "audit.jsonl"
    file.write_text('{"timestamp": "20')
    with file.open("a") as others:
        fcntl.flock(others, fcntl.LOCK_SH)
        began = time.monotonic()
        AuditLog(str(file)).write({"status": 200})
        assert time.monotonic() - began < 5
        assert "\n{" not in file.read_text(encoding="utf-8"), "its line may still end"
    AuditLog(str(file)).write({"status": 201})
    assert json.loads(file.read_text(encoding="utf-8").splitlines()[-1])["status"] == 201


_WRITER = """
import sys
from server.audit import AuditLog
audit = AuditLog(sys.argv[1])
for number in range(3000):
    audit.write({"path": "x" * 500, "reason": "y" * 300, "number": number})
"""


def test_a_line_that_another_worker_is_just_writing_is_not_taken_for_one_cut_off(tmp_path):
    file = tmp_path / "audit.jsonl"
    writers = [subprocess.Popen([sys.executable, "-c", _WRITER, file]) for _ in range(4)]
    assert [writer.wait() for writer in writers] == [0] * 4
    lines = file.read_text(encoding="utf-8").splitlines()
    assert len(lines) == 4 * 3000, "no empty one between them"
    assert all(json.loads(line)["number"] < 3000 for line in lines)
