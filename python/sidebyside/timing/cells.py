"""Read the timed cells of a notebook as two programs, one for each language.

Some pairs of a notebook have one more tag: `timed-parameters`, `timed-import`,
`timed-data`, `timed-build` or `timed-fit`. Joined in this order, the cells of one
language are a complete program. The timing experiment runs this program, so it
times exactly the code in the notebook. Nothing here loads Keras or R.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, replace
from pathlib import Path

from ..common.errors import Sentence

LANGUAGES = ("r", "python")
# The stages, in the order in which they run. The first one sets the values that an
# experiment may choose (the number of epochs, the seed).
STAGES = ("parameters", "import", "data", "build", "fit")
TAG = "timed-"

_MAGIC = re.compile(r"^\s*[%!]")
# An assignment at the top level, in either language.
_ASSIGNMENT = re.compile(r"^([A-Za-z.][\w.]*)\s*(?:<-|=(?!=))\s*(\S*)", re.M)


class NoProgram(Sentence, ValueError):
    """The timed cells of a notebook are not a complete program."""


@dataclass(frozen=True)
class TimedProgram:
    """The timed cells of one language.

    Attributes
    ----------
    language
        "r" or "python".
    notebook
        The file with the cells.
    stages
        The source of each stage ("parameters", "import", "data", "build", "fit"),
        in this order, without the `%%R` line. If a stage has several cells, their
        sources are joined by an empty line.
    """

    language: str
    notebook: Path
    stages: dict[str, str]

    def parameters(self) -> dict[str, str]:
        """Return the names that the parameters cell sets, and their values as code."""
        return dict(_ASSIGNMENT.findall(self.stages["parameters"]))

    def with_parameters(self, **values: int) -> TimedProgram:
        """Return the same program with other values for its parameters.

        The new values are assigned after those in the cell, which stay there.

        Raises
        ------
        NoProgram
            If the parameters cell does not assign a name: the value would then
            have no effect.
        """
        own = self.stages["parameters"]
        known = self.parameters()
        if unknown := sorted(values.keys() - known.keys()):
            raise NoProgram(
                f"{self.notebook.name}: the {TAG}parameters cell of "
                f"{self.language} does not set {', '.join(unknown)}; it sets "
                f"{', '.join(sorted(known)) or 'nothing'}. Set it there first."
            )
        form = "{} <- {}L" if self.language == "r" else "{} = {}"
        lines = [own, *(form.format(*pair) for pair in values.items())]
        return replace(self, stages={**self.stages, "parameters": "\n".join(lines)})

    def source(self) -> str:
        """Return the whole program as one script."""
        return "\n\n".join(self.stages.values()) + "\n"

    def sha256(self) -> str:
        """Return the hash of the source, which tells two programs apart."""
        return hashlib.sha256(self.source().encode()).hexdigest()


def read_programs(notebook: str | Path) -> dict[str, TimedProgram]:
    """Return both programs of a notebook: `{"r": ..., "python": ...}`.

    Raises
    ------
    NoProgram
        If the file is not a notebook, or if a stage is missing in a language, is
        in the wrong order, or has a line that only Jupyter understands (`%`,
        `!`). The message names the stage and the language.
    """
    notebook = Path(notebook)
    try:
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    except FileNotFoundError:
        raise NoProgram(f"{notebook} does not exist.") from None
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise NoProgram(f"{notebook} is not a notebook ({problem}).") from problem
    return programs_of(cells, notebook)


def programs_of(cells: list[dict], notebook: Path) -> dict[str, TimedProgram]:
    """Return both programs of these cells; messages name `notebook`."""
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
                f"of {', '.join(TAG + stage for stage in STAGES)}."
            )
        last = next(reversed(stages), stage)
        if STAGES.index(stage) < STAGES.index(last):
            raise NoProgram(
                f"{where}: {TAG}{stage} comes after {TAG}{last}; expected the "
                f"order {', '.join(STAGES)}."
            )
        source = _without_magic("".join(cell["source"]), language, where)
        stages[stage] = f"{stages[stage]}\n\n{source}" if stage in stages else source
    missing = [stage for stage in STAGES if stage not in stages]
    if missing:
        raise NoProgram(
            f"{where}: no cell is tagged "
            f"{' or '.join(TAG + stage for stage in missing)}."
        )
    return TimedProgram(language, notebook, stages)


def _without_magic(source: str, language: str, where: str) -> str:
    lines = source.strip().splitlines()
    if language == "r":
        if not lines or not lines[0].startswith("%%R"):
            raise NoProgram(f"{where}: a timed cell does not begin with %%R.")
        lines = lines[1:]
    for line in lines:
        # A line of R may begin with %, as in a chain of %in%.
        if language == "python" and _MAGIC.match(line):
            raise NoProgram(
                f"{where}: only Jupyter understands {line.strip()!r}; expected lines "
                "of plain Python in a timed cell."
            )
    return "\n".join(lines).strip()
