"""The timed cells of a notebook, as the two programs that they are.

Some pairs of a notebook carry a tag more: `timed-parameters`, `timed-import`,
`timed-data`, `timed-build` and `timed-fit`. One after the other, the cells of
one language are a complete program, and it is this program that the timing
experiment runs: what is read is what is timed. Nothing here loads Keras or R.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, replace
from pathlib import Path

from ..common.errors import Sentence

LANGUAGES = ("r", "python")
# In the order in which they come and run. The first holds the values that
# an experiment may choose (how many epochs, which seed).
STAGES = ("parameters", "import", "data", "build", "fit")
TAG = "timed-"

_MAGIC = re.compile(r"^\s*[%!]")
# An assignment at the top level, in either language.
_ASSIGNMENT = re.compile(r"^([A-Za-z.][\w.]*)\s*(?:<-|=(?!=))\s*(\S*)", re.M)


class NoProgram(Sentence, ValueError):
    """The timed cells of a notebook are no complete program."""


@dataclass(frozen=True)
class TimedProgram:
    """The timed cells of one language.

    Attributes
    ----------
    language
        "r" or "python".
    notebook
        Where the cells are from.
    stages
        Stage ("parameters", "import", "data", "build", "fit") to source, in
        this order, without the `%%R` line. A stage of several cells is their
        sources, joined by an empty line.
    """

    language: str
    notebook: Path
    stages: dict[str, str]

    def parameters(self) -> dict[str, str]:
        """What the parameters cell sets: names, and how the values are written."""
        return dict(_ASSIGNMENT.findall(self.stages["parameters"]))

    def with_parameters(self, **values: int) -> TimedProgram:
        """The same program with other values for its parameters.

        They are assigned after the cell's own values, which stay there.

        Raises
        ------
        NoProgram
            If the parameters cell does not assign a name, so that the value
            would have no effect.
        """
        own = self.stages["parameters"]
        known = self.parameters()
        if unknown := sorted(values.keys() - known.keys()):
            raise NoProgram(
                f"{self.notebook.name}: the {TAG}parameters cell of "
                f"{self.language} sets {', '.join(sorted(known)) or 'nothing'}"
                f", not {', '.join(unknown)}; set it there first"
            )
        form = "{} <- {}L" if self.language == "r" else "{} = {}"
        lines = [own, *(form.format(*pair) for pair in values.items())]
        return replace(self, stages={**self.stages, "parameters": "\n".join(lines)})

    def source(self) -> str:
        """The whole program, as one script."""
        return "\n\n".join(self.stages.values()) + "\n"

    def sha256(self) -> str:
        """What tells two programs apart: the hash of their source."""
        return hashlib.sha256(self.source().encode()).hexdigest()


def read_programs(notebook: str | Path) -> dict[str, TimedProgram]:
    """Both programs of a notebook: `{"r": ..., "python": ...}`.

    Raises
    ------
    NoProgram
        If the file is no notebook, or if a stage is missing in a language,
        comes before an earlier one, or holds a line that only Jupyter
        understands (`%`, `!`). The message names the stage and the language.
    """
    notebook = Path(notebook)
    try:
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    except FileNotFoundError:
        raise NoProgram(f"{notebook} is not there") from None
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise NoProgram(f"{notebook} is not a notebook ({problem})") from problem
    return programs_of(cells, notebook)


def programs_of(cells: list[dict], notebook: Path) -> dict[str, TimedProgram]:
    """The same from cells; messages call their notebook `notebook`."""
    return {name: _program(cells, name, notebook) for name in LANGUAGES}


def _program(cells: list[dict], language: str, notebook: Path) -> TimedProgram:
    where = f"{notebook.name}, {language}"
    stages: dict[str, str] = {}
    for cell in cells:
        tags = cell["metadata"].get("tags", [])
        timed = [tag.removeprefix(TAG) for tag in tags if tag.startswith(TAG)]
        if not timed or language not in tags:
            continue
        stage = timed[0]
        if len(timed) > 1 or stage not in STAGES:
            raise NoProgram(
                f"{where}: a cell is tagged {', '.join(tags)}; expected one "
                f"of {', '.join(TAG + stage for stage in STAGES)}"
            )
        last = next(reversed(stages), stage)
        if STAGES.index(stage) < STAGES.index(last):
            raise NoProgram(
                f"{where}: {TAG}{stage} comes after {TAG}{last}; the "
                f"order is {', '.join(STAGES)}"
            )
        source = _without_magic("".join(cell["source"]), language, where)
        stages[stage] = f"{stages[stage]}\n\n{source}" if stage in stages else source
    missing = [stage for stage in STAGES if stage not in stages]
    if missing:
        raise NoProgram(
            f"{where}: no cell is tagged "
            f"{' or '.join(TAG + stage for stage in missing)}"
        )
    return TimedProgram(language, notebook, stages)


def _without_magic(source: str, language: str, where: str) -> str:
    lines = source.strip().splitlines()
    if language == "r":
        if not lines or not lines[0].startswith("%%R"):
            raise NoProgram(f"{where}: a timed cell does not begin with %%R")
        lines = lines[1:]
    for line in lines:
        # A line of R may begin with %, as in a chain of %in%.
        if language == "python" and _MAGIC.match(line):
            raise NoProgram(
                f"{where}: {line.strip()!r} is for Jupyter only; a timed "
                "cell has to run in plain Python"
            )
    return "\n".join(lines).strip()
