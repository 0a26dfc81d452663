"""The dictionary of the book: R and Python, from the pairs of the notebooks.

A Sphinx extension with one directive, `dictionary`, for book/dictionary.md. It writes
one of three tables:

taught
    the rows of the small dictionaries at the end of the notebooks, written by hand;
calls
    names that both halves of a pair use. They belong together if R's name follows
    from Python's by the rule of the R companion (r/inst/python/sidebyside_dialect.py)
    or by the short lists below, or if both are the same part of the same object
    (`train$cache()`, `train.cache()`);
lines
    one-line assignments to the same name, if a check after the pair compares the
    values and finds them equal.

The position of two lines in their halves is never a reason to match them. Uncertain
matches are left out. R parses the R code, and Python's `ast` parses the Python code.
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
LONGEST = 60  # columns; two such lines fit next to each other
MARKDOWN = MarkdownIt("commonmark").enable("table")
BARE = re.compile(r'-?[\w.]+|"[^"]*"')  # only a name or a constant

# The companion (and keras3) begin a name with the name of Python's module, without its
# s. These modules are the exceptions.
FAMILIES = {"losses": "loss", "schedules": "learning_rate_schedule"}

# keras3's names that follow no rule, and Python's.
INVENTIONS = {
    "keras_model_sequential": "keras.Sequential",
    "keras_model": "keras.Model",
    "keras_input": "keras.Input",
    "image_load": "keras.utils.load_img",
    "image_to_array": "keras.utils.img_to_array",
}

# Functions of R that are methods in Python. `var()` is not one of them: NumPy's
# divides by n, R's by n - 1.
SAME = """compile count_params evaluate fit get_config get_layer get_weights
    max mean min predict round set_weights sum summary"""
METHODS = {name: name for name in SAME.split()}
METHODS |= {"array_reshape": "reshape", "save_model": "save"}

# The R companion's functions. The Python companion has some of them by the same name.
COMPANIONS = set(re.findall(r"export\((\w+)\)", (ROOT / "r" / "NAMESPACE").read_text()))


# --- The cells of the notebooks


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
    """A row: its topic (or nothing), R and Python in Markdown, and its places."""

    meaning: str
    r: str
    python: str
    places: list[Place]


def notebooks(folder: Path = NOTEBOOKS) -> list[Path]:
    return sorted(folder.glob("[0-9][0-9]_*.ipynb"))


def read(path: Path) -> tuple[list[Cell], list[Entry]]:
    """A notebook's code cells without exercises, and the rows of its dictionary."""
    cells, taught, anchors = [], [], set()
    place = Place(f"notebooks/{path.stem}", path.stem, "")
    for cell in nbformat.read(path, as_version=4).cells:
        tags = set(cell.metadata.get("tags", []))
        if cell.cell_type == "code":
            if "exercise" not in tags:  # the reader's answer may be wrong
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


# --- The names in a half


@dataclass
class Half:
    """What the code of one language calls and assigns.

    `calls` are the functions, Python's with their dots. `parts` are (object, name,
    "(" or nothing) for `x$name()` and `x.name`. `first`, for R only, is (function,
    object) for a function whose first argument is a name. `assigned` has a name once
    for each assignment to it. `lines` has the right-hand side of each assignment that
    has a line to itself.
    """

    calls: set[str] = field(default_factory=set)
    parts: set[tuple[str, str, str]] = field(default_factory=set)
    first: set[tuple[str, str]] = field(default_factory=set)
    assigned: list[str] = field(default_factory=list)
    lines: dict[str, str] = field(default_factory=dict)

    def names(self) -> set[str]:
        """The functions and parts that are used, without their objects."""
        parts = {name for _, name, _ in self.parts}
        return parts | {call.rpartition(".")[2] for call in self.calls}


# The expressions in R code as R parses it, nested ones included. Code that R cannot
# parse (`layer_*()`) has none.
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
    """What each text of R code calls and assigns; one run of R parses all texts."""
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
    """What R's expressions call and assign, judged by how each one begins."""
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
    """What Python code calls and assigns; nothing if only IPython understands it."""
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
    """`keras.layers.Dense`, or `.sum` after a call or an index."""
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
    """The file with the companion's rule for names, which is in no Python package."""
    return runpy.run_path(str(DIALECT))


def same_names(r: Half, python: Half) -> Iterator[tuple[str, str]]:
    """The names of R and Python that mean the same."""
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

    `others` finds functions, parts and names of arguments, which are not variables.
    """
    texts = re.findall(r'".*?"', code)
    rest = re.sub(others, " ", re.sub(r'".*?"', " ", code))
    return sorted(texts + re.findall(r"\b[A-Za-z_][\w.]*", rest))


def translates(r: str, python: str, no_variables: set[str]) -> bool:
    """Whether two lines differ, and use the same variables and texts."""
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
    """Right-hand sides whose values a check found equal."""
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
            waiting.clear()  # this cell may change the values


def first_met(row: Entry, halves: list[tuple[Half, Half, Place]], r) -> list[Place]:
    """The place of the first pair that uses all names of a row, else the row's own."""
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
    """Equal rows made one, with the first place in each notebook."""
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
    """This page and the front page, if any page has changed."""
    if not (added or changed or removed):
        return []
    return [page for page in (PAGE, app.config.root_doc) if page in env.found_docs]


def setup(app) -> dict:
    app.add_directive("dictionary", Dictionary)
    app.connect("env-get-outdated", outdated)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
