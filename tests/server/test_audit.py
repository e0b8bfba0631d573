"""The audit log where it is a stream, or cannot be written; in a file: tests/end_to_end/test_doors.py."""

import json

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
