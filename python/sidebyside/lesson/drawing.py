"""A network, drawn from the model itself."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from ..common.errors import Sentence
from ..kernel.figures import describe

# Inches: the height of a box, of a row with its arrows, and the largest width.
BOX, ROW, WIDEST = 0.42, 0.68, 9
PASSING = 0.3  # the width of an arrow that passes a row; a box has 1


class CannotDraw(Sentence, ValueError):
    """Something is not a model, or its layers are not known."""


@dataclass(frozen=True)
class Box:
    """One layer: where its middle is, and what it says."""

    x: float
    y: float
    title: str
    details: str
    learns: bool  # whether it has parameters


@dataclass(frozen=True)
class Drawing:
    """What to draw, in inches to the right of and up from the upper left corner.

    Python and R both draw this; neither decides anything about the layout.
    """

    width: float
    height: float
    box_width: float
    box_height: float
    font: float  # points
    boxes: list[Box]
    arrows: list[list[tuple[float, float]]]  # the corners of each line
    in_words: str


def draw_network(model: Any) -> None:
    """Draw a network: a box for each layer, and arrows from the inputs down.

    A box says what the layer is (and its name, if it was given one), the shape
    of its output for one example, and how many parameters it has. Green boxes
    have parameters, grey ones have none. A layer that is used several times is
    one box, and so is a model inside the model. The alternative text says the
    same in words, unless `alt_text()` was called before.

    Parameters
    ----------
    model
        A Sequential or functional model of Keras whose input shape is known.

    Raises
    ------
    CannotDraw
        If `model` is not a Keras model, or if its layers are not known because it
        has no input shape or is a class with its own `call()`.
    """
    from matplotlib import pyplot as plt
    from matplotlib.patches import FancyBboxPatch

    drawing = drawing_of(model)
    describe(drawing.in_words, waiting=len(plt.get_fignums()))
    size = (drawing.width, drawing.height)
    ax = plt.figure(figsize=size, layout="none").add_axes((0, 0, 1, 1))
    ax.set(xlim=(0, size[0]), ylim=(-size[1], 0))
    ax.set_axis_off()
    width, height = drawing.box_width - 0.08, drawing.box_height - 0.08
    words = {"ha": "center", "va": "center", "fontsize": drawing.font}
    for box in drawing.boxes:
        edge = "C0" if box.learns else "0.6"
        shape = {"boxstyle": "round,pad=0.04", "fc": "white", "ec": edge, "lw": 1.5}
        corner = (box.x - width / 2, box.y - height / 2)
        ax.add_patch(FancyBboxPatch(corner, width, height, **shape))
        ax.text(box.x, box.y + 0.09, box.title, weight="bold", **words)
        ax.text(box.x, box.y - 0.09, box.details, **words)
    head = {"arrowstyle": "-|>", "color": "0.3", "shrinkA": 0, "shrinkB": 0}
    for corners in drawing.arrows:
        ax.plot(*zip(*corners[:-1], strict=True), color="0.3", lw=1)
        ax.annotate("", corners[-1], corners[-2], arrowprops=head)


def drawing_of(model: Any) -> Drawing:
    """What `draw_network()` draws, in either language. Same parameters and errors."""
    import keras

    if not isinstance(model, keras.Model):
        raise CannotDraw(
            f"draw_network() found {type(model).__name__}, expected a Keras model. "
            "Give it the model itself: draw_network(model)."
        )
    graph = getattr(model, "_functional", model)  # a Sequential keeps one
    if not hasattr(graph, "_nodes_by_depth"):
        raise CannotDraw(
            f"The layers of this {type(model).__name__} are not known yet. Give a "
            "Sequential model an input shape and a layer; a model with its own "
            "call() cannot be drawn."
        )
    words = {op: _words(op, graph) for op in graph.operations}
    paths, place = _places(graph)
    columns = [x for x, _ in place.values()]
    left, columns = min(columns) - 0.5, max(columns) - min(columns) + 1
    column = min(2.3, WIDEST / columns)
    longest = max(len(line) for lines in words.values() for line in lines)
    at = {
        step: (column * (x - left), -ROW * (y + 0.5)) for step, (x, y) in place.items()
    }
    arrows = []
    for start, *passed, end in paths:
        corners = [(at[start][0], at[start][1] - BOX / 2)]
        for x, y in (at[step] for step in passed):
            corners += [(x, y + BOX / 2), (x, y - BOX / 2)]
        arrows.append([*corners, (at[end][0], at[end][1] + BOX / 2)])
    said = "; ".join(", ".join(lines) for lines in words.values())
    return Drawing(
        width=column * columns,
        height=ROW * (max(y for _, y in place.values()) + 1),
        box_width=column - 0.1,
        box_height=BOX,
        # No letter on average is wider than 0.62 of the font; an inch is 72 points.
        font=min(9, 72 * (column - 0.25) / (0.62 * longest)),
        boxes=[
            Box(*at[op], title, details, not details.endswith("no parameters"))
            for op, (title, details) in words.items()
        ],
        arrows=arrows,
        in_words=f"A network, from input to output: {said}.",
    )


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
        title += f" '{op.name}'"
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
