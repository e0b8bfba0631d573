"""A directory in which this user alone may put something, or else another one could answer for it."""

import os

import pytest

from server.startup import private


def test_it_is_made_for_this_user_alone(tmp_path):
    made = private(tmp_path / "made")
    assert made.stat().st_mode & 0o777 == 0o700
    assert private(made) == made


def test_another_users_is_not_used(tmp_path, monkeypatch):
    monkeypatch.setattr("server.startup.os.geteuid", lambda: os.getuid() + 1)
    with pytest.raises(PermissionError, match="another user"):
        private(tmp_path)
