"""Formulas of the book: MathML, made without a browser."""

import importlib.util
import re
from pathlib import Path

import pytest
from docutils import nodes

ROOT = Path(__file__).resolve().parents[2]
spec = importlib.util.spec_from_file_location(
    "sidebyside_book_formulas", ROOT / "book" / "formulas.py"
)
formulas = importlib.util.module_from_spec(spec)
spec.loader.exec_module(formulas)


def drawn(tex, block=False):
    return re.sub(r"\s+", "", formulas.mathml(nodes.math(tex, tex), block=block))


@pytest.mark.parametrize(
    ("tex", "part"),
    [
        (r"d = t\sqrt{2/n}", "<msqrt><mn>2</mn>"),
        (r"(0.01\,\bar x)^2", "<mover"),
        (r"\tau^2", "<msup><mi>τ</mi><mn>2</mn></msup>"),
    ],
)
def test_a_formula_is_drawn(tex, part):
    assert part in drawn(tex)


def test_a_separate_formula_is_a_block():
    assert 'display="block"' in drawn("x", block=True)
    assert 'display="block"' not in drawn("x")


@pytest.mark.parametrize("tex", [r"\\sqrt{2}", r"\nosuch{x}"])
def test_a_wrong_formula_is_reported_and_shown_unchanged(tex, monkeypatch):
    said = []
    monkeypatch.setattr(
        formulas.logger, "warning", lambda text, *rest, **_: said.append(text % rest)
    )
    assert drawn(tex + "<&") == f"<code>{tex}&lt;&amp;</code>"
    assert tex in said[0]
