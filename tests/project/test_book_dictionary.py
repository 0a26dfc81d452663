"""The book's dictionary: which code is matched, and whether its rules are true."""

import ast
import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, writes

ROOT = Path(__file__).resolve().parents[2]


def load():
    """Load book/dictionary.py under another name."""
    spec = importlib.util.spec_from_file_location(
        "sidebyside_book_dictionary", ROOT / "book" / "dictionary.py"
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


dictionary = load()


def pair(r, python):
    return [
        new_code_cell("%%R\n" + r, metadata={"tags": ["pair", "r"]}),
        new_code_cell(python, metadata={"tags": ["pair", "python"]}),
    ]


def check(code):
    return new_code_cell(code, metadata={"tags": ["check"]})


def write(path, *cells):
    path.write_text(writes(new_notebook(cells=[*cells])))


@pytest.fixture
def rows(tmp_path):
    """Return a function that makes a table's rows from a notebook with these cells."""

    def made(what, *cells):
        write(tmp_path / "01_one.ipynb", *cells)
        found = dictionary.dictionary(tmp_path)[what]
        return [(entry.r, entry.python) for entry in found]

    return made


# --- names


@pytest.mark.parametrize(
    ("r", "python", "expected"),
    [
        (
            "m |> layer_conv_2d(8)",
            "m.add(layers.Conv2D(8))",
            "layer_conv_2d() layers.Conv2D()",
        ),
        (
            "layer_activation_leaky_relu()",
            "keras.layers.LeakyReLU()",
            "layer_activation_leaky_relu() keras.layers.LeakyReLU()",
        ),
        (
            "optimizer_rmsprop(1)",
            "keras.optimizers.RMSprop(1)",
            "optimizer_rmsprop() keras.optimizers.RMSprop()",
        ),
        ("loss_huber()", "keras.losses.Huber()", "loss_huber() keras.losses.Huber()"),
        ("model |>\n  fit(x)", "model.fit(x)", "fit() .fit()"),
        ("evaluate(model, x)", "model.evaluate(x)", "evaluate() .evaluate()"),
        ("save_model(model, path)", "model.save(path)", "save_model() .save()"),
        (
            "image_load(f)",
            "keras.utils.load_img(f)",
            "image_load() keras.utils.load_img()",
        ),
        ("train$cache()", "train.cache()", "$cache() .cache()"),
        ("length(train$names)", "len(train.names)", "$names .names"),
        ("load_mnist()", "load_mnist()", "load_mnist() load_mnist()"),
    ],
)
def test_names_that_belong_together_are_found(rows, r, python, expected):
    names = tuple(f"`{name}`" for name in expected.split())
    assert rows("calls", *pair(r, python)) == [names]


@pytest.mark.parametrize(
    ("r", "python"),
    [
        ("range(x)", "range(10)"),  # not the same at all
        ("layer_dense(1)", "layers.Dropout(1)"),
        ("layer_dense(1)", "mine.Dense(1)"),  # not Keras's
        ("other |> fit(x)", "model.fit(x)"),  # of another object
        ("sum(x)", "y.sum()"),
        ("var(x)", "x.var()"),  # divided by n - 1, and by n
        ("to_categorical(x)", "mine.to_categorical(x)"),  # not Keras's
        ("# layer_dense()", "layers.Dense()"),  # in a comment
        ('print("layer_dense()")', "layers.Dense()"),  # in a text
        ("train$names", "train.names()"),  # called, and not
        ("self$dense(x)", "self.dense(x)"),  # made up in the notebook
        ("summary(lm(y ~ x))", "model.summary()"),
    ],
)
def test_names_that_only_look_alike_are_not_matched(rows, r, python):
    assert rows("calls", *pair(r, python)) == []


def test_halves_of_different_pairs_are_not_mixed(rows):
    assert (
        rows("calls", *pair("layer_dense(1)", "1"), *pair("1", "layers.Dense(1)")) == []
    )


def test_an_exercise_gives_no_rows(rows):
    """The reader writes its halves, which may be wrong until then."""
    cells = pair("m <- sum(x)", "m = x.sum()")
    compared = check('compare("m")')
    assert len(rows("calls", *cells, compared)) == 1
    assert len(rows("lines", *cells, compared)) == 1
    for cell in cells:
        cell.metadata.tags += ["exercise"]
    assert rows("calls", *cells, compared) == []
    assert rows("lines", *cells, compared) == []


# --- lines


def test_lines_that_a_check_found_equal_are_in_the_table(rows):
    cells = [
        *pair(
            "share <- mean(a == b)\nn <- length(a)",
            "share = (a == b).mean()\nn = len(a)",
        ),
        check('compare("share")'),
    ]
    assert rows("lines", *cells) == [("`mean(a == b)`", "`(a == b).mean()`")]


@pytest.mark.parametrize(
    ("r", "python", "checked"),
    [
        ("m <- mean(a)", "m = a.mean()", 'compare("other")'),  # not checked
        (
            "m <- mean(a)",
            "m = a.mean()",
            'compare("m", differ=True)',
        ),  # checked, and not equal
        ("m <- mean(a)", "m = b.mean()", 'compare("m")'),  # from other variables
        ("m <- a[4:5]", "m = [a.low, a.high]", 'compare("m")'),  # in another number
        ("m <- table(a)\nm <- unclass(m)", "m = count(a)", 'compare("m")'),  # R goes on
        ("m <- table(a)", "m = count(a)\nm.sort()", 'compare("m")'),  # Python goes on
        ("m <- table(a)", "m = count(a)\nm[0] = 1", 'compare("m")'),
        ("m <- c(a)\ndim(m) <- 4", "m = list(a)", 'compare("m")'),
        ("m <- c(a)\nm[1] <- 4", "m = list(a)", 'compare("m")'),
        ("m <- c(a)", "m = list(a)\nfor x in a:\n    m.append(x)", 'compare("m")'),
        (
            "m <- model |>\n  fit(a)",
            "m = model.fit(a)",
            'compare("m")',
        ),  # R's line is only begun
        ("m <- a", "m = list(a)", 'compare("m")'),  # a bare name
        (f"m <- c({'0, ' * 25}a)", "m = [a]", 'compare("m")'),  # too long
        ("m <- a + 1", "m = a + 1", 'compare("m")'),  # nothing to translate
        ('m <- load("r.txt")', 'm = load("python.txt")', 'compare("m")'),  # other texts
        ("m <- mean(a)", "def f():\n    m = a.mean()", 'compare("m")'),
    ],
)
def test_lines_without_such_a_check_are_not_in_the_table(rows, r, python, checked):
    assert rows("lines", *pair(r, python), check(checked)) == []


def test_a_line_is_forgotten_when_its_name_gets_something_else(rows):
    first = pair("m <- mean(a)", "m = a.mean()")
    changed = pair("m <- m + 1\nk <- 1", "m = m + 1\nk = 1")
    assert rows("lines", *first, *changed, check('compare("m")')) == []
    one_sided = pair("m[1] <- 1", "k = 1")
    assert rows("lines", *first, *one_sided, check('compare("m")')) == []
    assert rows("lines", *first, new_code_cell("m = 1"), check('compare("m")')) == []
    assert rows("lines", *first, *pair("k <- 1", "k = 1"), check('compare("m")')) == [
        ("`mean(a)`", "`a.mean()`")
    ]


# --- the small dictionaries, and places

SMALL = """## R and Python, a small dictionary

| | R | Python |
|---|---|---|
| pipe | `x \\|> f()` | `x.f()` |
| shape | `dim(x)` | `x.shape` |
"""


def test_rows_of_a_small_dictionary_are_read(tmp_path):
    other = "\n## Try it\n\n| a | b | c |\n|---|---|---|\n| 1 | 2 | 3 |"
    write(
        tmp_path / "01_one.ipynb",
        new_markdown_cell("# Title\n\n```sh\n# no heading\n```"),
        new_markdown_cell("text\n\n## A `part`"),
        *pair("x |> f()\ndim(y)", "x.f()\nlen(y)"),
        new_markdown_cell("## A part"),
        *pair("x |> f()\ndim(y)", "x.f()\ny.shape"),
        new_markdown_cell(SMALL + other),
    )
    first, second = dictionary.dictionary(tmp_path)["taught"]
    assert (first.meaning, first.r, first.python) == ("pipe", "`x |> f()`", "`x.f()`")
    assert (second.r, second.python) == ("`dim(x)`", "`x.shape`")
    # The first pair that uses all of the row, in both languages.
    page = "notebooks/01_one"
    assert first.places == [dictionary.Place(page, "A part", "a-part")]
    assert second.places == [dictionary.Place(page, "A part", "a-part-1")]
    # In Markdown, a vertical bar would end the cell.
    assert r"`x \|> f()`" in dictionary.markdown([first])
    assert "(/notebooks/01_one.ipynb#a-part)" in dictionary.markdown([first])


def test_a_row_that_no_pair_uses_links_to_itself(tmp_path):
    write(tmp_path / "01_one.ipynb", *pair("g(x)", "x.f()"), new_markdown_cell(SMALL))
    for row in dictionary.dictionary(tmp_path)["taught"]:
        [place] = row.places
        assert place.anchor == "r-and-python-a-small-dictionary"


def test_several_notebooks_share_one_row(tmp_path):
    for name in ("01_one", "02_two"):
        twice = [*pair("sum(x)", "x.sum()"), *pair("sum(x)", "x.sum()")]
        write(tmp_path / f"{name}.ipynb", *twice)
    [entry] = dictionary.dictionary(tmp_path)["calls"]
    assert [place.docname for place in entry.places] == [
        "notebooks/01_one",
        "notebooks/02_two",
    ]


def test_without_r_the_message_is_clear(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(dictionary.ExtensionError, match="make setup"):
        dictionary.read_r(["x"])


@pytest.fixture(scope="module")
def tables():
    return dictionary.dictionary()


def test_every_row_of_the_notebooks_own_dictionaries_is_in_the_book(tables):
    """Count them in another way: lines with three cells below the heading.

    Equal rows of two notebooks are one row.
    """
    written = set()
    for path in dictionary.notebooks():
        cells = json.loads(path.read_text())["cells"]
        text = "\n".join("".join(cell["source"]) + "\n" for cell in cells)
        section = re.split("(?mi)^## .*dictionary", text)[1].split("\n## ")[0]
        lines = re.findall(r"(?m)^\|.*\|.*\|.*\|$", section)[2:]
        written |= {tuple(re.split(r"(?<!\\)\|", line)[2:4]) for line in lines}
    assert len(tables["taught"]) == len(written) > 50


def test_the_calls_of_all_pairs_are_in_the_dictionary(tables):
    found = {(x.r.strip("`()"), x.python.strip("`()")) for x in tables["calls"]}
    assert found >= {
        ("layer_dense", "layers.Dense"),
        ("layer_conv_2d", "layers.Conv2D"),
        ("optimizer_rmsprop", "keras.optimizers.RMSprop"),
        (
            "loss_sparse_categorical_crossentropy",
            "keras.losses.SparseCategoricalCrossentropy",
        ),
        ("fit", ".fit"),
        ("to_categorical", "keras.utils.to_categorical"),
    }
    assert len(tables["lines"]) > 40


# --- the rules


# This runs before each example; the page says what x is.
BEFORE_R = "x <- c(10, 20, 30)"
BEFORE_PYTHON = "import math, os\nimport numpy as np\nx = np.array([10.0, 20.0, 30.0])"


def examples():
    """The rows of the page's tables of rules."""
    page = (ROOT / "book" / "dictionary.md").read_text("utf-8")
    assert "`c(10, 20, 30)`" in page
    assert "`np.array([10.0, 20.0, 30.0])`" in page
    rules = page.split("\n## Rules")[1]
    rows = re.findall(r"(?m)^\| `(.+)` \| `(.+)` \|$", rules)
    return [(r.replace(r"\|", "|"), python) for r, python in rows]


def value_in_python(code):
    tree = ast.parse(code)
    scope = {}
    exec(BEFORE_PYTHON, scope)
    *before, last = tree.body
    exec(compile(ast.Module(before, []), "example", "exec"), scope)
    return eval(compile(ast.Expression(last.value), "example", "eval"), scope)


def test_the_examples_of_the_rules_have_the_same_value_in_both_languages():
    pairs = examples()
    # Each has its own scope, as in Python.
    program = "".join(
        f"local({{ {BEFORE_R}; v <- local({{ {r} }});"
        ' cat(jsonlite::toJSON(v, digits = NA), "\\n") })\n'
        for r, _ in pairs
    )
    result = subprocess.run(
        ["Rscript", "--vanilla", "-"], input=program, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    for (r, python), line in zip(pairs, result.stdout.splitlines(), strict=True):
        found = np.atleast_1d(value_in_python(python)).tolist()
        assert json.loads(line) == found, r
    assert len(pairs) > 20


@pytest.mark.parametrize("changed", [set(), {"notebooks/01_mnist"}])
def test_the_page_is_written_again_when_a_page_has_changed(changed):
    app = SimpleNamespace(config=SimpleNamespace(root_doc="index"))
    env = SimpleNamespace(found_docs={"index", dictionary.PAGE, "notebooks/01_mnist"})
    expected = [dictionary.PAGE, "index"] if changed else []
    assert dictionary.outdated(app, env, set(), changed, set()) == expected
