"""Functions for notebook 02: how values cross between R and Python.

Two packages pass values across: reticulate, which R cells use, and rpy2, which
the kernel uses. The notebook sends values through both. This module finds memory
addresses, makes tables of the values that arrived, times a call and draws the map.
"""

from __future__ import annotations

import base64
import html
import io
import statistics
import timeit
from collections.abc import Callable, Mapping
from dataclasses import astuple, dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.patches import FancyBboxPatch

from ..common.colours import PYTHON, R
from .compare import require_names, session_with

# Says in R what a value of R has lost on its trip to Python and back.
_LOST_IN_R = """
function(before, after) {
  python <- "python.builtin.object"
  if (inherits(before, python) && inherits(after, python)) {
    same <- reticulate::py_id(before) == reticulate::py_id(after)
    return(if (same) "nothing" else "identity")
  }
  lost <- character()
  if (class(before)[1] != class(after)[1]) {
    home <- sub("^python.builtin.", "Python's ", class(after)[1])
    lost <- paste("its class: comes home as", home)
  } else if (anyNA(unlist(before)) && !anyNA(unlist(after))) {
    lost <- sprintf("its NA: comes home as %s", format(after))
  } else if (!isTRUE(all.equal(before, after, check.attributes = FALSE))) {
    lost <- "its value"
  }
  # The place where a function was written (srcref) is not part of its value.
  kept <- c("class", "srcref", names(attributes(after)))
  gone <- setdiff(names(attributes(before)), kept)
  lost <- c(lost, if (length(gone)) paste("its", toString(gone)))
  if (length(lost)) paste(lost, collapse = "; ") else "nothing"
}
"""

# --- addresses in memory


def address(value: Any) -> int:
    """Return the memory address of a Python object's values.

    For an array it is the address of the first value, else of the object (`id()`).
    """
    if isinstance(value, np.ndarray):
        return value.ctypes.data
    return id(value)


def address_in_r(name: str) -> int:
    """Return the memory address of the values of an R variable.

    Raises `NoVariable` if R has no variable of this name.
    """
    require_names("address_in_r", [name])
    session_with(name)
    from rpy2.rinterface import globalenv

    return _address_of_r(globalenv[name])


def _address_of_r(value: Any) -> int:
    """Return the address of a vector's first number, else of the object."""
    if hasattr(value, "memoryview"):
        try:
            return np.asarray(value.memoryview()).ctypes.data
        except (TypeError, ValueError, AttributeError):
            pass  # a vector of texts: each text has its own address
    from rpy2.rinterface_lib.openrlib import ffi

    return int(ffi.cast("uintptr_t", value.__sexp__._cdata))


def _memory(in_python: Any, in_r: Any) -> str:
    """Say whether both languages have the object, or its parts, at one address."""
    if callable(in_python):
        return "a handle"
    parts = [in_python]
    if isinstance(in_python, pd.DataFrame):
        parts += [column.to_numpy() for _, column in in_python.items()]
    elif isinstance(in_python, list | tuple):
        parts += in_python
    parts_in_r = [in_r]
    if type(in_r).__name__ == "ListSexpVector":
        parts_in_r += in_r
    shared = {*map(address, parts)} & {*map(_address_of_r, parts_in_r)}
    return "shared" if shared else "copied"


# --- values before and after a trip


def trips_from_r(seen: Mapping[str, Any]) -> pd.DataFrame:
    """Make a table of R values that reticulate took to Python and back.

    `seen` has the values that arrived in Python, by name. R's lists `kinds` and
    `home` have the values before and after the trip, under the same names.
    """
    from rpy2.rinterface import evalr, globalenv

    lost = evalr(_LOST_IN_R)
    lists = [globalenv[name] for name in ("kinds", "home")]
    rows = {}
    for name, value in seen.items():
        left, home = (a[list(a.names).index(name)] for a in lists)
        handle = "python.builtin.object" in _r_class(left)
        rows[name] = {
            "in R": _r_class(left)[0].removeprefix("python.builtin."),
            "in Python": type(value).__name__,
            "memory": "the same object" if handle else _memory(value, left),
            "lost on the way home": str(lost(left, home)[0]),
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def trips_by_rpy2(kinds: Mapping[str, Any], converter: Any) -> pd.DataFrame:
    """Make a table of Python values that an rpy2 converter takes to R and back.

    If the converter refuses a value, its row says so.
    """
    rows = {}
    for name, value in kinds.items():
        row = {"in Python": type(value).__name__}
        try:
            with converter.context():
                there = _under_a_name(converter.py2rpy(value))
                home = converter.rpy2py(there)
        except (NotImplementedError, ValueError, OverflowError, TypeError) as e:
            row |= {"in R": "refused", "memory": "-"}
            row["lost on the way home"] = type(e).__name__
        else:
            row["in R"] = _r_class(there)[0]
            row["memory"] = _memory(value, there)
            row["lost on the way home"] = _lost_in_python(value, home)
        rows[name] = row
    return pd.DataFrame.from_dict(rows, orient="index")


def _under_a_name(value: Any) -> Any:
    """Assign a value to an R variable, as `%%R -i` does, and return R's object."""
    from rpy2.rinterface import globalenv

    globalenv[".crossing"] = value
    found = globalenv[".crossing"]
    del globalenv[".crossing"]
    return found


def _r_class(value: Any) -> list[str]:
    from rpy2.rinterface import baseenv

    return [str(name) for name in baseenv["class"](value)]


def _lost_in_python(before: Any, after: Any) -> str:
    if type(before) is not type(after):
        return f"its type: comes home as {type(after).__name__}"
    if isinstance(before, pd.DataFrame):
        lost = []
        for name in before:
            one = _lost_in_python(before[name].to_numpy(), after[name].to_numpy())
            lost += [] if one == "nothing" else [f"{name}: {one}"]
        if not before.index.equals(after.index):
            lost.append("its row names")
        return "; ".join(lost) or "nothing"
    if isinstance(before, np.ndarray) and before.dtype != after.dtype:
        return f"comes home as {after.dtype}"
    # Compare them as pandas series, where two missing values are equal.
    values = [pd.Series(np.ravel(side)) for side in (before, after)]
    same = np.shape(before) == np.shape(after) and values[0].equals(values[1])
    return "nothing" if same else "its value"


# --- the cost of a call


def microseconds(call: Callable[[], Any], number: int = 300) -> float:
    """Measure one call: the median of seven repeats, each the mean of `number` calls.

    A first repeat is the warm-up and does not count.
    """
    seconds = timeit.repeat(call, number=number, repeat=8)[1:]
    return statistics.median(seconds) / number * 1e6


# --- the map


# Centres (in units of the figure) and colours of the boxes.
_BOXES = {
    "Notebook kernel": (5.0, 5.2, "#555555"),
    "R": (1.6, 3.1, R),
    "Python": (8.4, 3.1, PYTHON),
    "Keras": (8.4, 1.75, PYTHON),
    "TensorFlow": (8.4, 0.4, PYTHON),
}
_WIDTH, _HEIGHT = 2.2, 0.62

# The arrows, in the order of their costs: start, end, colour, position of the text,
# its alignment, and the text.
_ARROWS = [
    ((4.4, 4.89), (2.1, 3.41), R, (2.75, 4.35), "right", "%%R: rpy2\n"),
    ((5.6, 4.89), (7.9, 3.41), PYTHON, (7.25, 4.35), "left", "Python cell\n"),
    (
        *((2.7, 3.22), (7.3, 3.22), R, (5.0, 3.42), "center"),
        "reticulate: R calls Python, ",
    ),
    (
        *((7.3, 2.98), (2.7, 2.98), PYTHON, (5.0, 2.75), "center"),
        "reticulate: Python calls back, ",
    ),
    ((8.4, 2.79), (8.4, 2.06), PYTHON, (8.2, 2.43), "right", "keras.ops.add\n"),
    ((8.4, 1.44), (8.4, 0.71), PYTHON, (8.2, 1.08), "right", "tf.add\n"),
]


@dataclass(frozen=True)
class Map:
    """A map of who calls whom in the notebook's process, and what a call costs.

    Costs are microseconds per call. The map is shown as SVG, with a title and a
    description for readers who cannot see it. Pages that do not trust SVG show a
    PNG.
    """

    kernel_to_r: float
    kernel_to_python: float
    r_to_python: float
    python_to_r: float
    python_to_keras: float
    python_to_tensorflow: float

    @property
    def description(self) -> str:
        """Describe the drawing in words."""
        rpy2, cell, python, back, keras, tensorflow = map(_cost, astuple(self))
        return (
            f"Inside one process the notebook kernel runs Python cells itself ({cell} "
            f"a call) and calls R by rpy2 ({rpy2}). R calls Python by reticulate "
            f"({python}); Python calls R's functions back ({back}). Python calls Keras "
            f"({keras} for an addition), which calls TensorFlow ({tensorflow} when "
            "asked directly)."
        )

    def svg(self) -> str:
        """Return the drawing as SVG; the same costs always make the same text."""
        import matplotlib as mpl

        text = io.StringIO()
        with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "sidebyside"}):
            self._figure().savefig(text, format="svg", metadata={"Date": None})
        drawing = text.getvalue()
        head, body = drawing[drawing.index("<svg") :].split(">", 1)
        words = html.escape(self.description)
        return (
            f'{head} role="img"><title>Who calls whom</title><desc>{words}</desc>{body}'
        )

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        png = io.BytesIO()
        self._figure().savefig(png, format="png", dpi=96)
        return {
            "image/svg+xml": self.svg(),
            "image/png": base64.b64encode(png.getvalue()).decode(),
            "text/plain": self.description,
        }

    def _figure(self) -> Any:
        from matplotlib.figure import Figure

        # A figure of pyplot would be shown a second time.
        figure = Figure(figsize=(7.5, 4.6), facecolor="white", layout="none")
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set(xlim=(0, 10), ylim=(-0.4, 6.0))
        axes.axis("off")
        _box(axes, 0.15, -0.2, 9.7, 5.95, 0.2, edgecolor="#999999", linestyle="--")
        axes.text(0.4, 5.5, "one process", color="#555555", va="top")
        for name, (x, y, colour) in _BOXES.items():
            corner = x - _WIDTH / 2, y - _HEIGHT / 2
            _box(axes, *corner, _WIDTH, _HEIGHT, 0.1, edgecolor=colour, linewidth=2)
            axes.text(x, y, name, ha="center", va="center", weight="bold")
        for cost, arrow in zip(astuple(self), _ARROWS, strict=True):
            start, end, colour, at, align, text = arrow
            style = {"arrowstyle": "-|>", "color": colour, "lw": 1.6}
            axes.annotate("", xytext=start, xy=end, arrowprops=style)
            axes.text(*at, text + _cost(cost), ha=align, va="center", fontsize=9)
        note = "A time is the median of one call,\nmeasured here."
        axes.text(0.5, 0.1, note, color="#555555", va="bottom", fontsize=9)
        return figure


def _box(axes, x, y, width, height, rounding, **style) -> None:
    shape = f"round,pad=0,rounding_size={rounding}"
    axes.add_patch(
        FancyBboxPatch((x, y), width, height, shape, facecolor="none", **style)
    )


def _cost(microseconds: float) -> str:
    """Write a cost with two digits: a median of few repeats is no more exact."""
    value, unit = microseconds, "µs"
    if microseconds >= 1000:
        value, unit = microseconds / 1000, "ms"
    return f"{value:.0f} {unit}" if value >= 10 else f"{value:.2g} {unit}"
