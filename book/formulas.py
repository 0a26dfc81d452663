"""Formulas as MathML, which browsers draw by themselves.

By default Sphinx uses MathJax, which loads a megabyte from another server. The book
needs no other server. Docutils translates LaTeX to MathML.
"""

from __future__ import annotations

import html

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.util import logging

logger = logging.getLogger(__name__)


def mathml(node: nodes.Element, *, block: bool) -> str:
    try:
        return tex2mathml(node.astext(), as_block=block)
    # Docutils raises AttributeError for a line break in the wrong place.
    except (MathError, AttributeError) as problem:
        logger.warning(
            "this formula cannot be translated to MathML: %s (%s)",
            node.astext(),
            problem,
            location=node,
        )
        return f"<code>{html.escape(node.astext())}</code>"


def visit_inline(self, node: nodes.math) -> None:
    self.body.append(mathml(node, block=False))
    raise nodes.SkipNode


def visit_block(self, node: nodes.math_block) -> None:
    # If a formula is too wide, it scrolls; the page does not.
    self.body.append(self.starttag(node, "div", CLASS="math-block"))
    self.body.append(mathml(node, block=True) + "</div>\n")
    raise nodes.SkipNode


def setup(app) -> dict:
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
