"""The glossary, notebooks/glossary.md, from the terms that the notebooks explain.

A notebook sets a term in bold italics, `***epoch***`, in the sentence that explains it.
The glossary lists that sentence, so it has to be understood alone.

    python tools/glossary.py            write the page (`make readme` does it, too)
    python tools/glossary.py --check    print what is wrong with the marked terms
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import nbformat
from gallery import SENTENCE_ENDS, anchor
from regions import put
from run import NOTEBOOKS, PARTS, notebooks_of

PAGE = NOTEBOOKS / "glossary.md"
MARK = re.compile(r"\*\*\*(.+?)\*\*\*", re.DOTALL)
CODE = re.compile(r"```.*?```", re.DOTALL)
# The rest of what is no prose: folded answers, tables.
NOT_PROSE = re.compile(r"<details>.*?</details>|^\|[^\n]*$", re.DOTALL | re.MULTILINE)
HEADING = re.compile(r"^(#+ [^\n]*)$", re.MULTILINE)
BLOCK_ENDS = re.compile(r"\n\s*\n|\n\s*(?:[-*]|\d+\.) ")
NOT_WORDS = re.compile(r"`[^`]*`|!?\[[^]]*\]\([^)]*\)|<[^>]*>")
NOT_ALONE = re.compile(r"(This|These|It|Here|They)\b")

# At the beginning of a sentence, these keep their capital.
NAMES = {"Gram", "Holm", "Jupyter", "Keras"}

# Words that have an everyday meaning, too. Their earlier use is no problem.
EVERYDAY = {"run"}


class Said(NamedTuple):
    """A sentence of a notebook, and where it is."""

    text: str
    page: str
    heading: str

    @property
    def place(self) -> str:
        return f"{self.page}, {self.heading}"

    @property
    def terms(self) -> list[str]:
        """The marked terms, as the glossary lists them."""
        found = MARK.findall(self.text)
        first = re.match(r"\*{3}([A-Z][a-z]+)\b", self.text)
        if first and first[1] not in NAMES:
            found[0] = found[0][0].lower() + found[0][1:]
        return found

    def link(self, slug: Callable[[str], str]) -> str:
        title = f"{self.page[:2]} {self.heading}"
        return f"[{title}]({self.page}#{slug(self.heading)})"


def texts(notebook: Path) -> Iterator[str]:
    """The Markdown cells of a notebook but the solutions, without blocks of code."""
    for cell in nbformat.read(notebook, as_version=4).cells:
        if cell.cell_type == "markdown" and "solution" not in cell.metadata.get(
            "tags", []
        ):
            yield CODE.sub("", cell.source)


def sentences(notebook: Path) -> Iterator[Said]:
    """The prose of a notebook."""
    heading = ""
    for text in texts(notebook):
        text = HEADING.sub(r"\n\1\n\n", NOT_PROSE.sub("", text))
        for block in BLOCK_ENDS.split(text):
            block = " ".join(block.split())
            if block.startswith("#"):
                heading = block.lstrip("# ")
            elif block:
                for sentence in SENTENCE_ENDS.split(block.removeprefix("- ")):
                    yield Said(sentence, notebook.name, heading)


def terms(said: Iterable[Said]) -> dict[str, Said]:
    """Each marked term, in alphabetical order, and the first sentence that marks it."""
    found: dict[str, Said] = {}
    for sentence in said:
        for term in sentence.terms:
            found.setdefault(term, sentence)
    return {name: found[name] for name in sorted(found, key=place_in_alphabet)}


def place_in_alphabet(term: str) -> tuple[bool, str]:
    """Signs come first, and a code term is where its letters belong."""
    plain = term.strip("`").lower()
    return plain[0].isalpha(), plain


# --- what is wrong


def uses(term: str) -> re.Pattern[str]:
    """Finds a term, also in the plural, in capitals, and with another space in it."""
    if term.startswith("`"):
        return re.compile(r"(?!)")  # code is free
    ends = {"y": "(y|ies)", "is": "(is|es)"}
    end = next((x for x in ends if term.endswith(x)), "")
    words = re.split(r"[\s-]+", term.removesuffix(end))
    stem = r"[\s-]+".join(map(re.escape, words))
    return re.compile(rf"\b{stem}{ends.get(end, '(s|es)?')}\b", re.IGNORECASE)


def problems(notebooks: Iterable[Path]) -> Iterator[str]:
    """What is wrong with the marked terms, one sentence for each."""
    said = []
    for path in notebooks:
        prose = list(sentences(path))
        said += prose
        whole = "\n".join(texts(path))
        marks, in_prose = (
            MARK.findall(x) for x in (whole, "\n".join(x.text for x in prose))
        )
        if lost := set(marks) - set(in_prose):
            yield f"{path.name}: {', '.join(lost)} is marked where there is no prose"
        if marks and "](glossary.md" not in whole:
            yield f"{path.name}: marks terms, but has no link to glossary.md"
    plain = [NOT_WORDS.sub(" ", x.text) for x in said]
    first: dict[str, Said] = {}
    for number, sentence in enumerate(said):
        marked = sentence.terms
        if len(marked) > 1:
            yield f"{sentence.place}: {' and '.join(marked)} are marked in one sentence"
        if marked and NOT_ALONE.match(sentence.text):
            yield f"{sentence.place}: cannot be understood alone: {sentence.text}"
        for term in marked:
            if term in first:
                yield f"{sentence.place}: {term} is also marked in {first[term].place}"
                continue
            first[term] = sentence
            pattern = uses(term)
            before = [*plain[:number], plain[number].partition("***")[0]]
            early = next((i for i, x in enumerate(before) if pattern.search(x)), None)
            if early is not None and term not in EVERYDAY:
                yield (
                    f"{said[early].place}: {term} is used before it is explained "
                    f"({sentence.place}): {said[early].text}"
                )


# --- the page


def explained(term: str, sentence: Said, slug: Callable[[str], str]) -> str:
    """The sentence without its mark, with links that lead to its notebook."""
    text = MARK.sub(r"\1", re.sub(r"^\*{3}[^*]*\*{3}: ", "", sentence.text))
    text = text.replace("](#", f"]({sentence.page}#")
    return f"{text} ({sentence.link(slug)})"


def lines(found: dict[str, Said]) -> str:
    """A line for each term, for JupyterLab and GitHub."""
    return "\n".join(f"- **{x}**: {explained(x, found[x], anchor)}" for x in found)


def lines_in_book(found: dict[str, Said], slug: Callable[[str], str]) -> str:
    """A glossary of Sphinx, which its search knows; `slug` makes a heading's anchor."""
    entries = (f"{x}\n  {explained(x, found[x], slug)}" for x in found)
    return "\n\n".join(["```{glossary}", *entries]) + "\n```"


def linked(markdown: str) -> str:
    """A notebook's text with its terms as links to Sphinx's glossary."""
    return MARK.sub(lambda mark: f"{{term}}`{mark[1].strip('`')}`", markdown)


def all_notebooks() -> list[Path]:
    return [path for part in PARTS for path in notebooks_of(part)]


def all_terms() -> dict[str, Said]:
    return terms(x for path in all_notebooks() for x in sentences(path))


def renewed(text: str) -> str:
    return put(text, "terms", lambda _: lines(all_terms()))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="print what is wrong")
    if parser.parse_args().check:
        found = list(problems(all_notebooks()))
        print("\n".join([*found, f"{len(found)} problems"]))
        return bool(found)
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
