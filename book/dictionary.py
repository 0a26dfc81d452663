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
import contextlib
import csv
import functools
import importlib.util
import io
import itertools
import re
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

import nbformat
from docutils import nodes
from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = ROOT / "notebooks"
DIALECT = ROOT / "r" / "inst" / "python" / "sidebyside_dialect.py"
PAGE = "book/dictionary"
LONGEST = 60  # columns of a line that fits beside the other
MARKDOWN = MarkdownIt("commonmark").enable("table")

# Python's module, and the family that the companion (and keras3) puts before the name.
FAMILIES = {
    "layers": "layer",
    "optimizers": "optimizer",
    "schedules": "learning_rate_schedule",
    "losses": "loss",
    "metrics": "metric",
    "callbacks": "callback",
    "initializers": "initializer",
    "regularizers": "regularizer",
    "constraints": "constraint",
    "activations": "activation",
    "ops": "op",
    "applications": "application",
}

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

# What both companions have.
COMPANIONS = ("alt_text", "fruits_directory", "load_mnist", "read_picture")


# --- What the notebooks hold


@dataclass(frozen=True)
class Place:
    """A section of a notebook: the page, the heading and the heading's anchor."""

    docname: str
    title: str
    anchor: str


@dataclass(frozen=True)
class Cell:
    """A code cell without `%%R`, and the section that it is in.

    Markdown and exercises are empty cells tagged `text`.
    """

    tags: frozenset[str]
    text: str
    place: Place


@dataclass
class Entry:
    """A row: what it is about (or nothing), R and Python in Markdown, and where."""

    meaning: str
    r: str
    python: str
    places: list[Place]


@dataclass
class Notebook:
    """The code cells, and the rows of the small dictionary."""

    cells: list[Cell] = field(default_factory=list)
    taught: list[Entry] = field(default_factory=list)

    def pairs(self) -> list[tuple[Cell, Cell]]:
        """R's half and Python's."""
        return [
            (r, python)
            for r, python in itertools.pairwise(self.cells)
            if {"pair", "r"} <= r.tags and {"pair", "python"} <= python.tags
        ]


def notebooks(folder: Path = NOTEBOOKS) -> list[Path]:
    return sorted(folder.glob("[0-9][0-9]_*.ipynb"))


def read(path: Path) -> Notebook:
    """Read a notebook; of an exercise, whose halves the reader writes, nothing."""
    found = Notebook()
    docname = f"notebooks/{path.stem}"
    place = Place(docname, path.stem, "")
    slugs: Counter[str] = Counter()
    for cell in nbformat.read(path, as_version=4).cells:
        tags = frozenset(cell.metadata.get("tags", []))
        if cell.cell_type == "code":
            if "exercise" in tags:
                found.cells.append(Cell(frozenset(["text"]), "", place))
            else:
                first, _, rest = cell.source.partition("\n")
                text = rest if first.startswith("%%") else cell.source
                found.cells.append(Cell(tags, text, place))
            continue
        found.cells.append(Cell(frozenset(["text"]), "", place))
        for node in SyntaxTreeNode(MARKDOWN.parse(cell.source)).children:
            if node.type == "heading":
                title = plain(node)
                # As GitHub and MyST name it.
                slug = re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
                again = f"-{slugs[slug]}" if slugs[slug] else ""
                slugs[slug] += 1
                place = Place(docname, title, slug + again)
            elif node.type == "table" and "dictionary" in place.title.lower():
                rows = [x for x in node.walk() if x.type == "tr"][1:]
                for row in rows:
                    columns = [x.children[0].content for x in row.children]
                    if len(columns) == 3:
                        found.taught.append(Entry(*columns, [place]))
    return found


def plain(heading: SyntaxTreeNode) -> str:
    """The text of a heading without its marks."""
    return "".join(
        x.content for x in heading.walk() if x.type in ("text", "code_inline")
    )


# --- What a half says


@dataclass(frozen=True)
class Line:
    """The right-hand side of an assignment, and what it works from.

    `bare` is a name or a constant alone.
    """

    code: str
    bare: bool
    variables: list[str]
    strings: list[str]


@dataclass
class Half:
    """The code of one language: what it calls, and what it assigns.

    `calls` are the functions, Python's with their dots; `parts` are
    (object, name, called or not) of `x$name` and `x.name`; `first` is
    (function, object) of a function whose first argument is a name; `changed`
    has a name as often as something is assigned to it or may change it; `passed`
    are the arguments of Python functions that give nothing.
    """

    calls: set[str] = field(default_factory=set)
    parts: set[tuple[str, str, bool]] = field(default_factory=set)
    first: set[tuple[str, str]] = field(default_factory=set)
    changed: list[str] = field(default_factory=list)
    passed: set[str] = field(default_factory=set)
    lines: dict[str, Line] = field(default_factory=dict)


# R's own reading of R files, as CSV. What R cannot read (`layer_*()`) is left out.
READ_R = """
for (path in commandArgs(TRUE)) {
  items <- tryCatch(
    getParseData(parse(path, keep.source = TRUE), includeText = TRUE),
    error = function(e) NULL
  )
  items$whole <- items$text[match(items$parent, items$id)]
  items <- items[items$terminal & items$token != "COMMENT", ]
  if (NROW(items)) {
    columns <- c("line1", "col1", "token", "text", "whole")
    utils::write.table(
      cbind(path, items[columns]),
      sep = ",", qmethod = "double", row.names = FALSE, col.names = FALSE
    )
  }
}
"""


@dataclass(frozen=True)
class Token:
    """A token of R's getParseData(); `whole` is the text of the call that it is in."""

    line: str
    column: str
    kind: str
    text: str
    whole: str


def read_r(texts: Iterable[str]) -> dict[str, Half]:
    """What R code says, by its text; one run of R reads all texts.

    Raises
    ------
    ExtensionError
        Without R.
    """
    texts = sorted(set(texts))
    with tempfile.TemporaryDirectory() as folder:
        for number, text in enumerate(texts):
            Path(folder, str(number)).write_text(f"{text}\n", encoding="utf-8")
        command = ["Rscript", "--vanilla", "--encoding=UTF-8", "-e", READ_R]
        try:
            done = subprocess.run(
                [*command, *map(str, range(len(texts)))],
                cwd=folder,
                stdout=subprocess.PIPE,
                encoding="utf-8",
                check=True,
            )
        except FileNotFoundError:
            raise ExtensionError(
                "Rscript was not found, and R reads the dictionary's R code. "
                "`make setup` installs R."
            ) from None
    tokens: list[list[Token]] = [[] for _ in texts]
    for number, *row in csv.reader(io.StringIO(done.stdout, newline="")):
        tokens[int(number)].append(Token(*row))
    return dict(zip(texts, map(half_in_r, tokens), strict=True))


def half_in_r(tokens: list[Token]) -> Half:
    half = Half()
    parts = {i for i in range(1, len(tokens)) if tokens[i - 1].text in "$@"}
    names = [
        token
        for i, token in enumerate(tokens)
        if token.kind in ("SYMBOL", "SYMBOL_FORMALS") and i not in parts
    ]
    for i, token in enumerate(tokens):
        after = [*tokens[i + 1 : i + 4], *[Token("", "", "", "", "")] * 3]
        if token.kind == "SYMBOL_FUNCTION_CALL" and i not in parts:
            half.calls.add(token.text)
            if after[1].kind == "SYMBOL" and after[2].text in (",", ")"):
                half.first.add((token.text, after[1].text))
        elif token.kind == "SYMBOL" and i not in parts:
            if after[0].text == "$":
                called = after[1].kind == "SYMBOL_FUNCTION_CALL"
                half.parts.add((token.text, after[1].text, called))
            elif after[0].kind == "PIPE":
                half.first.add((after[1].text, token.text))
                if token.column == "1":  # a pipe whose value nobody takes
                    half.changed.append(token.text)
        elif token.kind == "LEFT_ASSIGN":
            line = [t for t in tokens if t.line == token.line]
            left = line[: line.index(token)]
            half.changed += [t.text for t in left if t in names]
            code = token.whole.partition("<-")[2].strip()
            if len(left) == 1 and left[0].column == "1" and "\n" not in code:
                right = line[len(left) + 1 :]
                half.lines[left[0].text] = Line(
                    code,
                    len(right) == 1,
                    sorted(t.text for t in right if t in names),
                    sorted(t.text[1:-1] for t in right if t.kind == "STR_CONST"),
                )
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
        if id(node) in called and (name := dotted(node)):
            half.calls.add(name)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            half.parts.add((node.value.id, node.attr, id(node) in called))
            if id(node) in called:
                half.first.add((node.attr, node.value.id))
        if isinstance(getattr(node, "ctx", None), ast.Store | ast.Del):
            half.changed.append(root(node))
        # x.sort() and f(x) may change x.
        call = node.value if isinstance(node, ast.Expr) else None
        if isinstance(call, ast.Call) and dotted(call.func) != "print":
            half.changed.append(root(call.func))
            half.passed |= set(map(root, call.args))
    for node in tree.body:
        if (
            isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and node.lineno == node.end_lineno
        ):
            inside = list(ast.walk(node.value))
            half.lines[node.targets[0].id] = Line(
                ast.get_source_segment(text, node.value),
                isinstance(node.value, ast.Name | ast.Attribute | ast.Constant),
                sorted(
                    x.id
                    for x in inside
                    if isinstance(x, ast.Name) and id(x) not in called
                ),
                sorted(
                    x.value
                    for x in inside
                    if isinstance(x, ast.Constant) and isinstance(x.value, str)
                ),
            )
    return half


def dotted(node: ast.AST) -> str:
    """`keras.layers.Dense`; without what is before a call or an index: `.sum`."""
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def root(node: ast.AST) -> str:
    """`x` of x[0].a."""
    while isinstance(node, ast.Subscript | ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def imported(cells: Iterable[Cell]) -> set[str]:
    """The names that a notebook's Python cells import."""
    found = set()
    for cell in cells:
        with contextlib.suppress(SyntaxError):
            for node in ast.walk(ast.parse(cell.text)):
                if isinstance(node, ast.Import | ast.ImportFrom):
                    found |= {(x.asname or x.name).split(".")[0] for x in node.names}
    return found


# --- The rows


@functools.cache
def dialect() -> ModuleType:
    """How the companion names its functions; R's file, which is in no package."""
    spec = importlib.util.spec_from_file_location("dialect_of_the_book", DIALECT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def r_name(call: str) -> str | None:
    """`layers.Conv2D` -> `layer_conv_2d`; None if it is not one of Keras's."""
    *modules, name = call.split(".")
    if not modules or modules[-1] not in FAMILIES:
        return None
    if modules[0] not in ("keras", modules[-1]):
        return None
    family = FAMILIES[modules[-1]]
    given = dialect()._r_name(family, name)
    return given and f"{family}_{given.removeprefix(f'{family}_')}"


def same_names(r: Half, python: Half) -> Iterator[tuple[str, str]]:
    """What R and Python call the same."""
    for call in sorted(python.calls):
        if (name := r_name(call)) in r.calls:
            yield f"{name}()", f"{call}()"
        thing, _, name = call.rpartition(".")
        if name in r.calls and (thing.startswith("keras.") or call in COMPANIONS):
            yield f"{name}()", f"{call}()"
    for function, thing in sorted(r.first):
        method = METHODS.get(function)
        if method and f"{thing}.{method}" in python.calls:
            yield f"{function}()", f".{method}()"
    for function, call in INVENTIONS.items():
        if function in r.calls and call in python.calls:
            yield f"{function}()", f"{call}()"
    for thing, name, called in sorted(r.parts & python.parts):
        if thing not in ("self", "super"):  # parts of the notebook's own class
            brackets = "()" if called else ""
            yield f"${name}{brackets}", f".{name}{brackets}"


def compared(text: str) -> tuple[set[str], set[str]]:
    """The names that a check finds equal, and those that it finds different."""
    equal, other = set(), set()
    with contextlib.suppress(SyntaxError):
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Call) and dotted(node.func) == "compare":
                names = {x.value for x in node.args if isinstance(x, ast.Constant)}
                differ = any(x.arg == "differ" for x in node.keywords)
                (other if differ else equal).update(names)
    return equal, other


def translates(r: Line, python: Line, modules: set[str]) -> bool:
    """Whether lines with equal values are each other's translation.

    They are if both work from the same variables and the same texts, and if
    there is anything to translate.
    """
    return (
        r.code != python.code
        and max(len(r.code), len(python.code)) <= LONGEST
        and not (r.bare or python.bare)
        and r.variables == [x for x in python.variables if x not in modules]
        and r.strings == python.strings
    )


def same_lines(notebook: Notebook, r: dict[str, Half]) -> Iterator[Entry]:
    """Right-hand sides that have given equal values."""
    waiting: dict[str, tuple[Line, Line, Place]] = {}
    modules = imported(notebook.cells)
    halves = {id(python): (first, python) for first, python in notebook.pairs()}
    for cell in notebook.cells:
        if id(cell) in halves:
            first = halves[id(cell)][0]
            in_r, in_python = r[first.text], half_in_python(cell.text)
            for name in {*in_r.changed, *in_python.changed}:
                waiting.pop(name, None)
            for name in in_r.lines.keys() & in_python.lines.keys():
                changes = in_r.changed.count(name), in_python.changed.count(name)
                if changes == (1, 1) and name not in in_python.passed:
                    found = in_r.lines[name], in_python.lines[name], first.place
                    waiting[name] = found
        elif "check" in cell.tags:
            equal, other = compared(cell.text)
            for name in sorted(equal | other):
                line = waiting.pop(name, None)
                if line and name not in other and translates(*line[:2], modules):
                    yield Entry("", code(line[0].code), code(line[1].code), [line[2]])
        elif not cell.tags & {"pair", "text"}:
            waiting.clear()  # what this cell does to the names is not known


def first_met(row: Entry, pairs: list[tuple[Half, Half, Place]], r) -> list[Place]:
    """The first pair that uses all names of a row; its own place without one."""
    in_r = set().union(*(names(r[x]) for x in codes(row.r)))
    in_python = set().union(*(names(half_in_python(x)) for x in codes(row.python)))
    for r_half, python_half, place in pairs:
        both = in_r <= names(r_half) and in_python <= names(python_half)
        if in_r and in_python and both:
            return [place]
    return row.places


def names(half: Half) -> set[str]:
    """The functions and parts that a half uses, without what they belong to."""
    calls = {call.rpartition(".")[2] for call in half.calls}
    return calls | {name for _, name, _ in half.parts}


def code(text: str) -> str:
    return f"`{text}`"


def codes(markdown: str) -> list[str]:
    return re.findall(r"`([^`]+)`", markdown)


def merged(entries: Iterable[Entry]) -> list[Entry]:
    """One row for what is the same, with the first place in each notebook."""
    found: dict[tuple[str, str], Entry] = {}
    for entry in entries:
        row = Entry(entry.meaning, entry.r, entry.python, [])
        kept = found.setdefault((entry.r, entry.python), row)
        for place in entry.places:
            if place.docname not in {known.docname for known in kept.places}:
                kept.places.append(place)
    return list(found.values())


def dictionary(folder: Path = NOTEBOOKS) -> dict[str, list[Entry]]:
    """The rows of the tables `taught`, `calls` and `lines`."""
    books = [read(path) for path in notebooks(folder)]
    half_texts = [r.text for book in books for r, _ in book.pairs()]
    taught = [entry for book in books for entry in book.taught]
    r = read_r([*half_texts, *(x for entry in taught for x in codes(entry.r))])
    found: dict[str, list[Entry]] = {"taught": [], "calls": [], "lines": []}
    for book in books:
        pairs = [
            (r[one.text], half_in_python(other.text), one.place)
            for one, other in book.pairs()
        ]
        for row in book.taught:
            row.places = first_met(row, pairs, r)
        found["taught"] += book.taught
        for one, other, place in pairs:
            for in_r, in_python in same_names(one, other):
                found["calls"].append(Entry("", code(in_r), code(in_python), [place]))
        found["lines"] += same_lines(book, r)
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
