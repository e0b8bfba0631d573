"""Nothing is sent home: a server's processes open what they need, and nothing of a library's own."""

from pathlib import Path

from tests.samples import CLIPS


def test_lanes_make_no_file_outside_the_cache_and_call_nobody(start, tmp_path, monkeypatch):
    monkeypatch.delenv("ORT_DISABLE_TELEMETRY", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    home, cache = tmp_path / "home", tmp_path / "cache"
    home.mkdir()
    with start(HOME=home, ASR_CACHE=cache, ASR_LANES=2) as server:
        server.post(CLIPS[0].read_bytes()).raise_for_status()
        for lane in server.lanes():
            opened = [str(path.readlink()) for path in Path(f"/proc/{lane.pid}/fd").iterdir()]
            # One alone, nameless and of this machine, by which the worker hands it files.
            (channel,) = [name for name in opened if name.startswith("socket:")]
            assert f" {channel.removeprefix('socket:[').removesuffix(']')}\n" in Path("/proc/net/unix").read_text()
            files = [name for name in opened if name.startswith("/")]
            known = (
                str(cache),
                str(server.log),
                "/dev/null",
                "/dev/shm/pym-",
            )  # the last is memory shared with the worker
            assert [name for name in files if not name.startswith(known)] == []
    assert list(home.rglob("*")) == []
