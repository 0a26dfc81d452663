"""notebooks/bibliography.md has exactly the works that are cited."""

import re
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "notebooks" / "bibliography.md"
PAGES = ["*.md", "notebooks/*.md", "notebooks/*.ipynb", "data/**/*.md", "binder/*.md"]

CITATION = re.compile(r"\[([^][]+?\s\d{4}[a-z]?)\]\((?:[./\w]*/)?bibliography\.md\)")
# Key, authors, title with its link, place of publication.
ENTRY = re.compile(
    r"- \*\*([^*]+ \d{4}[a-z]?)\.\*\* [^\[]+\. \[[^]]+\]\(https://\S+\)\. .+\."
)


def citations(text):
    found = CITATION.findall(re.sub("`.*?`", "", text))  # code shows examples
    return {" ".join(key.split()) for key in found}


def text_of(path):
    if path.suffix == ".md":
        return path.read_text(encoding="utf-8")
    cells = nbformat.read(path, as_version=4).cells
    return "\n\n".join(c.source for c in cells if c.cell_type == "markdown")


def entries():
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line.startswith("-")]


def test_each_entry_has_a_key_authors_a_title_with_a_link_and_a_place():
    assert [line for line in entries() if not ENTRY.fullmatch(line)] == []


def test_entries_are_in_alphabetical_order_and_there_once():
    keys = [line.split("**")[1].casefold() for line in entries()]
    assert keys == sorted(set(keys))


def test_every_citation_has_an_entry_and_every_entry_is_cited():
    paths = [path for pattern in PAGES for path in ROOT.glob(pattern)]
    cited = {key for path in paths for key in citations(text_of(path))}
    assert cited == {ENTRY.match(line)[1] for line in entries()}


def test_a_citation_may_be_broken_by_a_line_and_come_from_any_folder():
    text = """[Ba\n2016](bibliography.md), [A and B 2015a](../bibliography.md),
    [the list](bibliography.md), `[B 2014](bibliography.md)`, [C 2014](https://example.org)."""
    assert citations(text) == {"Ba 2016", "A and B 2015a"}
