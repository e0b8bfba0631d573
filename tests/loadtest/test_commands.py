"""Real load on a real server for a few seconds: texts are right, nothing is lost, and the reports are there."""

import shutil
from pathlib import Path

import pytest

from loadtest.__main__ import main
from loadtest.harness import REPOSITORY
from loadtest.harness.server import ServerFailed
from loadtest.harness.subject import Subject
from loadtest.simulation.check import Plan, compare
from loadtest.simulation.machine import read_machine

pytestmark = [pytest.mark.measuring, pytest.mark.timeout(900)]
REPORTS = ("report.html", "locust_stats.csv", "outcomes.csv", "plot.png")


@pytest.fixture
def run(model_directory, capsys):
    """Exit status, and what was said."""

    def run(*arguments):
        command, *rest = map(str, arguments)
        status = main([command, "--model", str(model_directory), *rest])
        return status, "".join(capsys.readouterr())

    return run


@pytest.mark.parametrize(("command", "scenario"), [(["run", "steady"], "steady"), (["chaos"], "chaos")])
def test_scenario(run, command, scenario, tmp_path):
    status, said = run(*command, "--seconds", 10, "--out", tmp_path)
    assert status == 0
    assert all((tmp_path / scenario / name).stat().st_size for name in REPORTS)
    assert "lost 0  wrong texts 0" in said
    assert ("lanes killed" in said) == (scenario == "chaos")


def test_capacity_of_a_server_of_its_own(run, tmp_path):
    machine = tmp_path / "machine.json"
    status, said = run("capacity", "--p95", 3, "--seconds", 1, "--plot", tmp_path / "plot.png", "--machine", machine)
    assert status in {0, 1}
    assert "p95" in said
    found = read_machine(machine)
    assert found.lanes >= 1
    assert found.per_audio_second > 0


def test_the_simulation_is_like_the_server(model_directory):
    # Roughly, since one short round on a machine that others use says little of waiting: docs/scale.md has longer ones.
    subject = Subject(model_directory, "auto")
    for found in compare(subject, Plan(loads=(0.6, 1.6), rounds=1, seconds=6.0, queue_seconds=1.5)):
        assert 1 / 3 < found.told["goodput"].median < 3


def test_capacity_loads_no_stranger(run):
    status, said = run("capacity", "--url", "http://192.0.2.1:8000")
    assert status == 2
    assert "another machine" in said


def test_soak_for_a_few_seconds(run, tmp_path):
    # Too short to judge memory by: it is the report that is tested.
    status, said = run("soak", "--minutes", 0.2, "--out", tmp_path)
    assert status in {0, 1}
    assert "lost 0  wrong texts 0" in said
    assert (tmp_path / "memory.csv").read_text(encoding="utf-8").count("lane") >= 2
    assert (tmp_path / "plot.png").exists()


def test_recordings_in_small(run):
    status, said = run("recording", "--minutes", 2, "--hours", 0.1, "--lanes", 2)
    assert status in {0, 1}  # speed is what an idle machine is needed for
    wrong = [float(line.split(": ")[-1].partition(" ")[0]) for line in said.splitlines() if "words wrong" in line]
    assert len(wrong) == 3
    assert max(wrong) < 6  # percent
    rows = "texts where", "time for", "p95 of", "windows tried again: 1", "seconds until", "MiB that"
    assert [row for row in rows if row not in said.replace(" where a lane dies", "")] == []


def test_workers(run):
    status, said = run("workers", "--rounds", 1, "--seconds", 1)
    assert status == 0
    assert said.count("2 workers × 1 lane ÷ 1 × 2") == 2


def test_figures_fill_their_column_of_the_page(run, tmp_path):
    page = Path(shutil.copy(REPOSITORY / "docs" / "performance.md", tmp_path))
    status, said = run("figures", "--rounds", 1, "--seconds", 1, "--pairs", 2, "--page", page)
    assert status == 0
    table = page.read_text(encoding="utf-8").partition("<!-- server: begin -->")[2].partition("<!-- server: end -->")[0]
    rows = [line.split("|")[1].strip() for line in table.splitlines() if line.startswith("|")][2:]
    assert len(rows) == 10
    assert [row for row in rows if f"{row}: " not in said] == []


def test_a_server_that_does_not_start_says_why(tmp_path):
    with pytest.raises(ServerFailed, match=r"model\.yaml"), Subject(tmp_path, "auto").server():
        pass
