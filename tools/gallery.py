"""The index of the gallery, notebooks/gallery.md, computed from its notebooks.

The metadata of each notebook describe its examples, under `sidebyside`:

    examples   the FIELDS below for each example of 2017. `claim` is what the original
               said. `picture` and `result` are the ids of two cells: the first figure
               of one becomes the thumbnail, the other prints what is reached here
    seconds    the time that the pairs took in R and in Python (tools/run.py writes it)

Everything else comes from the section of the example. The section begins with the `## `
heading that names the example, and ends at the first such heading after its result.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from types import SimpleNamespace as Example
from typing import Any

import nbformat
from PIL import Image, PngImagePlugin
from sidebyside.common.errors import Sentence

THUMBNAILS = Path(__file__).resolve().parents[1] / "book" / "static" / "gallery"
LARGEST = 240, 180  # pixels of a thumbnail

FIELDS = {
    "level": "first steps|some practice|advanced",
    "data": "real data|stand-in|made here",  # made here: computed, as in 2017
    **dict.fromkeys(["question", "claim", "picture", "result"], ".+"),
}
HEADING = re.compile(r"^## (.*)$", re.MULTILINE)
TITLE = re.compile(r"^# ([^:\n]+)")
MEMORY = re.compile(r"^\| Memory \|[^|]*?([\d.]+ GB)", re.MULTILINE)
BROKE = re.compile(r"^\| *What broke *\| *(.*?) *\|$", re.MULTILINE)
SENTENCE_ENDS = re.compile(r"(?:(?<=[.!?])|(?<=[.!?][)*\"]))\s+(?=[A-Z`*(\"\[])")
# What compare() prints for one value: its name, what it is, and how equal it is.
COMPARED = re.compile(r"^(\S+) +(\S.*?)  +((?:equal|differ)\b.*)$", re.MULTILINE)
EXACT = "equal to the last digit", "equal"  # texts are only equal


# --- a notebook


def need(found: Any, file: str, name: str, what: str) -> Any:
    if not found:
        raise Sentence(f"{file}, example {name}: found no {what}, which is expected")
    return found


def sections(notebook, file: str) -> dict[str, list]:
    """The cells of each example that a notebook's metadata name, in their order."""
    examples = notebook.metadata.get("sidebyside", {}).get("examples", {})
    places = {cell.id: i for i, cell in enumerate(notebook.cells)}
    headings = {
        i: heading[1]
        for i, cell in enumerate(notebook.cells)
        if cell.cell_type == "markdown" and (heading := HEADING.search(cell.source))
    }
    begins = {
        name: next((i for i, text in headings.items() if f"`{name}`" in text), -1)
        for name in examples
    }
    found = {}
    for name in sorted(examples, key=begins.get):
        need(begins[name] >= 0, file, name, f"heading '## ... `{name}`'")
        begin, result = begins[name], places.get(examples[name].get("result"), 0)
        later = [i for i in headings if i > begin]
        ends = (i for i in later if i > result or i in begins.values())
        found[name] = notebook.cells[begin : next(ends, None)]
        inside = result and notebook.cells[result] in found[name]
        need(inside, file, name, "cell in its section with the id that 'result' gives")
    return found


def all_examples(notebooks: Iterable[Path]) -> list[Example]:
    return [example for path in notebooks for example in examples_of(path)]


def examples_of(path: Path) -> Iterator[Example]:
    """The examples of a notebook; raises a Sentence if something is missing."""
    notebook = nbformat.read(path, as_version=4)
    metadata = notebook.metadata.get("sidebyside", {})
    opening = notebook.cells[0].source
    described = "examples" in metadata or path.name < "1"  # the course need not
    need(described, path.name, "(any)", "sidebyside.examples in the metadata")
    for name, cells in sections(notebook, path.name).items():

        def have(found, what, name=name):
            return need(found, path.name, name, what)

        about = metadata["examples"][name]
        for field, form in FIELDS.items():
            valid = re.fullmatch(form, about.get(field, ""))
            have(valid, f"field '{field}' ({form}) in the metadata")
        text = "\n".join(c.source for c in cells if c.cell_type == "markdown")
        said = {
            c.id: "".join(x.get("text", "") for x in c.get("outputs", []))
            for c in cells
        }
        figures = [
            x
            for cell in notebook.cells
            if cell.id == about["picture"]
            for x in cell.get("outputs", [])
            if "image/png" in x.get("data", {})
        ]
        figure = have(figures, "PNG in the output of the cell 'picture'")[0]
        broke = have(BROKE.search(text), "row 'What broke' in its section")[1]
        alt = figure.metadata.get("image/png", {}).get("alt", "")
        took = metadata.get("seconds", {}).get(name)
        yield Example(
            **{field: about[field] for field in FIELDS if field != "picture"},
            name=name,
            page=path.name,
            theme=TITLE.match(opening)[1],
            heading=HEADING.search(text)[1],
            memory=have(MEMORY.search(opening), "row 'Memory' with GB")[1],
            broke=broke[:1].upper() + SENTENCE_ENDS.split(broke)[0][1:],
            here=have(reached(said[about["result"]]), "line printed by 'result'"),
            compared=have(COMPARED.findall("".join(said.values())), "compare()"),
            seconds=have(took, "seconds in the metadata (tools/run.py writes them)"),
            picture=base64.b64decode(figure.data["image/png"]),
            alt=textwrap.shorten(alt, 150, placeholder=" ..."),
        )


def reached(text: str) -> str:
    """What a check prints, without compare()'s lines and the limits it expects."""
    said = re.split(r"\n(?=[A-Z])|(?<=[.!?])\s+", COMPARED.sub("", text).strip())
    said = [" ".join(x.split()) for x in said if not x.startswith("Expected")]
    return re.sub(r"(?<![.!?,:;])\n", "; ", "\n".join(said)).replace("\n", " ")


def is_same(example: Example) -> bool:
    """Whether R's trained networks are Python's, to the last digit.

    If there is no network, what Keras computed counts, which is float32. Values that R
    and NumPy compute themselves may be only nearly equal: they add up in other orders.
    """
    equal = [x for x in example.compared if not x[2].startswith("differ")]
    networks = [x for x in equal if x[1].startswith("model,")]
    from_keras = [x for x in equal if "float32" in x[1]]
    return all(verdict in EXACT for _, _, verdict in networks or from_keras or equal)


def agreement(example: Example) -> str:
    nearly = {}
    for name, _, verdict in example.compared:
        if verdict not in EXACT and not verdict.startswith("differ"):
            nearly.setdefault(verdict.removeprefix("equal "), {})[f"`{name}`"] = None
    said = [f"{', '.join(names)} {verdict}" for verdict, names in nearly.items()]
    return "; ".join(["yes" if is_same(example) else "no", *said])


# --- the index


def table(head: str, rule: str, rows: Iterable[Sequence[str]]) -> str:
    lines = (" | ".join(re.sub(r"(?<!\\)\|", r"\\|", x) for x in row) for row in rows)
    return "\n".join([f"| {head} |", f"|{rule}|", *(f"| {line} |" for line in lines)])


def anchor(heading: str) -> str:
    """The anchor that JupyterLab gives a heading."""
    return heading.replace("`", "").replace(" ", "-")


def cards(examples: Iterable[Example]) -> str:
    """One table for each notebook, for JupyterLab and GitHub."""

    def rows(group):
        for x in group:
            link = f"[`{x.name}`]({x.page}#{anchor(x.heading)})"
            picture = f"![{x.alt}]({picture_of(x)})"
            yield picture, f"{link}<br>{x.question}", "<br>".join(facts(x))

    return by_theme(examples, lambda x: table(" | example | ", "---|---|---", rows(x)))


def cards_in_book(examples: Iterable[Example], slug: Callable[[str], str]) -> str:
    """Cards of sphinx-design, for the book; `slug` makes a heading's anchor."""

    def grid(group):
        yield "`````{grid} 1 2 3 4\n:gutter: 3"
        for x in group:
            yield f"````{{grid-item-card}}\n:img-top: {picture_of(x)}"
            yield f":img-alt: {json.dumps(x.alt)}\n"
            yield f"[`{x.name}`]({x.page}#{slug(x.heading)})\n\n{x.question}"
            yield f"```{{card-footer}}\n{' · '.join(facts(x))}\n```\n````"
        yield "`````"

    return by_theme(examples, lambda x: "\n".join(grid(x)))


def by_theme(examples: Iterable[Example], make: Callable[[Iterable], str]) -> str:
    groups = groupby(examples, lambda x: f"### [{x.page[:2]} {x.theme}]({x.page})")
    return "\n\n".join(f"{heading}\n\n{make(group)}" for heading, group in groups)


def picture_of(example: Example) -> str:
    return f"../book/static/gallery/{example.name}.png"


def facts(example: Example) -> list[str]:
    took = f"{sum(example.seconds.values()):.0f} s"
    said = [example.level, took, example.memory, example.data]
    return [x.replace(" ", "\N{NO-BREAK SPACE}") for x in said]


def results(examples: Iterable[Example]) -> str:
    """The table of all examples."""
    head = (
        "example | claimed in 2017 | here | R = Python to the last digit | seconds, R "
        "| seconds, Python | what broke since"
    )
    rows = (
        [
            f"`{x.name}`",
            x.claim,
            x.here,
            agreement(x),
            f"{x.seconds['r']:.1f}",
            f"{x.seconds['python']:.1f}",
            x.broke,
        ]
        for x in examples
    )
    return table(head, "---|---|---|---|---:|---:|---", rows)


def in_one_line(examples: Sequence[Example]) -> str:
    """The README's sentences about the index."""
    return (
        f"[The gallery's index](notebooks/gallery.md) shows {len(examples)} examples: "
        "what each one claimed in 2017, what it reaches today, and how long R and "
        "Python take. R and Python agree to the last digit in "
        f"{sum(map(is_same, examples))} of them."
    )


def draw_thumbnails(examples: Iterable[Example]) -> None:
    """The cards' pictures; only those whose figure has changed are drawn again."""
    THUMBNAILS.mkdir(exist_ok=True)
    for x in examples:
        path, source = THUMBNAILS / f"{x.name}.png", digest(x)
        if not path.exists() or source_of(path) != source:
            image = Image.open(io.BytesIO(x.picture)).convert("RGB")
            if image.height > 1.5 * image.width:  # the beginning of a long drawing
                image = image.crop((0, 0, image.width, image.width * 3 // 4))
            image.thumbnail(LARGEST)
            about = PngImagePlugin.PngInfo()
            about.add_text("source", source)
            image.quantize(64).save(path, pnginfo=about, optimize=True)


def digest(example: Example) -> str:
    return hashlib.sha256(example.picture).hexdigest()


def source_of(thumbnail: Path) -> str | None:
    """The digest of the figure that a thumbnail was made from."""
    with Image.open(thumbnail) as image:
        return image.info.get("source")
