import importlib.util

import pytest

from export.cli import main


@pytest.mark.skipif(importlib.util.find_spec("nemo") is not None, reason="NeMo is installed here")
@pytest.mark.parametrize("arguments", [["nemo", "{}"], ["random", "--size", "small"]])
def test_without_nemo(tmp_path, capsys, arguments):
    source = tmp_path / "x.nemo"
    source.touch()
    assert main([argument.format(source) for argument in arguments] + ["--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert "pip install -r requirements/export.txt" in error
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("arguments", [["nemo", "x.nemo"], ["random", "--size", "small"]])
def test_an_existing_package_is_refused_before_any_work(tmp_path, capsys, arguments):
    assert main([*arguments, "--out", str(tmp_path)]) == 2
    assert "--replace" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["verify", "{}", "--nemo", "x.nemo", "a.wav"], ["quantise", "{}", "--dev", "x"]])
def test_missing_package(tmp_path, capsys, arguments):
    assert main([argument.format(tmp_path / "none") for argument in arguments]) == 2
    assert "model.yaml does not exist" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["nemo"], ["nemo", "x", "--out", "y", "--positions", "0"], ["random"]])
def test_usage(arguments, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert "usage:" in capsys.readouterr().err
