"""Instruments of notebook 02: what crosses between R and Python, and how.

Two packages carry values across: reticulate, which R cells use, and rpy2,
which the kernel uses. The notebook sends values through both. This module
looks at memory addresses, makes tables of what arrived, times a call and
draws the map.
"""

from __future__ import annotations

import base64
import html
import io
import statistics
import timeit
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.patches import FancyBboxPatch

from ..common import colours

# What a value of R has lost on its trip, as R sees it.
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
    lost <- paste("its class: home comes", home)
  } else if (anyNA(unlist(before)) && !anyNA(unlist(after))) {
    lost <- sprintf("that it is missing: home comes %s", format(after))
  } else if (!isTRUE(all.equal(before, after, check.attributes = FALSE))) {
    lost <- "its value"
  }
  kept <- c("class", names(attributes(after)))
  gone <- setdiff(names(attributes(before)), kept)
  lost <- c(lost, if (length(gone)) paste("its", toString(gone)))
  if (length(lost)) paste(lost, collapse = "; ") else "nothing"
}
"""

_SHARED, _COPIED, _LENT = "shared", "copied", "a handle"


# --- where values lie


def address(value: Any) -> int:
    """Where the values of a Python object lie in memory.

    An array's first value; for everything else the object itself, `id()`.
    """
    if isinstance(value, np.ndarray):
        return value.ctypes.data
    return id(value)


def address_in_r(name: str) -> int:
    """Where the values of a variable of R's global environment lie.

    Raises KeyError if R has no variable of this name.
    """
    from rpy2.rinterface import globalenv

    return _address_of_r(globalenv[name])


def _address_of_r(value: Any) -> int:
    """Of a vector of numbers the first value's, else the object's."""
    if hasattr(value, "memoryview"):
        try:
            return np.asarray(value.memoryview()).ctypes.data
        except (TypeError, ValueError, AttributeError):
            pass  # a vector of texts: each text lies by itself
    from rpy2.rinterface_lib.openrlib import ffi

    return int(ffi.cast("uintptr_t", value.__sexp__._cdata))


def _addresses(value: Any) -> set[int]:
    """An object's, and those of what it is made of."""
    found = {address(value)}
    if isinstance(value, pd.DataFrame):
        for _, column in value.items():
            found.add(address(np.asarray(column)))
    elif isinstance(value, list | tuple):
        found.update(map(address, value))
    return found


def _addresses_in_r(value: Any) -> set[int]:
    found = {_address_of_r(value)}
    if type(value).__name__ == "ListSexpVector":
        found.update(map(_address_of_r, value))
    return found


def _memory(in_python: Any, in_r: Any) -> str:
    if callable(in_python):
        return _LENT
    shared = _addresses(in_python) & _addresses_in_r(in_r)
    return _SHARED if shared else _COPIED


# --- what a trip does to values


def trips_from_r(seen: Mapping[str, Any]) -> pd.DataFrame:
    """A table of values of R that went to Python and home by reticulate.

    `seen` is what arrived in Python, by name. R's lists `kinds` and `home` hold
    the values that left and those that came home, under the same names.
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
            "in Python": _short(_type_name(value)),
            "memory": "the same object" if handle else _memory(value, left),
            "lost on the way home": str(lost(left, home)[0]),
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def trips_by_rpy2(kinds: Mapping[str, Any], converter: Any) -> pd.DataFrame:
    """A table of Python values sent to R and home with an rpy2 converter.

    What the converter refuses is a row that says so.
    """
    rows = {}
    for name, value in kinds.items():
        row = {"in Python": _short(_type_name(value))}
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
    """R's object, once the value is an R variable, as `%%R -i` makes it."""
    from rpy2.rinterface import globalenv

    name = ".crossing"
    globalenv[name] = value
    found = globalenv[name]
    del globalenv[name]
    return found


def _r_class(value: Any) -> list[str]:
    from rpy2.rinterface import baseenv

    return [str(name) for name in baseenv["class"](value)]


def _type_name(value: Any) -> str:
    kind = type(value)
    return f"{kind.__module__}.{kind.__qualname__}"


def _short(name: str) -> str:
    return name.rsplit(".", 1)[-1]


def _lost_in_python(before: Any, after: Any) -> str:
    if before is after:
        return "nothing"
    if type(before) is not type(after):
        return f"its type: home comes {_short(_type_name(after))}"
    if isinstance(before, pd.DataFrame):
        return _lost_by_frame(before, after)
    if isinstance(before, np.ndarray):
        if before.dtype != after.dtype:
            return f"{before.dtype}: home comes {after.dtype}"
        missing = before.dtype.kind in "fc"  # NaN is not equal to itself
        same = np.array_equal(before, after, equal_nan=missing)
    elif isinstance(before, pd.Categorical):
        same = before.equals(after)
    else:
        same = before == after or (before != before and after != after)
    return "nothing" if same else "its value"


def _lost_by_frame(before: pd.DataFrame, after: pd.DataFrame) -> str:
    lost = []
    for name in before:
        if name not in after:
            lost.append(f"{name}: the whole column")
            continue
        left, home = before[name], after[name]
        if left.dtype != home.dtype:
            lost.append(f"{name}: home comes {home.dtype}")
        elif not left.array.equals(home.array):  # missing is missing
            lost.append(f"{name}: its values")
    if not before.index.equals(after.index):
        lost.append("its row names")
    return "; ".join(lost) or "nothing"


# --- what a call costs


def microseconds(call: Callable[[], Any], number: int = 300) -> float:
    """How long one call takes: the median of seven means of `number` calls.

    The first of eight repeats warms up and does not count.
    """
    seconds = timeit.repeat(call, number=number, repeat=8)[1:]
    return statistics.median(seconds) / number * 1e6


# --- the map


# Centres of the map's boxes (in units of the figure), and their colours.
_BOXES = {
    "Notebook kernel": (5.0, 5.2, "#555555"),
    "R": (1.6, 3.1, colours.R),
    "Python": (8.4, 3.1, colours.PYTHON),
    "Keras": (8.4, 1.75, colours.PYTHON),
    "TensorFlow": (8.4, 0.4, colours.PYTHON),
}
_WIDTH, _HEIGHT = 2.2, 0.62


@dataclass(frozen=True)
class Map:
    """Who calls whom in the notebook's process, and what a call costs.

    Costs are microseconds a call. Shown as SVG, with a title and a
    description for readers who cannot see it, and as PNG where SVG is not
    trusted.
    """

    kernel_to_r: float
    kernel_to_python: float
    r_to_python: float
    python_to_r: float
    python_to_keras: float
    python_to_tensorflow: float

    @property
    def description(self) -> str:
        """The drawing in words."""
        cost = _cost
        return (
            "Inside one process the notebook kernel runs Python cells "
            f"itself ({cost(self.kernel_to_python)} a call) and calls R by "
            f"rpy2 ({cost(self.kernel_to_r)}). R calls Python by reticulate "
            f"({cost(self.r_to_python)}); Python calls R's functions back "
            f"({cost(self.python_to_r)}). Python calls Keras "
            f"({cost(self.python_to_keras)} for an addition), which calls "
            f"TensorFlow ({cost(self.python_to_tensorflow)} when asked "
            "directly)."
        )

    def svg(self) -> str:
        """The drawing as SVG, the same text for the same costs."""
        import matplotlib as mpl

        text = io.StringIO()
        with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "sidebyside"}):
            self._figure().savefig(text, format="svg", metadata={"Date": None})
        drawing = text.getvalue()
        start = drawing.index("<svg")
        end = drawing.index(">", start)
        words = (
            f"<title>Who calls whom</title><desc>{html.escape(self.description)}</desc>"
        )
        return f'{drawing[start:end]} role="img">{words}{drawing[end + 1 :]}'

    def png(self) -> bytes:
        """The drawing as PNG."""
        data = io.BytesIO()
        self._figure().savefig(data, format="png", dpi=96)
        return data.getvalue()

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        return {
            "image/svg+xml": self.svg(),
            "image/png": base64.b64encode(self.png()).decode(),
            "text/plain": self.description,
        }

    def _figure(self) -> Any:
        from matplotlib.figure import Figure

        # Not pyplot's: it would be shown a second time.
        figure = Figure(figsize=(7.5, 4.6), facecolor="white", layout="none")
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set(xlim=(0, 10), ylim=(-0.4, 6.0))
        axes.axis("off")
        frame = FancyBboxPatch(
            (0.15, -0.2), 9.7, 5.95, boxstyle="round,pad=0,rounding_size=0.2",
            facecolor="none", edgecolor="#999999", linestyle="--",
        )  # fmt: skip
        axes.add_patch(frame)
        axes.text(0.4, 5.5, "one process", color="#555555", va="top")
        for name, (x, y, colour) in _BOXES.items():
            box = FancyBboxPatch(
                (x - _WIDTH / 2, y - _HEIGHT / 2), _WIDTH, _HEIGHT,
                boxstyle="round,pad=0,rounding_size=0.1",
                facecolor="white", edgecolor=colour, linewidth=2,
            )  # fmt: skip
            axes.add_patch(box)
            axes.text(x, y, name, ha="center", va="center", weight="bold")
        half = _WIDTH / 2
        self._arrow(
            axes, (4.4, 4.89), (2.1, 3.41), colours.R,
            f"%%R: rpy2\n{_cost(self.kernel_to_r)}", (2.75, 4.35), "right",
        )  # fmt: skip
        self._arrow(
            axes, (5.6, 4.89), (7.9, 3.41), colours.PYTHON,
            f"Python cell\n{_cost(self.kernel_to_python)}", (7.25, 4.35),
            "left",
        )  # fmt: skip
        self._arrow(
            axes, (1.6 + half, 3.22), (8.4 - half, 3.22), colours.R,
            f"reticulate: R calls Python, {_cost(self.r_to_python)}",
            (5.0, 3.42), "center",
        )  # fmt: skip
        self._arrow(
            axes, (8.4 - half, 2.98), (1.6 + half, 2.98), colours.PYTHON,
            f"reticulate: Python calls back, {_cost(self.python_to_r)}",
            (5.0, 2.75), "center",
        )  # fmt: skip
        self._arrow(
            axes, (8.4, 2.79), (8.4, 2.06), colours.PYTHON,
            f"keras.ops.add\n{_cost(self.python_to_keras)}", (8.2, 2.43),
            "right",
        )  # fmt: skip
        self._arrow(
            axes, (8.4, 1.44), (8.4, 0.71), colours.PYTHON,
            f"tf.add\n{_cost(self.python_to_tensorflow)}", (8.2, 1.08),
            "right",
        )  # fmt: skip
        axes.text(
            0.5, 0.1, "A time is the median of one call,\nmeasured here.",
            color="#555555", va="bottom", fontsize=9,
        )  # fmt: skip
        return figure

    @staticmethod
    def _arrow(axes, start, end, colour, text, at, align) -> None:
        axes.annotate(
            "", xytext=start, xy=end,
            arrowprops={"arrowstyle": "-|>", "color": colour, "lw": 1.6},
        )  # fmt: skip
        axes.text(*at, text, ha=align, va="center", fontsize=9)


def _cost(microseconds: float) -> str:
    """Two digits are all that a median of a few repeats is worth."""
    value, unit = microseconds, "µs"
    if microseconds >= 1000:
        value, unit = microseconds / 1000, "ms"
    return f"{value:.0f} {unit}" if value >= 10 else f"{value:.2g} {unit}"
