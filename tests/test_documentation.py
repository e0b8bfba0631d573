"""What the documents say is so."""

import contextlib
import io
import json
import re
import subprocess
from pathlib import Path

import pytest

from config.settings import Settings, secrets_in_files, variable_of
from server.http.problems import NEVER_SENT, PROBLEMS
from server.reference import updated
from server.schemas import TranscriptionReply

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
README = (ROOT / "README.md").read_text(encoding="utf-8")
KEPT = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "SECURITY.md",
    ROOT / "models/hi-demo/MODEL_CARD.md",
    ROOT / "training/README.md",
    ROOT / "tests/data/README.md",
    *sorted(DOCS.glob("*.md")),
]
"""Documents that are maintained; laboratory notes are not."""

LINK = re.compile(r"\]\(([^)]*)\)")
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
SETTING = re.compile(r"\bASR_[A-Z_]*[A-Z]\b")


def tracked(*patterns):
    """Files of the repository, without those that nobody maintains."""
    listed = subprocess.run(["git", "ls-files", *patterns], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("no git here")
    return [ROOT / name for name in listed.stdout.splitlines() if not name.startswith("docs/notes/")]


def anchors(page):
    """What the headings of a page can be linked by, as GitHub makes it."""
    headings = (re.sub(r"[^\w\s-]", "", heading).lower() for heading in HEADING.findall(page.read_text("utf-8")))
    return {heading.strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda page: page.name)
def test_parts_that_stand_in_the_code_are_up_to_date(page):
    text = page.read_text(encoding="utf-8")
    assert updated(text) == text, "run 'make docs'"


def test_every_problem_and_every_setting_stands_there():
    problems = (DOCS / "api.md").read_text(encoding="utf-8")
    assert all(f"`{row.slug}`" in problems for error, row in PROBLEMS.items() if error not in NEVER_SENT)
    settings = (DOCS / "configuration.md").read_text(encoding="utf-8")
    assert all(f"| `{variable_of(name)}` |" in settings for name in Settings.model_fields)
    assert "### Others" not in settings, "config/reference.py knows no group for a setting"


def test_the_readme_is_short():
    assert len(README.splitlines()) <= 120


def test_the_readmes_lines_of_the_library_work(spoken_texts):
    (code,) = re.findall(r"((?:^    (?:from|print).*\n)+)", README, re.MULTILINE)
    said = io.StringIO()
    with contextlib.chdir(ROOT), contextlib.redirect_stdout(said):
        exec(re.sub("^    ", "", code, flags=re.MULTILINE), {})
    assert said.getvalue().strip() == spoken_texts[ROOT / "tests/data/namaste.wav"]


@pytest.mark.parametrize("document", [ROOT / "README.md", DOCS / "api.md"], ids=lambda document: document.name)
def test_replies_are_shown_as_they_are(document, spoken_texts):
    (shown,) = re.findall(r"^    \{\"text\".*?\}$", document.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    reply = TranscriptionReply.model_validate_json(shown, strict=True)
    assert reply.text == spoken_texts[ROOT / "tests/data/namaste.wav"]
    always = [name for name, field in TranscriptionReply.model_fields.items() if field.is_required()]
    assert list(json.loads(shown)) == always


@pytest.mark.parametrize("document", [*KEPT, *sorted(DOCS.glob("notes/*.md"))], ids=lambda document: document.name)
def test_links_lead_somewhere(document):
    for link in LINK.findall(document.read_text(encoding="utf-8")):
        if link.startswith("https://"):
            continue
        name, _, anchor = link.partition("#")
        target = document.parent / name if name else document
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.programs("git")
def test_pages_named_in_code_are_there():
    for file in tracked("*.py", "*.md", "Makefile", ".ci", "requirements"):
        for page in re.findall(r"\bdocs/[\w/.-]+\.md\b", file.read_text(encoding="utf-8")):
            assert (ROOT / page).exists(), f"{file}: {page}"


def test_performance_is_one_page_of_short_tables():
    tables = re.findall(r"((?:^\|.*\n)+)", (DOCS / "performance.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert len(tables) == 3
    assert all(len(table.splitlines()) <= 2 + 10 for table in tables)


@pytest.mark.parametrize("document", KEPT, ids=lambda document: document.name)
def test_settings_named_are_settings(document):
    known = {variable_of(name) for name in Settings.model_fields}
    known |= {f"{variable_of(name)}_FILE" for name in secrets_in_files()}
    assert set(SETTING.findall(document.read_text(encoding="utf-8"))) <= known


def test_metrics_named_are_metrics():
    listed = set(re.findall(r"`(asr_\w+)`", (DOCS / "metrics.md").read_text(encoding="utf-8")))
    for document in KEPT:
        for name in re.findall(r"\basr_[a-z_]+", document.read_text(encoding="utf-8")):
            assert re.sub(r"_(total|bucket|sum|count)$", "", name) in listed, f"{document}: {name}"


def test_no_chore_of_the_makefile_is_defined_again():
    chores = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(chores) == sorted(set(chores))
    assert {"run", "test", "loadtest"} <= set(chores)
