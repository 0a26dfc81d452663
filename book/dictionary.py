"""The dictionary of the book: R and Python, from the pairs of the notebooks.

A Sphinx extension with one directive, which book/dictionary.md uses. `dictionary`
writes one of three tables:

taught
    the rows of the small dictionaries at the end of the notebooks, written by hand;
calls
    names that both halves of a pair use: R's name is Python's by the rule with which
    the R companion makes its functions (r/inst/python/sidebyside_dialect.py), or by
    the short lists below, or both are the same part of the same object
    (`train$cache()`, `train.cache()`);
lines
    one-line assignments to the same name, if a check after the pair compares the
    values and finds them equal.

Two lines are never matched because they are in the same place of their halves: what
is not certain is left out. R reads the R code, Python's `ast` the Python code.
"""

from __future__ import annotations

import ast
import functools
import itertools
import json
import re
import runpy
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import nbformat
from docutils import nodes
from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode
from myst_parser.mdit_to_docutils.base import compute_unique_slug, github_slugify
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = ROOT / "notebooks"
DIALECT = ROOT / "r" / "inst" / "python" / "sidebyside_dialect.py"
PAGE = "book/dictionary"
LONGEST = 60  # columns of a line that fits beside the other
MARKDOWN = MarkdownIt("commonmark").enable("table")
BARE = re.compile(r'-?[\w.]+|"[^"]*"')  # a name or a constant alone

# What the companion (and keras3) puts before a name, where it is not the name of
# Python's module without its s.
FAMILIES = {"losses": "loss", "schedules": "learning_rate_schedule"}

# What keras3 calls otherwise: its name, and Python's.
INVENTIONS = {
    "keras_model_sequential": "keras.Sequential",
    "keras_model": "keras.Model",
    "keras_input": "keras.Input",
    "image_load": "keras.utils.load_img",
    "image_to_array": "keras.utils.img_to_array",
}

# Functions of R that are methods of the same object in Python. `var()` is none: NumPy's
# divides by n, R's by n - 1.
SAME = """compile count_params evaluate fit get_config get_layer get_weights
    max mean min predict round set_weights sum summary"""
METHODS = {name: name for name in SAME.split()}
METHODS |= {"array_reshape": "reshape", "save_model": "save"}

# What the R companion has; some of it the Python companion has by the same name.
COMPANIONS = set(re.findall(r"export\((\w+)\)", (ROOT / "r" / "NAMESPACE").read_text()))


# --- What the notebooks hold


class Place(NamedTuple):
    """A section of a notebook: the page, the heading and the heading's anchor."""

    docname: str
    title: str
    anchor: str


class Cell(NamedTuple):
    """A code cell without `%%R`, and the section that it is in."""

    tags: set[str]
    text: str
    place: Place


@dataclass
class Entry:
    """A row: what it is about (or nothing), R and Python in Markdown, and where."""

    meaning: str
    r: str
    python: str
    places: list[Place]


def notebooks(folder: Path = NOTEBOOKS) -> list[Path]:
    return sorted(folder.glob("[0-9][0-9]_*.ipynb"))


def read(path: Path) -> tuple[list[Cell], list[Entry]]:
    """A notebook's code cells but exercises, and the rows of its small dictionary."""
    cells, taught, anchors = [], [], set()
    place = Place(f"notebooks/{path.stem}", path.stem, "")
    for cell in nbformat.read(path, as_version=4).cells:
        tags = set(cell.metadata.get("tags", []))
        if cell.cell_type == "code":
            if "exercise" not in tags:  # the reader writes those, and may be wrong
                cells.append(Cell(tags, re.sub(r"^%%.*\n", "", cell.source), place))
            continue
        for node in SyntaxTreeNode(MARKDOWN.parse(cell.source)).children:
            if node.type == "heading":
                title = "".join(x.content for x in node.walk() if not x.children)
                anchor = compute_unique_slug(node, anchors, github_slugify)
                anchors.add(anchor)
                place = Place(place.docname, title, anchor)
            elif node.type == "table" and "dictionary" in place.title.lower():
                for row in [x for x in node.walk() if x.type == "tr"][1:]:
                    columns = [x.children[0].content for x in row.children]
                    taught.append(Entry(*columns, [place]))
    return cells, taught


def pairs(cells: list[Cell]) -> Iterator[tuple[Cell, Cell]]:
    """R's half and Python's."""
    for r, python in itertools.pairwise(cells):
        if {"pair", "r"} <= r.tags and {"pair", "python"} <= python.tags:
            yield r, python


# --- What a half says


@dataclass
class Half:
    """The code of one language: what it calls, and what it assigns.

    `calls` are the functions, Python's with their dots; `parts` are (object, name,
    "(" or nothing) of `x$name()` and `x.name`; `first`, of R only, is (function,
    object) of a function whose first argument is a name; `assigned` has a name as
    often as something is assigned to it; `lines` has the right-hand side of each
    assignment that is a line of its own.
    """

    calls: set[str] = field(default_factory=set)
    parts: set[tuple[str, str, str]] = field(default_factory=set)
    first: set[tuple[str, str]] = field(default_factory=set)
    assigned: list[str] = field(default_factory=list)
    lines: dict[str, str] = field(default_factory=dict)

    def names(self) -> set[str]:
        """The functions and parts that are used, without what they belong to."""
        parts = {name for _, name, _ in self.parts}
        return parts | {call.rpartition(".")[2] for call in self.calls}


# The expressions in R code, each within another one too, as R itself divides it. What
# R cannot read (`layer_*()`) has none.
READ_R = """
expressions <- function(text) {
  code <- tryCatch(parse(text = text, keep.source = TRUE), error = function(e) NULL)
  found <- getParseData(code, includeText = TRUE)
  found <- found[found$token %in% c("expr", "expr_or_assign_or_help"), ]
  list(all = found$text, whole = found$text[found$parent == 0])
}
texts <- jsonlite::fromJSON(file("stdin", encoding = "UTF-8"))
cat(jsonlite::toJSON(lapply(texts, expressions)))
"""


def read_r(texts: Iterable[str]) -> dict[str, Half]:
    """What R code says, by its text; one run of R reads all texts."""
    texts = sorted(texts)
    try:
        done = subprocess.run(
            ["Rscript", "--vanilla", "-e", READ_R],
            input=json.dumps(texts) + "\n",
            stdout=subprocess.PIPE,
            encoding="utf-8",
            check=True,
        )
    except FileNotFoundError:
        raise ExtensionError(
            "Rscript was not found, and R reads the dictionary's R code. "
            "`make setup` installs R."
        ) from None
    found = json.loads(done.stdout)
    return {t: half_in_r(**x) for t, x in zip(texts, found, strict=True)}


def half_in_r(all: list[str], whole: list[str]) -> Half:
    """What R's expressions say. How each one begins tells what it is."""
    half = Half()
    for text in all:
        if m := re.match(r"(?:\w+::)?([\w.]+)\(", text):
            half.calls.add(m[1])
        if m := re.match(r"([\w.]+)\$([\w.]+)(\(?)", text):
            half.parts.add(m.groups())
        if m := re.match(r"([\w.]+)\(([\w.]+)[,)]", text):
            half.first.add((m[1], m[2]))
        if m := re.match(r"([\w.]+) \|>\s+([\w.]+)\(", text):
            half.first.add((m[2], m[1]))
        if m := re.match(r"([^<{]+) <- ", text):
            half.assigned += re.findall(r"[\w.]+", m[1])
    for text in whole:
        if m := re.fullmatch(r"([\w.]+) <- (.+)", text):
            half.lines[m[1]] = m[2]
    return half


def half_in_python(text: str) -> Half:
    """What Python code says; nothing of what only IPython understands."""
    half = Half()
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return half
    called = {id(x.func) for x in ast.walk(tree) if isinstance(x, ast.Call)}
    for node in ast.walk(tree):
        if id(node) in called:
            half.calls.add(dotted(node))
        if isinstance(node, ast.Attribute):
            bracket = "(" if id(node) in called else ""
            half.parts.add((dotted(node.value), node.attr, bracket))
        if isinstance(getattr(node, "ctx", None), ast.Store):
            half.assigned += re.findall(r"^\w+", ast.unparse(node))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            # x.sort() may change x.
            half.assigned += re.findall(r"^\w+(?=\.)", ast.unparse(node))
    for node in tree.body:
        if isinstance(node, ast.Assign) and node.lineno == node.end_lineno:
            name = ast.unparse(node.targets[0])
            half.lines[name] = ast.get_source_segment(text, node.value)
    return half


def dotted(node: ast.AST) -> str:
    """`keras.layers.Dense`; without what is before a call or an index: `.sum`."""
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


# --- The rows


@functools.cache
def r_name(call: str) -> str | None:
    """`layers.Conv2D` -> `layer_conv_2d`; None if it is not one of Keras's."""
    *modules, name = call.split(".")
    if not modules or modules[0] not in ("keras", modules[-1]):
        return None
    family = FAMILIES.get(modules[-1], modules[-1].removesuffix("s"))
    return dialect()["_r_name"](family, name)


@functools.cache
def dialect() -> dict:
    """How the companion names its functions; R's file, which is in no package."""
    return runpy.run_path(str(DIALECT))


def same_names(r: Half, python: Half) -> Iterator[tuple[str, str]]:
    """What R and Python call the same."""
    for call in sorted(python.calls):
        thing, _, name = call.rpartition(".")
        if (made := r_name(call)) in r.calls:
            yield f"{made}()", f"{call}()"
        if name in r.calls and (thing.startswith("keras.") or call in COMPANIONS):
            yield f"{name}()", f"{call}()"
    for function, thing in sorted(r.first):
        method = METHODS.get(function)
        if (thing, method, "(") in python.parts:
            yield f"{function}()", f".{method}()"
    for function, call in INVENTIONS.items():
        if function in r.calls and call in python.calls:
            yield f"{function}()", f"{call}()"
    for thing, name, bracket in sorted(r.parts & python.parts):
        if thing not in ("self", "super"):  # parts of the notebook's own class
            brackets = "()" if bracket else ""
            yield f"${name}{brackets}", f".{name}{brackets}"


def compared(text: str) -> list[str]:
    """The names that a check finds equal."""
    calls = re.findall(r"\bcompare\((.*?)\)", text, re.DOTALL)
    equal = [call for call in calls if "differ" not in call]
    return re.findall(r'"(\w+)"', " ".join(equal))


def inputs(code: str, others: str) -> list[str]:
    """The texts and variables of a line.

    `others` finds functions, parts and names of arguments, which are none.
    """
    texts = re.findall(r'".*?"', code)
    rest = re.sub(others, " ", re.sub(r'".*?"', " ", code))
    return sorted(texts + re.findall(r"\b[A-Za-z_][\w.]*", rest))


def translates(r: str, python: str, no_variables: set[str]) -> bool:
    """Whether there is anything to translate, from the same variables and texts."""
    in_r = inputs(r, r"\$[\w.]+|[\w.]+\(|\w+ = ")
    in_python = inputs(python, r"\.\w+|\w+\(|\w+=")
    return (
        r != python
        and max(len(r), len(python)) <= LONGEST
        and not BARE.fullmatch(r)
        and not BARE.fullmatch(python)
        and [x for x in in_r if x not in no_variables]
        == [x for x in in_python if x not in no_variables]
    )


def same_lines(cells: list[Cell], r: dict[str, Half]) -> Iterator[Entry]:
    """Right-hand sides that have given equal values."""
    imports = r"(?m)^(?:import|from .* import) (?:.* as )?(\w+)"
    no_variables = {x for cell in cells for x in re.findall(imports, cell.text)}
    no_variables |= {"for", "in", "TRUE", "FALSE"}
    halves = {id(python): one for one, python in pairs(cells)}
    waiting: dict[str, tuple[str, str, Place]] = {}
    for cell in cells:
        if id(cell) in halves:
            one, other = r[halves[id(cell)].text], half_in_python(cell.text)
            for name in {*one.assigned, *other.assigned}:
                waiting.pop(name, None)
                both = one.assigned.count(name), other.assigned.count(name)
                if both == (1, 1) and name in one.lines and name in other.lines:
                    waiting[name] = one.lines[name], other.lines[name], cell.place
        elif "check" in cell.tags:
            for name in compared(cell.text):
                *lines, place = waiting.pop(name, ("", "", cell.place))
                if translates(*lines, no_variables):
                    yield Entry("", *map(code, lines), [place])
        elif "pair" not in cell.tags:
            waiting.clear()  # what this cell does to the names is not known


def first_met(row: Entry, halves: list[tuple[Half, Half, Place]], r) -> list[Place]:
    """The first pair that uses all names of a row; its own place without one."""
    in_r = set().union(*(r[x].names() for x in codes(row.r)))
    in_python = set().union(*(half_in_python(x).names() for x in codes(row.python)))
    met = [
        [place]
        for one, other, place in halves
        if in_r <= one.names() and in_python <= other.names()
    ]
    return met[0] if met and in_r and in_python else row.places


def code(text: str) -> str:
    return f"`{text}`"


def codes(markdown: str) -> list[str]:
    return re.findall(r"`([^`]+)`", markdown)


def merged(entries: Iterable[Entry]) -> list[Entry]:
    """One row for what is the same, with the first place in each notebook."""
    found: dict[tuple[str, str], Entry] = {}
    for entry in entries:
        kept = found.setdefault((entry.r, entry.python), entry)
        known = {place.docname for place in kept.places}
        kept.places += [x for x in entry.places if x.docname not in known]
    return list(found.values())


def dictionary(folder: Path = NOTEBOOKS) -> dict[str, list[Entry]]:
    """The rows of the tables `taught`, `calls` and `lines`."""
    books = [read(path) for path in notebooks(folder)]
    texts = {one.text for cells, _ in books for one, _ in pairs(cells)}
    texts |= {x for _, taught in books for row in taught for x in codes(row.r)}
    r = read_r(texts)
    found: dict[str, list[Entry]] = {"taught": [], "calls": [], "lines": []}
    for cells, taught in books:
        halves = [
            (r[one.text], half_in_python(other.text), one.place)
            for one, other in pairs(cells)
        ]
        for row in taught:
            row.places = first_met(row, halves, r)
        found["taught"] += taught
        for one, other, place in halves:
            for names in same_names(one, other):
                found["calls"].append(Entry("", *map(code, names), [place]))
        found["lines"] += same_lines(cells, r)
    rows = {table: merged(entries) for table, entries in found.items()}
    rows["calls"].sort(key=lambda entry: entry.r.strip("`$").lower())
    return rows


# --- Sphinx


class Dictionary(SphinxDirective):
    """A table of the dictionary: `taught`, `calls` or `lines`."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        tables = self.env.temp_data
        if PAGE not in tables:
            tables[PAGE] = dictionary()
        rows = tables[PAGE][self.arguments[0]]
        found = self.parse_text_to_nodes(markdown(rows))
        for table in found:
            table["classes"].append("dictionary")
        return found


def markdown(entries: list[Entry]) -> str:
    """The rows as a table."""
    named = any(entry.meaning for entry in entries)
    rows = [["What"] * named + ["R", "Python", "Where it is met"]]
    rows.append(["---"] * len(rows[0]))
    for entry in entries:
        links = []
        for place in entry.places:
            title = re.sub(r"([^\w ])", r"\\\1", place.title)
            number = Path(place.docname).name[:2]
            links.append(f"[{number} {title}](/{place.docname}.ipynb#{place.anchor})")
        cells = [entry.meaning] * named + [entry.r, entry.python]
        rows.append([*(x.replace("|", "\\|") for x in cells), ", ".join(links)])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def outdated(app, env, added, changed, removed) -> list[str]:
    """The page, and the one that lists the pages, when any page has changed."""
    if not (added or changed or removed):
        return []
    return [page for page in (PAGE, app.config.root_doc) if page in env.found_docs]


def setup(app) -> dict:
    app.add_directive("dictionary", Dictionary)
    app.connect("env-get-outdated", outdated)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
