"""Formulas as MathML, which browsers draw by themselves.

Sphinx's own way is MathJax, a megabyte from another server on every page with a
formula. The book calls no other server. Docutils translates LaTeX.
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
    except (
        MathError,
        AttributeError,
    ) as problem:  # the second: a line break where there can be none
        logger.warning(
            "this formula cannot be drawn: %s (%s)",
            node.astext(),
            problem,
            location=node,
        )
        return f"<code>{html.escape(node.astext())}</code>"


def visit_inline(self, node: nodes.math) -> None:
    self.body.append(mathml(node, block=False))
    raise nodes.SkipNode


def visit_block(self, node: nodes.math_block) -> None:
    # A formula that is too wide scrolls, and not the page.
    self.body.append(self.starttag(node, "div", CLASS="math-block"))
    self.body.append(mathml(node, block=True) + "</div>\n")
    raise nodes.SkipNode


def setup(app) -> dict:
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
