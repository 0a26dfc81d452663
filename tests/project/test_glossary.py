"""The glossary: from small notebooks of ours, and as it is committed."""

import re
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_markdown_cell, new_notebook

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import glossary  # noqa: E402

# What a newcomer has to find explained. Hyphens and brackets do not matter.
TERMS = """epoch, batch, loss, metric, one-hot, dense layer, relu, softmax, dropout,
    validation, overfitting, convolution, pooling, batch normalization, leaky relu,
    learning rate, learning-rate schedule, seed, %<-%, |>, alt_text, DLPack,
    confidence interval, t-test, equivalence test, power, random effect"""


@pytest.fixture
def write(tmp_path):
    """A function: notebooks 00, 01 ..., each with one cell for each of its texts."""

    def notebooks(*books):
        paths = []
        for number, texts in enumerate(books):
            cells = [new_markdown_cell(text) for text in texts]
            paths.append(tmp_path / f"{number:02}_a.ipynb")
            nbformat.write(new_notebook(cells=cells), paths[-1])
        return paths

    return notebooks


LINK = "[Glossary](glossary.md)"
EXPLAINED = "An ***epoch*** is one pass through all data."


def test_a_term_gets_the_sentence_that_explains_it_and_a_link_to_its_section(write):
    text = f"## Train `it`\nWhy? An\n***epoch*** is one pass, see [Fit](#Fit). {LINK}"
    paths = write([text, "- An ***axis*** is a direction."], ["A ***`|>`*** pipes."])
    terms = glossary.terms(x for path in paths for x in glossary.sentences(path))
    assert glossary.lines(terms).splitlines() == [
        "- **`|>`**: A `|>` pipes. ([01 ](01_a.ipynb#))",
        "- **axis**: An axis is a direction. ([00 Train `it`](00_a.ipynb#Train-it))",
        "- **epoch**: An epoch is one pass, see [Fit](00_a.ipynb#Fit). "
        "([00 Train `it`](00_a.ipynb#Train-it))",
    ]


@pytest.mark.parametrize(
    ("sentence", "term", "text"),
    [
        ("***Dropout*** drops units.", "dropout", "Dropout drops units."),
        ("***DLPack*** is a layout.", "DLPack", "DLPack is a layout."),
        ("A ***Gram matrix*** is one.", "Gram matrix", "A Gram matrix is one."),
        ("***Gram matrix***: products.", "Gram matrix", "products."),
    ],
)
def test_a_term_is_lower_case_unless_it_is_a_name(write, sentence, term, text):
    [said] = glossary.sentences(*write([sentence]))
    assert (
        glossary.lines(glossary.terms([said]))
        == f"- **{term}**: {text} ([00 ](00_a.ipynb#))"
    )


FREE = [
    "## Each epoch\n\nAfter the heading.",
    "| row | epoch |\n|---|---|\n| 1 | epochs |",
    "Read [about epochs](https://example.org), `epoch`.",
    "```python\nepoch = 1\n```",
    "Why?\n\n<details><summary>Answer</summary>\n\nThe epochs.\n\n</details>",
    "An epochal change.",
]


def test_what_is_no_prose_may_use_a_term_before(write):
    assert list(glossary.problems(write(FREE, [EXPLAINED, LINK]))) == []


@pytest.mark.parametrize(
    ("books", "place", "words"),
    [
        ([["The epoch.", EXPLAINED]], "00", "epoch is used before"),
        ([["## One\n\nTwo EPOCHS pass."], [EXPLAINED]], "00_a.ipynb, One", "before"),
        ([["All axes."], ["An ***axis*** is one."]], "00", "axis is used before"),
        ([["Accuracies."], ["***Accuracy*** is one."]], "00", "before"),
        ([["A learning\nrate."], ["A ***learning-rate*** is one."]], "00", "before"),
        ([["In an epoch, an ***epoch*** ends."]], "00", "before"),
        ([["- in an epoch\n- next"], [EXPLAINED]], "00", "before"),
        ([[EXPLAINED], [EXPLAINED]], "01", "epoch is also marked in 00"),
        ([["An ***a*** is a ***b***."]], "00", "a and b are marked in one sentence"),
        ([["This ***epoch*** ends."]], "00", "cannot be understood alone"),
        ([["Why? It is an ***epoch***."]], "00", "cannot be understood alone"),
        ([["| ***epoch*** |"]], "00", "where there is no prose"),
        ([["## An ***epoch***"]], "00", "where there is no prose"),
    ],
)
def test_each_problem_is_found(write, books, place, words):
    books[-1].append(LINK)
    books[0].append(LINK)
    [problem] = glossary.problems(write(*books))
    assert problem.startswith(place)
    assert words in problem


def test_a_notebook_with_terms_links_to_the_glossary(write):
    [problem] = glossary.problems(write([EXPLAINED], [LINK], ["No term."]))
    assert problem.startswith("00_a.ipynb: marks terms, but has no link")


def test_an_everyday_word_may_be_used_before(write):
    word = min(glossary.EVERYDAY)
    books = [[f"A {word}."], [f"A ***{word}*** is explained.", LINK]]
    assert list(glossary.problems(write(*books))) == []


# --- as it is committed


def test_the_terms_of_the_notebooks_are_well_marked():
    assert list(glossary.problems(glossary.all_notebooks())) == []


def plain(term):
    return re.sub(r"[\s-]+", " ", re.sub(r"[`()]", "", term)).lower().strip()


def test_what_a_newcomer_needs_is_explained():
    missing = {plain(x) for x in TERMS.split(",")} - set(
        map(plain, glossary.all_terms())
    )
    assert missing == set()
