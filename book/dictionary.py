"""The dictionary of the book: what stands beside what in the pairs of the notebooks.

A Sphinx extension with two directives, which book/dictionary.md uses. `dictionary` writes one of three
tables, all of them read from the notebooks:

taught
    the rows of the small dictionaries that the notebooks end with, written by hand;
calls
    names that both halves of a pair use, where R's name and Python's are the same by the rule with which
    the R companion makes its functions (r/inst/python/sidebyside_dialect.py), by the short lists below,
    or because it is a part of what has the same name (`train$cache()`, `train.cache()`);
lines
    assignments to the same name, one line each, of which a check after the pair says that the values
    are equal.

A line of a half is never matched with a line of the other because it stands at the same height: what is
not certain is left out. `dictionary-rules` writes the rules of RULES, with examples that a test runs in
both languages.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import importlib.util
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = ROOT / "notebooks"
DIALECT = ROOT / "r" / "inst" / "python" / "sidebyside_dialect.py"
PAGE = "book/dictionary"


# ---------------------------------------------------------------------------------------------
# The rules


@dataclasses.dataclass(frozen=True)
class Rule:
    """A difference between the languages; the examples have the same value in both."""

    title: str
    text: str
    examples: tuple[tuple[str, str], ...]


# Before the examples of the rules, in both languages: x is 10, 20, 30.
BEFORE_R = "x <- c(10, 20, 30)"
BEFORE_PYTHON = (
    "import math\nimport os\nimport numpy as np\nx = np.array([10.0, 20.0, 30.0])"
)

RULES = (
    Rule(
        "R counts from one, Python from zero",
        "And a range has its last element in R, and ends before it in Python. A negative index leaves an element "
        "out in R; in Python it counts from the end.",
        (
            ("x[1]", "x[0]"),
            ("x[2:3]", "x[1:3]"),
            ("x[length(x)]", "x[-1]"),
            ("x[-1]", "x[1:]"),
            ("which.max(x) - 1", "x.argmax()"),
        ),
    ),
    Rule(
        "A number is a fraction in R",
        "`7` is a double; a whole number has an L. Python's `7` is whole. Keras wants whole numbers where it counts "
        "something: R's functions for Keras turn `10` into one, but Python objects that R calls with `$` "
        "do not.",
        (
            ("is.integer(7L)", "isinstance(7, int)"),
            ("is.integer(7)", "isinstance(7.0, int)"),
            ("7 %/% 2", "7 // 2"),
            ("7 %% 2", "7 % 2"),
            ("7^2", "7 ** 2"),
        ),
    ),
    Rule(
        "`$` in R, `.` in Python",
        "A part of a Python object is `model$layers` in R and `model.layers` in Python. A `.` in R is only a letter "
        "of a name: `file.path` is one function. `$` takes a part of R's own lists too, for which Python has keys.",
        (
            ('file.path("a", "b")', 'os.path.join("a", "b")'),
            ("list(loss = 0.5)$loss", '{"loss": 0.5}["loss"]'),
        ),
    ),
    Rule(
        "A pipe in R, a method in Python",
        "`x |> f(y)` is `f(x, y)`: what is on the left becomes the first argument. Python's objects bring their "
        "functions along: `x.f(y)`.",
        (
            ("x |> sum()", "x.sum()"),
            ("x |> rev() |> cumsum()", "x[::-1].cumsum()"),
            ("sum(x)", "x.sum()"),
        ),
    ),
    Rule(
        "NULL and None, NA and nan",
        "Nothing is `NULL` in R and `None` in Python, and each becomes the other on the way across. `NULL` has the "
        "length 0 and vanishes in `c()`. A value that is missing is `NA` in R; among Python's fractions it is "
        "`nan`.",
        (
            ("is.null(NULL)", "None is None"),
            ("length(c(1, NULL, 2))", "len([1, 2])"),
            ("is.na(NA)", "math.isnan(math.nan)"),
            ("mean(c(1, NA, 3), na.rm = TRUE)", "np.nanmean([1, math.nan, 3])"),
        ),
    ),
    Rule(
        "R fills by columns, NumPy by rows",
        "The same numbers in the same order make another matrix. `array_reshape()` fills by rows in R, and so does "
        "`matrix()` with `byrow = TRUE`; `dim(x) <-` fills by columns.",
        (
            ("matrix(1:6, 2)[1, ]", 'np.arange(1, 7).reshape(2, 3, order="F")[0]'),
            ("matrix(1:6, 2, byrow = TRUE)[1, ]", "np.arange(1, 7).reshape(2, 3)[0]"),
            (
                "as.vector(matrix(1:6, 2))",
                'np.arange(1, 7).reshape(2, 3, order="F").ravel(order="F")',
            ),
        ),
    ),
    Rule(
        "All numbers at once",
        "R's vectors compute element by element, as NumPy's arrays do. Python's lists do not: `[1, 2] * 2` is a list "
        "of four.",
        (
            ("c(1, 2) * 2", "np.array([1, 2]) * 2"),
            ("rep(c(1, 2), 2)", "[1, 2] * 2"),
            ("ifelse(x > 15, 1, 0)", "np.where(x > 15, 1, 0)"),
            ("sum(x > 15)", "(x > 15).sum()"),
        ),
    ),
    Rule(
        "A new name is a copy in R, the same object in Python",
        "After `y = x`, what is changed in `y` is changed in `x`, in Python; `x.copy()` is R's `y <- x`. A Python "
        "object that R holds follows Python's rule, also in R.",
        (
            ("y <- x; y[1] <- 0; x[1]", "y = x.copy(); y[0] = 0; x[0]"),
            ("y <- x; y[1] <- 0; y[1]", "y = x.copy(); y[0] = 0; y[0]"),
        ),
    ),
)


# ---------------------------------------------------------------------------------------------
# Notebooks


@dataclasses.dataclass(frozen=True)
class Place:
    """A section of a notebook: the `heading`-th heading of the page `docname`, counted from 0."""

    docname: str
    heading: int
    title: str


@dataclasses.dataclass(frozen=True)
class Pair:
    """The two halves of a pair, without `%%R`, and where they stand."""

    r: str
    python: str
    place: Place


@dataclasses.dataclass
class Entry:
    """A row: what it is for (or nothing), what R and Python say, in Markdown, and where one meets it."""

    meaning: str
    r: str
    python: str
    places: list[Place]


@dataclasses.dataclass(frozen=True)
class Cell:
    kind: str
    tags: frozenset[str]
    text: str
    place: Place


HEADING = re.compile(r"(#{1,6})\s+(.*?)\s*#*$")
FENCE = re.compile(r"\s*(```|~~~)")


def notebooks(folder: Path = NOTEBOOKS) -> list[Path]:
    return sorted(folder.glob("[0-9][0-9]_*.ipynb"))


def cells(path: Path) -> list[Cell]:
    """The cells of a notebook, each with the section that it stands in (a text: that it ends in)."""
    docname = f"notebooks/{path.stem}"
    place = Place(docname, 0, path.stem)
    number, found = -1, []
    for cell in json.loads(path.read_text("utf-8"))["cells"]:
        text = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            fenced = False
            for line in text.splitlines():
                if FENCE.match(line):
                    fenced = not fenced
                heading = None if fenced else HEADING.match(line)
                if heading:
                    number += 1
                    place = Place(docname, number, plain(heading[2]))
        tags = frozenset(cell["metadata"].get("tags", []))
        found.append(Cell(cell["cell_type"], tags, text, place))
    return found


def plain(markdown: str) -> str:
    """A heading without its marks."""
    return re.sub(r"[`*]|\[([^]]*)\]\([^)]*\)", r"\1", markdown)


def without_magic(text: str) -> str:
    """A cell without the first line that says which language it is in."""
    first, _, rest = text.partition("\n")
    return rest if first.startswith("%%") else text


def pairs(path: Path) -> list[Pair]:
    found, waiting = [], None
    for cell in cells(path):
        if "exercise" in cell.tags:  # one half is the reader's to write
            continue
        if {"pair", "r"} <= cell.tags:
            waiting = cell
        elif {"pair", "python"} <= cell.tags and waiting is not None:
            found.append(
                Pair(
                    without_magic(waiting.text), without_magic(cell.text), waiting.place
                )
            )
            waiting = None
        else:
            waiting = None
    return found


# ---------------------------------------------------------------------------------------------
# What a half calls

R_STRING_OR_COMMENT = re.compile(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|#[^\n]*')
R_CALL = re.compile(r"(?<![\w.$@])([A-Za-z][\w.]*)\s*\(")
R_PART = re.compile(r"(?<![\w.$@])([A-Za-z][\w.]*)\$([A-Za-z]\w*)(\s*\()?")


def r_code(text: str) -> str:
    """R without comments, its strings emptied."""
    return R_STRING_OR_COMMENT.sub(lambda m: "" if m[0].startswith("#") else '""', text)


def r_calls(text: str) -> set[str]:
    return set(R_CALL.findall(r_code(text)))


def r_parts(text: str) -> set[tuple[str, str, bool]]:
    """`object$name` and `object$name()`: object, name, whether it is called."""
    return {
        (thing, name, bool(call)) for thing, name, call in R_PART.findall(r_code(text))
    }


def r_gives(text: str, thing: str, name: str) -> bool:
    """Whether R calls `name` with `thing` first, or at the end of a pipe that begins with it."""
    thing, name = re.escape(thing), re.escape(name)
    first = rf"(?<![\w.$@]){name}\(\s*{thing}(?![\w.$@(])"
    piped = rf"(?<![\w.$@]){thing}(?:\[[^]]*\])?\s*\|>\s*{name}\("
    return re.search(f"{first}|{piped}", r_code(text)) is not None


def parse(text: str) -> ast.Module | None:
    """Python; None for what only IPython understands."""
    try:
        return ast.parse(text)
    except SyntaxError:
        return None


def dotted(node: ast.expr) -> str:
    """`keras.layers.Dense`; what is before a call or an index is left out: `.sum`."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return ""


def python_calls(text: str) -> set[str]:
    tree = parse(text)
    return (
        set()
        if tree is None
        else {dotted(n.func) for n in ast.walk(tree) if isinstance(n, ast.Call)} - {""}
    )


def python_parts(text: str) -> set[tuple[str, str, bool]]:
    """`object.name` and `object.name()`, as r_parts()."""
    tree = parse(text)
    if tree is None:
        return set()
    called = {id(n.func) for n in ast.walk(tree) if isinstance(n, ast.Call)}
    return {
        (n.value.id, n.attr, id(n) in called)
        for n in ast.walk(tree)
        if isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name)
    }


# ---------------------------------------------------------------------------------------------
# Names that belong together

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

# keras3's own inventions: what they are in Python, called by this name.
INVENTIONS = {
    "keras_model_sequential": "keras.Sequential",
    "keras_model": "keras.Model",
    "keras_input": "keras.Input",
    "image_load": "keras.utils.load_img",
    "image_to_array": "keras.utils.img_to_array",
    "load_model": "keras.saving.load_model",
    "set_random_seed": "keras.utils.set_random_seed",
    "to_categorical": "keras.utils.to_categorical",
    "image_dataset_from_directory": "keras.utils.image_dataset_from_directory",
}

# Functions of R that are methods in Python: of the same object, or they are not matched.
METHODS = {
    "array_reshape": "reshape",
    "compile": "compile",
    "count_params": "count_params",
    "evaluate": "evaluate",
    "fit": "fit",
    "get_config": "get_config",
    "get_layer": "get_layer",
    "get_weights": "get_weights",
    "max": "max",
    "mean": "mean",
    "min": "min",
    "predict": "predict",
    "round": "round",
    "save_model": "save",
    "set_weights": "set_weights",
    "sum": "sum",
    "summary": "summary",
}

# What both companions have. (They have more; what has another name there is in no notebook's pair.)
COMPANIONS = ("alt_text", "fruits_directory", "load_mnist", "read_picture")


@functools.cache
def dialect() -> ModuleType:
    """How the companion names its functions; it is R's file, so it is no module of any package."""
    spec = importlib.util.spec_from_file_location(
        "sidebyside_dialect_of_the_book", DIALECT
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def r_name(call: str) -> str | None:
    """`layers.Conv2D` -> `layer_conv_2d`; None if it is none of Keras's."""
    *modules, name = call.split(".")
    if modules and modules[-1] in FAMILIES and modules[0] in ("keras", modules[-1]):
        family = FAMILIES[modules[-1]]
        given = dialect()._r_name(family, name)
        return given and (
            given if given.startswith(f"{family}_") else f"{family}_{given}"
        )
    return None


def matches(pair: Pair) -> Iterator[tuple[str, str]]:
    """What R and Python call the same, as code."""
    in_r, in_python = r_calls(pair.r), python_calls(pair.python)
    for call in sorted(in_python):
        name = r_name(call)
        if name in in_r:
            yield f"{name}()", f"{call}()"
        if call in COMPANIONS and call in in_r:
            yield f"{call}()", f"{call}()"
        thing, _, method = call.partition(".")
        for function, its_method in METHODS.items():
            if method == its_method and r_gives(pair.r, thing, function):
                yield f"{function}()", f".{method}()"
    for function, call in INVENTIONS.items():
        if function in in_r and call in in_python:
            yield f"{function}()", f"{call}()"
    for thing, name, called in sorted(r_parts(pair.r) & python_parts(pair.python)):
        if thing in ("self", "super"):  # the parts of a class of the notebook's own
            continue
        brackets = "()" if called else ""
        yield f"${name}{brackets}", f".{name}{brackets}"


# ---------------------------------------------------------------------------------------------
# Lines that a check found equal

R_ASSIGNMENT = re.compile(r"^([A-Za-z][\w.]*) <- (.+)$")
LONGEST = 60  # columns, which is what fits beside the other


def r_assignments(text: str) -> dict[str, str]:
    """Names that are assigned once, on one line, and not touched otherwise, with what is assigned."""
    code, found = r_code(text).splitlines(), {}
    for number, (line, bare) in enumerate(zip(text.splitlines(), code, strict=False)):
        match = R_ASSIGNMENT.match(line)
        if (
            not match
            or re.search(r"(\|>|[-+*/,(~]|%[^%]*%)\s*$", bare)
            or not balanced(bare)
        ):
            continue
        after = code[number + 1] if number + 1 < len(code) else ""
        if not after.startswith((" ", ")", "}")):
            found[match[1]] = (
                match[2].partition(" #")[0].strip() if '"' not in match[2] else match[2]
            )
    return {
        name: value for name, value in found.items() if once_in_r(name, "\n".join(code))
    }


def once_in_r(name: str, code: str) -> bool:
    """Whether `name` is on the left of one arrow only, and nothing is done to it by a pipe."""
    name = re.escape(name)
    arrows = re.findall(rf"(?<![\w.$@]){name}\b(?!\.)[^\n<]*?<-", code)
    replaced = re.search(rf"\w\(\s*{name}[^\n]*\)\s*<-", code)
    return (
        len(arrows) == 1 and not replaced and not re.search(rf"(?m)^{name}\s*\|>", code)
    )


def balanced(code: str) -> bool:
    return all(code.count(a) == code.count(b) for a, b in ("()", "[]", "{}"))


def python_assignments(text: str) -> dict[str, str]:
    """As r_assignments()."""
    tree = parse(text)
    if tree is None:
        return {}
    found = {}
    for node in tree.body:
        if (
            isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and node.lineno == node.end_lineno
        ):
            found[node.targets[0].id] = ast.get_source_segment(text, node.value)
    touched = list(changed(tree))
    return {name: value for name, value in found.items() if touched.count(name) == 1}


def changed(tree: ast.Module) -> Iterator[str]:
    """Names that are assigned to, or of which something could be changed: x = 1, x[0] = 1, x.a = 1, x.sort(), f(x)."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name | ast.Subscript | ast.Attribute) and isinstance(
            node.ctx, ast.Store | ast.Del
        ):
            yield root(node)
        elif (
            isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Call)
            and dotted(node.value.func) != "print"
        ):
            yield root(node.value.func)
            yield from map(root, node.value.args)


def root(node: ast.expr) -> str:
    """`x` of x[0].a; nothing of what is no name."""
    while isinstance(node, ast.Subscript | ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def compared(text: str) -> tuple[set[str], set[str]]:
    """The names that a check says are equal, and those of which it says that they differ."""
    equal, other = set(), set()
    tree = parse(text)
    for node in ast.walk(tree) if tree else ():
        if isinstance(node, ast.Call) and dotted(node.func) == "compare":
            names = {
                a.value
                for a in node.args
                if isinstance(a, ast.Constant) and isinstance(a.value, str)
            }
            differ = any(k.arg == "differ" for k in node.keywords)
            (other if differ else equal).update(names)
    return equal, other


R_WORDS = {
    "TRUE",
    "FALSE",
    "NULL",
    "NA",
    "Inf",
    "NaN",
    "T",
    "F",
    "pi",
    "function",
    "if",
    "else",
    "in",
}


def r_variables(code: str) -> list[str]:
    """What a line of R works from, as often as it does: not functions, parts after `$`, names of arguments."""
    found = re.findall(
        r"(?<![\w.$@\"])([A-Za-z][\w.]*)(?![\w.]|\s*\(|\s*=[^=]|::)", r_code(code)
    )
    return sorted(name for name in found if name not in R_WORDS)


def python_variables(code: str, imported: set[str]) -> list[str]:
    tree = ast.parse(code, mode="eval")
    called = {id(n.func) for n in ast.walk(tree) if isinstance(n, ast.Call)}
    return sorted(
        n.id
        for n in ast.walk(tree)
        if isinstance(n, ast.Name) and id(n) not in called and n.id not in imported
    )


def imports(path: Path) -> set[str]:
    """The names that a notebook's Python cells import."""
    trees = [parse(cell.text) for cell in cells(path) if cell.kind == "code"]
    return {
        (alias.asname or alias.name).partition(".")[0]
        for tree in trees
        if tree
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }


def strings(code: str) -> set[str]:
    return {text[1:-1] for text in R_STRING_OR_COMMENT.findall(code) if text[0] != "#"}


def translates(r: str, python: str, imported: set[str]) -> bool:
    """Whether equal values mean that one line is the other in the other language.

    They do if both work from the same variables and the same texts, and if there is anything to translate.
    """
    bare = re.compile(r"""[\w.]+|"[^"]*"|'[^']*'""")
    return (
        r != python
        and max(len(r), len(python)) <= LONGEST
        and not bare.fullmatch(r)
        and not bare.fullmatch(python)
        and r_variables(r) == python_variables(python, imported)
        and strings(r) == strings(python)
    )


def equal_lines(path: Path) -> Iterator[tuple[str, str, Place]]:
    """Right-hand sides that have given equal values."""
    waiting: dict[str, tuple[str, str, Place]] = {}
    half, imported = None, imports(path)
    for cell in cells(path):
        if cell.kind != "code" or "exercise" in cell.tags:
            continue
        if {"pair", "r"} <= cell.tags:
            half = cell
        elif {"pair", "python"} <= cell.tags and half is not None:
            r, python = without_magic(half.text), without_magic(cell.text)
            in_r, in_python = r_assignments(r), python_assignments(python)
            # A name that this pair has anew, or touches, no longer stands for the older lines.
            waiting = {
                n: w for n, w in waiting.items() if not mentions_left(n, r, python)
            }
            for name in in_r.keys() & in_python.keys():
                waiting[name] = (in_r[name], in_python[name], half.place)
            half = None
        else:
            equal, other = compared(cell.text)
            for name in sorted(equal - other):
                if name in waiting and translates(*waiting[name][:2], imported):
                    yield waiting[name]
            # What a cell that is no check does to the names is not known.
            waiting = (
                {}
                if "check" not in cell.tags
                else {n: w for n, w in waiting.items() if n not in equal | other}
            )


def mentions_left(name: str, r: str, python: str) -> bool:
    """Whether a pair has `name` on the left of an assignment, or at the beginning of a line."""
    name = re.escape(name)
    return (
        re.search(
            rf"(?m)(?<![\w.$@]){name}\b(?!\.)[^\n<]*<-|\(\s*{name}\b[^\n]*\)\s*<-|^{name}\s*\|>",
            r_code(r),
        )
        or re.search(
            rf"(?m)(?<![\w.]){name}\b[^\n=]*[^=!<>\n]?=(?!=)|^\s*{name}\b", python
        )
    ) is not None


# ---------------------------------------------------------------------------------------------
# The small dictionaries of the notebooks


def table_rows(markdown: str) -> Iterator[list[str]]:
    """The cells of the tables, without head and rule."""
    previous = ""
    body = False
    for line in markdown.splitlines():
        if not line.lstrip().startswith("|"):
            body = False
        elif re.fullmatch(r"[\s|:-]+", line) and previous.lstrip().startswith("|"):
            body = True
        elif body:
            inner = line.strip().strip("|")
            yield [
                part.strip().replace(r"\|", "|")
                for part in re.split(r"(?<!\\)\|", inner)
            ]
        previous = line


def taught(path: Path) -> Iterator[Entry]:
    own_pairs = pairs(path)
    for cell in cells(path):
        if cell.kind != "markdown":
            continue
        number = cell.place.heading + 1
        for part in reversed(re.split(r"(?m)^(?=#{1,6} )", cell.text)):
            if not HEADING.match(part.partition("\n")[0]):
                continue
            number -= 1
            title = plain(HEADING.match(part.partition("\n")[0])[2])
            if "dictionary" not in title.lower():
                continue
            for row in table_rows(part):
                if len(row) == 3:
                    here = Place(cell.place.docname, number, title)
                    yield Entry(*row, [first_met(row[1], row[2], own_pairs) or here])


def code_of(markdown: str) -> str:
    return "\n".join(re.findall(r"`([^`]+)`", markdown))


def first_met(r: str, python: str, among: list[Pair]) -> Place | None:
    """The first pair that has a row's code as it is, or every name in it, in both languages."""
    for pair in among:
        if (
            code_of(r) in pair.r
            and code_of(python) in pair.python
            and len(code_of(r)) > 4
        ):
            return pair.place
    r_names = {*r_calls(code_of(r)), *(name for _, name, _ in r_parts(code_of(r)))}
    python_names = {
        call.rpartition(".")[2]
        for line in code_of(python).splitlines()
        for call in python_calls(line)
    }
    if not r_names or not python_names:
        return None
    for pair in among:
        in_r = {*r_calls(pair.r), *(name for _, name, _ in r_parts(pair.r))}
        in_python = {call.rpartition(".")[2] for call in python_calls(pair.python)}
        if r_names <= in_r and python_names <= in_python:
            return pair.place
    return None


# ---------------------------------------------------------------------------------------------
# The tables


def merged(entries: Iterable[Entry]) -> list[Entry]:
    """One row for what is the same, with the first place in each notebook."""
    found: dict[tuple[str, str], Entry] = {}
    for entry in entries:
        kept = found.setdefault(
            (entry.r, entry.python), Entry(entry.meaning, entry.r, entry.python, [])
        )
        for place in entry.places:
            if place.docname not in {known.docname for known in kept.places}:
                kept.places.append(place)
    return list(found.values())


def code(text: str) -> str:
    return f"`{text}`"


def entries(what: str, folder: Path = NOTEBOOKS) -> list[Entry]:
    """The rows of the table `taught`, `calls` or `lines`."""
    paths = notebooks(folder)
    if what == "taught":
        return merged(entry for path in paths for entry in taught(path))
    if what == "calls":
        found = merged(
            Entry("", code(r), code(python), [pair.place])
            for path in paths
            for pair in pairs(path)
            for r, python in matches(pair)
        )
        return sorted(found, key=lambda entry: entry.r.strip("`$").lower())
    if what == "lines":
        return merged(
            Entry("", code(r), code(python), [place])
            for path in paths
            for r, python, place in equal_lines(path)
        )
    raise ValueError(f"there is no table {what!r}; it is taught, calls or lines")


# ---------------------------------------------------------------------------------------------
# Sphinx


class to_section(nodes.reference):
    """A link to a section of a notebook; it gets its address when all pages have been read."""


def inline(markdown: str) -> list[nodes.Node]:
    """Text with code in it."""
    parts = re.split(r"`([^`]+)`", markdown)
    return [
        nodes.literal(part, part) if i % 2 else nodes.Text(part)
        for i, part in enumerate(parts)
        if part
    ]


def cell_of(*children: nodes.Node) -> nodes.entry:
    paragraph = nodes.paragraph()
    paragraph += children
    return nodes.entry("", paragraph)


def table(
    head: Iterable[str], rows: Iterable[Iterable[nodes.entry]], classes: Iterable[str]
) -> nodes.table:
    head = list(head)
    group = nodes.tgroup(cols=len(head))
    group += [nodes.colspec(colwidth=1) for _ in head]
    group += nodes.thead(
        "", nodes.row("", *[cell_of(nodes.Text(title)) for title in head])
    )
    group += nodes.tbody("", *[nodes.row("", *row) for row in rows])
    return nodes.table("", group, classes=list(classes))


def links(places: Iterable[Place]) -> list[nodes.Node]:
    found: list[nodes.Node] = []
    for place in places:
        number = Path(place.docname).name[:2]
        found += [nodes.Text(", ")] if found else []
        text = f"{number} {place.title}"
        found.append(
            to_section(
                "", text, internal=True, docname=place.docname, heading=place.heading
            )
        )
    return found


class Dictionary(SphinxDirective):
    """A table of the dictionary: `taught`, `calls` or `lines`."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        self.env.note_dependency(str(DIALECT))
        for path in notebooks():
            self.env.note_dependency(str(path))
        found = entries(self.arguments[0])
        named = any(entry.meaning for entry in found)
        rows = [
            [
                *([cell_of(*inline(entry.meaning))] if named else []),
                cell_of(*inline(entry.r)),
                cell_of(*inline(entry.python)),
                cell_of(*links(entry.places)),
            ]
            for entry in found
        ]
        if not rows:
            return [nodes.paragraph("", "There is none yet.")]
        head = [*(["What"] if named else []), "R", "Python", "Where it is met"]
        return [table(head, rows, ["dictionary"])]


class Rules(SphinxDirective):
    """The rules, each a section with its examples."""

    def run(self) -> list[nodes.Node]:
        found: list[nodes.Node] = []
        for rule in RULES:
            title = "".join(node.astext() for node in inline(rule.title))
            section = nodes.section(
                "", nodes.title("", "", *inline(rule.title)), ids=[nodes.make_id(title)]
            )
            section += nodes.paragraph("", "", *inline(rule.text))
            rows = [
                [cell_of(nodes.literal(r, r)), cell_of(nodes.literal(python, python))]
                for r, python in rule.examples
            ]
            section += table(["R", "Python"], rows, ["rules"])
            found.append(section)
        return found


def resolve(app, doctree, docname: str) -> None:
    """Give the links their addresses: the n-th heading of a notebook is the n-th section of its page."""
    if docname != PAGE:
        return
    sections: dict[str, list[str]] = {}
    for link in list(doctree.findall(to_section)):
        target = link["docname"]
        if target not in sections:
            sections[target] = [
                s["ids"][0] for s in app.env.get_doctree(target).findall(nodes.section)
            ]
        address = app.builder.get_relative_uri(docname, target)
        if link["heading"] < len(sections[target]):
            address += "#" + sections[target][link["heading"]]
        link.replace_self(
            nodes.reference("", "", *link.children, internal=True, refuri=address)
        )


def always_anew(app, env, added, changed, removed) -> list[str]:
    """The page is read again if anything has come, gone or changed; so is what lists the pages."""
    if not (added or changed or removed):
        return []
    return [page for page in (PAGE, app.config.root_doc) if page in env.found_docs]


def setup(app) -> dict:
    app.add_node(to_section)
    app.add_directive("dictionary", Dictionary)
    app.add_directive("dictionary-rules", Rules)
    app.connect("env-get-outdated", always_anew)
    app.connect("doctree-resolved", resolve)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
