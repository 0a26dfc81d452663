"""notebooks/teaching.md: the plans add up, and the sections they name exist."""

import re
import runpy
import sys
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
from run import notebooks_of  # noqa: E402

TEACHING = ROOT / "notebooks" / "teaching.md"
TEXT = TEACHING.read_text(encoding="utf-8")
PLANS = re.findall(r"^## ((\d+) minutes: .*)$", TEXT, re.MULTILINE)


def rows(heading):
    """Return the rows of the table below a heading, cell by cell."""
    below = TEXT.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in below.split("\n") if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def headings(name):
    cells = nbformat.read(ROOT / "notebooks" / name, as_version=4).cells
    text = "\n".join(c.source for c in cells if c.cell_type == "markdown")
    return re.findall(r"^#{2,3} (.+)$", text, re.MULTILINE)


def named(text):
    """Return (notebook, section) of each `[01](01_mnist.ipynb): *Train*, *Compile*`."""
    parts = re.split(r"\]\((\d\d_\w+\.ipynb)\)", text)
    for notebook, after in zip(parts[1::2], parts[2::2], strict=True):
        for section in re.findall(r"(?<!\*)\*([^*]+)\*(?!\*)", after):
            yield notebook, section


def test_there_are_four_plans():
    assert [int(minutes) for _, minutes in PLANS] == [45, 90, 180, 210]


@pytest.mark.parametrize(("heading", "minutes"), PLANS, ids=[m for _, m in PLANS])
def test_the_minutes_of_a_plan_add_up(heading, minutes):
    assert sum(int(row[0]) for row in rows(heading)) == int(minutes)


def test_every_section_that_is_named_exists():
    lines = [line for line in TEXT.split("\n") if line.startswith("|")]
    found = [pair for line in lines for pair in named(line)]
    assert len(found) > 40
    assert [f"{n}: {s}" for n, s in found if s not in headings(n)] == []


def test_a_missing_section_is_found():
    line = "| 3 | [01](01_mnist.ipynb): *Train*, *Rest* | a **bold** word |"
    assert list(named(line)) == [
        ("01_mnist.ipynb", "Train"),
        ("01_mnist.ipynb", "Rest"),
    ]
    assert "Rest" not in headings("01_mnist.ipynb")


def test_the_last_two_plans_use_all_of_the_course_and_three_of_the_gallery():
    course, gallery = (
        {notebook for row in rows(heading) for notebook, _ in named(row[1])}
        for heading, _ in PLANS[2:]
    )
    assert course == {path.name for path in notebooks_of("course")}
    assert gallery < {path.name for path in notebooks_of("gallery")}
    assert len(gallery) == 3


def test_the_links_are_those_of_the_book(monkeypatch):
    """They are right for a repository with the name in the text."""
    monkeypatch.chdir(ROOT / "book")
    conf = runpy.run_path(str(ROOT / "book" / "conf.py"))
    config = SimpleNamespace(
        repository_url="https://github.com/NAME/REPOSITORY",
        jupyterhub_url="https://HUB",
    )
    env = SimpleNamespace(doc2path=lambda name: ROOT / f"{name}.ipynb")
    context = {}
    app = SimpleNamespace(config=config, env=env)
    conf["add_links"](app, "notebooks/00_start_here", "", context, object())
    links = re.findall(r"^https://\S+$", TEXT, re.MULTILINE)
    assert links == [context["binder_url"], context["hub_url"]]
