"""What the documents say is so."""

import re
from pathlib import Path

import pytest

from config.settings import settings_table
from server.http.problems import PROBLEMS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_readme_shows_the_settings_as_they_are():
    assert settings_table() in README, "put the output of 'python -m config' into the README"


@pytest.mark.parametrize("problem", PROBLEMS.values(), ids=lambda problem: problem.slug)
def test_readme_lists_every_problem(problem):
    unseen_by_clients = {"client-closed-request", "inference-failed"}
    assert problem.slug in unseen_by_clients or f"`{problem.slug}`" in README


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_links_lead_somewhere(document):
    for target in re.findall(r"\]\(([^)#]+)", document.read_text(encoding="utf-8")):
        assert target.startswith("https://") or (document.parent / target).exists(), target
