"""A network, drawn from the model itself."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from ..kernel.figures import alt_text

# Inches: the height of a box, of a row with its arrows, and the largest width.
BOX, ROW, WIDEST = 0.42, 0.68, 9
PASSING = 0.3  # the width of an arrow that passes a row; a box has 1


def draw_network(model: Any) -> None:
    """Draw a network: a box for each layer, and arrows from the inputs down.

    A box says what the layer is (and its name, if it was given one), the shape
    of its output for one example, and how many parameters it has. Green boxes
    have parameters, grey ones have none. A layer that is used several times is
    one box, and so is a model inside the model. The alternative text says the
    same in words.

    Parameters
    ----------
    model
        A Sequential or functional model of Keras whose input shape is known.

    Raises
    ------
    ValueError
        If the layers are not known: no input shape, or a `call()` of its own.
    """
    from matplotlib import pyplot as plt
    from matplotlib.patches import FancyBboxPatch

    graph = getattr(model, "_functional", model)  # a Sequential keeps one
    if not hasattr(graph, "_nodes_by_depth"):
        raise ValueError(
            f"The layers of this {type(model).__name__} are not known yet. Give a "
            "Sequential model an input shape; a model with a call() of its own "
            "cannot be drawn."
        )
    words = {op: _words(op, graph) for op in graph.operations}
    paths, place = _places(graph)
    columns = [x for x, _ in place.values()]
    left, columns = min(columns) - 0.5, max(columns) - min(columns) + 1
    column = min(2.3, WIDEST / columns)
    longest = max(len(line) for lines in words.values() for line in lines)
    # No letter on average is wider than 0.62 of the font; 72 points are an inch.
    font = min(9, 72 * (column - 0.25) / (0.62 * longest))
    said = "; ".join(", ".join(lines) for lines in words.values())
    alt_text(f"A network, from input to output: {said}.")

    size = (column * columns, ROW * (max(y for _, y in place.values()) + 1))
    ax = plt.figure(figsize=size, layout="none").add_axes((0, 0, 1, 1))
    ax.set(xlim=(0, size[0]), ylim=(-size[1], 0))
    ax.set_axis_off()
    at = {
        step: (column * (x - left), -ROW * (y + 0.5)) for step, (x, y) in place.items()
    }
    for op, (title, rest) in words.items():
        x, y = at[op]
        corner = (x - column / 2 + 0.09, y - BOX / 2 + 0.04)
        edge = "0.6" if rest.endswith("no parameters") else "C0"
        shape = {"boxstyle": "round,pad=0.04", "fc": "white", "ec": edge, "lw": 1.5}
        ax.add_patch(FancyBboxPatch(corner, column - 0.18, BOX - 0.08, **shape))
        style = {"ha": "center", "va": "center", "fontsize": font}
        ax.text(x, y + 0.09, title, weight="bold", **style)
        ax.text(x, y - 0.09, rest, **style)
    for path in paths:
        (x, y), *passed, (x_end, y_end) = (at[step] for step in path)
        way = [(x, y - BOX / 2)]
        for x, y in passed:
            way += [(x, y + BOX / 2), (x, y - BOX / 2)]
        way.append((x_end, y_end + BOX / 2))
        ax.plot(*np.transpose(way[:-1]), color="0.3", lw=1)
        arrow = {"arrowstyle": "-|>", "color": "0.3", "shrinkA": 0, "shrinkB": 0}
        ax.annotate("", way[-1], way[-2], arrowprops=arrow)


def _words(op: Any, graph: Any) -> tuple[str, str]:
    """The two lines of a box."""
    import keras

    nodes = [n for some in graph._nodes_by_depth.values() for n in some]
    nodes = [n for n in nodes if n.operation is op]
    kind = type(op).__name__
    automatic = op.name.rstrip("_0123456789").replace("_", "") == kind.lower()
    title = kind.removesuffix("Layer")
    if isinstance(op, keras.Model):
        title = "Model"
    elif inner := getattr(op, "layer", getattr(op, "forward_layer", None)):
        title += f" of {type(inner).__name__}"
    if not automatic:
        title += f" “{op.name}”"
    if len(nodes) > 1:
        title += f", used {len(nodes)} times"
    shapes = [
        " x ".join("any" if n is None else str(n) for n in tensor.shape[1:]) or "1"
        for tensor in nodes[0].output_tensors
    ]
    count = op.count_params() if isinstance(op, keras.Layer) else 0
    parameters = f"{count:,} parameters" if count else "no parameters"
    return title, f"{' and '.join(shapes)}: {parameters}"


def _places(graph: Any) -> tuple[list[list], dict]:
    """The steps of each arrow, and the column and row of each step.

    A step is a layer, or a row that an arrow passes on its way down. It is put
    below the middle of what leads to it, as far as its neighbours leave room.
    """
    by_depth = graph._nodes_by_depth
    row, arrows = {}, []
    for depth in sorted(by_depth, reverse=True):
        for node in by_depth[depth]:
            row.setdefault(node.operation, -depth)
    used = sorted({*row.values()})  # a layer used twice leaves a row empty
    row = {op: used.index(y) for op, y in row.items()}
    for node in (node for nodes in by_depth.values() for node in nodes):
        arrows += [(parent.operation, node.operation) for parent in node.parent_nodes]
    paths = []
    for start, end in dict.fromkeys(arrows):
        if start in row and start is not end:
            passed = [(start, end, y) for y in range(row[start] + 1, row[end])]
            row.update({step: step[2] for step in passed})
            paths.append([start, *passed, end])

    place = {}
    for y in range(len(used)):
        right = max((x for x, _ in place.values()), default=0)  # for late inputs
        wish = {}
        for step in (step for step in row if row[step] == y):
            above = [a for path in paths for a, b in pairwise(path) if b == step]
            known = [place[a][0] for a in above if a in place] or [right]
            wish[step] = sum(known) / len(known)
        x, end = {}, float("-inf")
        for step in sorted(wish, key=wish.get):
            half = PASSING / 2 if isinstance(step, tuple) else 0.5
            x[step] = max(wish[step], end + half)
            end = x[step] + half
        shift = sum(wish[step] - x[step] for step in x) / len(x)
        place.update({step: (x[step] + shift, y) for step in x})
    return paths, place
