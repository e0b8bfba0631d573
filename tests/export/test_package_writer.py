import stat

import pytest

from export.errors import ExportError
from export.package_writer import new_directory, write_vocabulary
from inference.decoding.vocabulary import load_vocabulary


class Interrupted(Exception):
    pass


def write_and_fail(out, *, replace=False):
    with new_directory(out, replace=replace) as directory:
        (directory / "model.yaml").write_text("new")
        raise Interrupted


def test_nothing_is_left_of_a_failed_write(tmp_path):
    with pytest.raises(Interrupted):
        write_and_fail(tmp_path / "models" / "x")
    assert not list((tmp_path / "models").iterdir())


def test_a_failed_replacement_leaves_the_old_package(tmp_path):
    out = tmp_path / "x"
    out.mkdir()
    (out / "model.yaml").write_text("old")
    with pytest.raises(Interrupted):
        write_and_fail(out, replace=True)
    assert (out / "model.yaml").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_existing_package_is_not_written_over(tmp_path):
    with pytest.raises(ExportError, match="--replace"), new_directory(tmp_path):
        pass


@pytest.mark.parametrize("content", ["notes.txt", "model.yaml/inside", "hi-demo/model.yaml"])
def test_what_is_more_than_a_package_is_not_replaced(tmp_path, content):
    file = tmp_path / "models" / content
    file.parent.mkdir(parents=True)
    file.write_text("mine")
    with pytest.raises(ExportError, match="more than a package"), new_directory(tmp_path / "models", replace=True):
        pass
    assert file.read_text() == "mine"


def test_a_link_to_a_package_goes_on_to_lead_there(tmp_path):
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "model.yaml").write_text("old")
    (tmp_path / "current").symlink_to("x")
    with new_directory(tmp_path / "current", replace=True) as directory:
        (directory / "model.yaml").write_text("new")
    assert (tmp_path / "x" / "model.yaml").read_text() == "new"
    assert (tmp_path / "current").is_symlink()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["current", "x"]


def test_others_may_read_a_package(tmp_path):
    with new_directory(tmp_path / "x"):
        pass
    assert (tmp_path / "x").stat().st_mode & (stat.S_IRGRP | stat.S_IROTH)


def test_unwritable_place(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ExportError, match="cannot be written"), new_directory(tmp_path / "file" / "x"):
        pass


def test_vocabulary_survives(tmp_path):
    pieces = ["<unk>", "▁", "▁है", "ा"]
    write_vocabulary(tmp_path / "vocab.txt", pieces)
    assert list(load_vocabulary(tmp_path / "vocab.txt").pieces) == pieces
    assert (tmp_path / "vocab.txt").read_text(encoding="utf-8").splitlines()[-1] == "<blk> 4"


@pytest.mark.parametrize("piece", ["", "a b", "a\n", "\u2028", "<blk>"])
def test_vocabulary_that_the_format_cannot_carry(tmp_path, piece):
    with pytest.raises(ExportError, match="cannot carry"):
        write_vocabulary(tmp_path / "vocab.txt", ["<unk>", piece])
