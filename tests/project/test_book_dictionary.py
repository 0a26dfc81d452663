"""The book's dictionary: what is matched, what is not, and whether its rules are true."""

import ast
import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, writes

ROOT = Path(__file__).resolve().parents[2]


def load():
    """book/dictionary.py under a name of its own."""
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


@pytest.fixture
def rows(tmp_path):
    """A function: the rows of a table that would be made from a notebook with these cells."""

    def made(what, *cells):
        (tmp_path / "01_one.ipynb").write_text(writes(new_notebook(cells=[*cells])))
        return [(entry.r, entry.python) for entry in dictionary.entries(what, tmp_path)]

    return made


# --- names


@pytest.mark.parametrize(
    ("r", "python", "expected"),
    [
        (
            "model |> layer_conv_2d(8, 3)",
            "model.add(layers.Conv2D(8, 3))",
            [("`layer_conv_2d()`", "`layers.Conv2D()`")],
        ),
        (
            "layer_activation_leaky_relu()",
            "keras.layers.LeakyReLU()",
            [("`layer_activation_leaky_relu()`", "`keras.layers.LeakyReLU()`")],
        ),
        (
            "optimizer_rmsprop(1)",
            "keras.optimizers.RMSprop(1)",
            [("`optimizer_rmsprop()`", "`keras.optimizers.RMSprop()`")],
        ),
        ("model |>\n  fit(x)", "model.fit(x)", [("`fit()`", "`.fit()`")]),
        (
            "evaluate(model, x)",
            "model.evaluate(x)",
            [("`evaluate()`", "`.evaluate()`")],
        ),
        (
            "save_model(model, path)",
            "model.save(path)",
            [("`save_model()`", "`.save()`")],
        ),
        (
            "image_load(f)",
            "keras.utils.load_img(f)",
            [("`image_load()`", "`keras.utils.load_img()`")],
        ),
        ("train$cache()", "train.cache()", [("`$cache()`", "`.cache()`")]),
        ("length(train$names)", "len(train.names)", [("`$names`", "`.names`")]),
        ("load_mnist()", "load_mnist()", [("`load_mnist()`", "`load_mnist()`")]),
    ],
)
def test_names_that_belong_together_are_found(rows, r, python, expected):
    assert rows("calls", *pair(r, python)) == expected


@pytest.mark.parametrize(
    ("r", "python"),
    [
        ("range(x)", "range(10)"),  # not the same at all
        ("list(1, 2)", "list(x)"),
        ("layer_dense(1)", "layers.Dropout(1)"),
        ("layer_dense(1)", "mine.Dense(1)"),  # not Keras's
        ("other |> fit(x)", "model.fit(x)"),  # of another object
        ("sum(x)", "y.sum()"),
        ("# layer_dense()", "layers.Dense()"),  # in a comment
        ('print("layer_dense()")', "layers.Dense()"),  # in a text
        ("train$cache()", "test.cache()"),
        ("train$names", "train.names()"),  # called, and not
        ("self$dense(x)", "self.dense(x)"),  # made up in the notebook
        ("summary(lm(y ~ x))", "model.summary()"),
    ],
)
def test_names_that_only_look_alike_are_not(rows, r, python):
    assert rows("calls", *pair(r, python)) == []


def test_halves_of_different_pairs_are_not_mixed(rows):
    assert (
        rows("calls", *pair("layer_dense(1)", "1"), *pair("1", "layers.Dense(1)")) == []
    )
    r, python = pair("layer_dense(1)", "layers.Dense(1)")
    assert rows("calls", r, new_markdown_cell("text"), python) == []


# --- lines


def test_lines_that_a_check_found_equal_are_there(rows):
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
        ("m <- table(a)", "m = count(a)\nnp.add.at(m, a, 1)", 'compare("m")'),
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
        ("m <- a + 1", "m = a + 1", 'compare("m")'),  # nothing to translate
        ('m <- load("r.txt")', 'm = load("python.txt")', 'compare("m")'),  # other texts
        ("m <- mean(a)", "def f():\n    m = a.mean()", 'compare("m")'),
    ],
)
def test_lines_of_which_that_is_not_known_are_not(rows, r, python, checked):
    assert rows("lines", *pair(r, python), check(checked)) == []


def test_a_line_is_forgotten_when_its_name_gets_something_else(rows):
    first = pair("m <- mean(a)", "m = a.mean()")
    changed = pair("m <- m + 1\nk <- 1", "m = m + 1\nk = 1")
    assert rows("lines", *first, *changed, check('compare("m")')) == []
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


def test_rows_of_a_small_dictionary_are_read(rows, tmp_path):
    other = "\n## Try it\n\n| a | b | c |\n|---|---|---|\n| 1 | 2 | 3 |"
    cells = [
        new_markdown_cell("# Title"),
        new_markdown_cell("text\n\n## A `part`"),
        *pair("x |> f()", "x.f()"),
        new_markdown_cell(SMALL + other),
    ]
    assert rows("taught", *cells) == [
        ("`x |> f()`", "`x.f()`"),
        ("`dim(x)`", "`x.shape`"),
    ]
    first, second = dictionary.entries("taught", tmp_path)
    assert (first.meaning, first.places[0].title, first.places[0].heading) == (
        "pipe",
        "A part",
        1,
    )
    assert (second.places[0].title, second.places[0].heading) == (
        "R and Python, a small dictionary",
        2,
    )


def test_a_comment_in_code_is_no_heading(tmp_path):
    cells = [
        new_markdown_cell("# Title\n\n```sh\n# no heading\n```\n\n## Second"),
        *pair("sum(x)", "x.sum()"),
    ]
    (tmp_path / "01_one.ipynb").write_text(writes(new_notebook(cells=cells)))
    assert dictionary.pairs(tmp_path / "01_one.ipynb")[0].place == dictionary.Place(
        "notebooks/01_one", 1, "Second"
    )


def test_one_row_for_what_is_met_in_several_notebooks(tmp_path):
    for name in ("01_one", "02_two"):
        (tmp_path / f"{name}.ipynb").write_text(
            writes(
                new_notebook(
                    cells=[*pair("sum(x)", "x.sum()"), *pair("sum(x)", "x.sum()")]
                )
            )
        )
    [entry] = dictionary.entries("calls", tmp_path)
    assert [place.docname for place in entry.places] == [
        "notebooks/01_one",
        "notebooks/02_two",
    ]


def test_an_unknown_table_is_an_error():
    with pytest.raises(ValueError, match="it is taught, calls or lines"):
        dictionary.entries("words")


@pytest.mark.parametrize("path", dictionary.notebooks(), ids=lambda path: path.stem)
def test_every_row_of_the_notebooks_own_dictionaries_is_in_the_book(path):
    """Counted another way: lines with three cells below the heading."""
    cells = json.loads(path.read_text())["cells"]
    texts = [
        "".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"
    ]
    section = next(text for text in texts if re.search("(?mi)^## .*dictionary", text))
    section = re.split("(?mi)^## .*dictionary", section)[1].split("\n## ")[0]
    written = [line for line in section.splitlines() if line.startswith("|")][2:]
    assert len(list(dictionary.taught(path))) == len(written)


def test_keras_layers_of_all_pairs_are_in_the_dictionary():
    """Each layer that both halves of a pair use."""
    found = {entry.r.strip("`()") for entry in dictionary.entries("calls")}
    in_both = set()
    for path in dictionary.notebooks():
        for one in dictionary.pairs(path):
            in_python = {
                dictionary.r_name(call) for call in dictionary.python_calls(one.python)
            } - {None}
            in_both |= in_python & dictionary.r_calls(one.r)
    assert {"layer_dense", "layer_conv_2d", "optimizer_rmsprop"} <= in_both <= found


# --- the rules


def value_in_python(code):
    tree = ast.parse(code)
    scope = {}
    exec(dictionary.BEFORE_PYTHON, scope)
    *before, last = tree.body
    exec(compile(ast.Module(before, []), "example", "exec"), scope)
    return eval(compile(ast.Expression(last.value), "example", "eval"), scope)


def as_text(value):
    """As R's `paste(format(...))` below writes it."""
    values = (
        value
        if isinstance(value, list)
        else value.tolist()
        if hasattr(value, "tolist")
        else [value]
    )
    values = values if isinstance(values, list) else [values]
    return " ".join(
        v
        if isinstance(v, str)
        else str(v).upper()
        if isinstance(v, bool)
        else f"{v:.10g}"
        for v in values
    )


def test_the_examples_of_the_rules_have_the_same_value_in_both_languages():
    examples = [example for rule in dictionary.RULES for example in rule.examples]
    # Each in a scope of its own, as in Python.
    program = "".join(
        f"local({{ {dictionary.BEFORE_R}; v <- local({{ {r} }});"
        ' cat(if (is.numeric(v)) sprintf("%.10g", v) else as.character(v)); cat("\\n") })\n'
        for r, _ in examples
    )
    result = subprocess.run(
        ["Rscript", "--vanilla", "-"], input=program, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    in_r = result.stdout.splitlines()
    in_python = [as_text(value_in_python(python)) for _, python in examples]
    assert dict(zip(examples, in_r, strict=True)) == dict(
        zip(examples, in_python, strict=True)
    )
    assert len(examples) > 20
