"""The arms: which script each of them runs, by whom, and what surrounds it."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...common.errors import Sentence, printable
from ...data.fruits import PAINTED_ON_REQUEST
from ...kernel import rsession
from ..cells import TimedProgram
from ..machine import SPEED_SETTINGS
from .processes import Outcome, interpreter, run_process

HOOK = Path(__file__).with_name("hook")

# Arm to the language of its program.
LANGUAGE = {"python": "python", "python-again": "python", "r": "r", "rpy2": "r"}
# The same script is run by the same command; one of them is asked for both.
SAME_AS = {"python-again": "python"}

# What a program may know of the reader's settings. All else is left out, so
# that every arm has the same: a kernel with R in it has set much.
KEPT = frozenset(
    [
        *("HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "TZ"),
        *("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONHASHSEED"),
        *("VIRTUAL_ENV", "CONDA_PREFIX", "CONDA_DEFAULT_ENV", "R_LIBS"),
        *("R_LIBS_USER", "R_LIBS_SITE", "R_MAX_VSIZE", "XDG_CACHE_HOME"),
        "KERAS_HOME",
    ]
)
KEPT_PREFIXES = (
    *SPEED_SETTINGS,
    *("LC_", "CUDA_", "NVIDIA_", "ROCR_", "HIP_", "SIDEBYSIDE_"),
    "FRUITS360_",
)
FOLDERS = {"FRUITS360_DIR", "SIDEBYSIDE_DATA", "KERAS_HOME"}
# The experiment's own settings are no program's business.
OURS = "SIDEBYSIDE_TIMING_"

# What a stage is stamped with, in each language: the system's clock.
_PYTHON = """\
import time as sidebyside_time
sidebyside_stamps = [sidebyside_time.time()]
{stages}
# What Keras did not train, the program may say itself.
import json as sidebyside_json, os as sidebyside_os
sidebyside_said = globals().get("history", {{}})
sidebyside_said = getattr(sidebyside_said, "history", sidebyside_said)
if not isinstance(sidebyside_said, dict):
    sidebyside_said = {{}}
with open(
    sidebyside_os.environ["SIDEBYSIDE_TIMING_FOLDER"] + "/stages.json", "w"
) as sidebyside_file:
    sidebyside_json.dump(
        {{"stamps": sidebyside_stamps, "history": sidebyside_said}},
        sidebyside_file,
        default=float,
    )
"""
_PYTHON_STAMP = "sidebyside_stamps.append(sidebyside_time.time())"

_R = """\
sidebyside_stamps <- as.numeric(Sys.time())
{stages}
local({{
  number <- function(x) {{
    written <- sprintf("%.17g", as.numeric(x))
    # As Python's json has them.
    written[is.nan(x)] <- "NaN"
    written[is.infinite(x)] <- ifelse(
      x[is.infinite(x)] > 0, "Infinity", "-Infinity"
    )
    paste0("[", paste(written, collapse = ", "), "]")
  }}
  history <- get0("history", globalenv(), ifnotfound = list())
  metrics <- if (is.list(history$metrics)) history$metrics else list()
  metrics <- lapply(metrics, unlist)
  fields <- sprintf('"%s": %s', names(metrics), vapply(metrics, number, ""))
  writeLines(
    sprintf(
      '{{"stamps": %s, "history": {{%s}}}}',
      number(sidebyside_stamps), paste(fields, collapse = ", ")
    ),
    file.path(Sys.getenv("SIDEBYSIDE_TIMING_FOLDER"), "stages.json")
  )
}})
"""
_R_STAMP = (
    "sidebyside_stamps[[length(sidebyside_stamps) + 1L]] <- as.numeric(Sys.time())"
)

# For each language, the program around the stages, and what follows each of them.
_TIMED = {"python": (_PYTHON, _PYTHON_STAMP), "r": (_R, _R_STAMP)}

# R beside Python, as a notebook has it, with as little else as can be.
_RPY2 = """\
import sys
from sidebyside.kernel.rsession import RSession
session = RSession()
# Before reticulate is loaded, as attach_companion() does it; the program
# attaches the companion itself.
session.make_finalizer_safe()
session.evaluate("source")(sys.argv[1])
"""

# The facts of the R side, a line each.
_R_FACTS = """\
local({
  known <- function(x) tryCatch(as.character(x), error = function(e) "")
  packages <- c("reticulate", "keras3", "sidebyside")
  versions <- vapply(packages, \\(x) known(utils::packageVersion(x)), "")
  facts <- c(
    r = as.character(getRversion()),
    versions,
    dialect = known(sidebyside::dialect()),
    blas = extSoftVersion()[["BLAS"]],
    lapack = La_library()
  )
  writeLines(
    paste(names(facts), facts, sep = "\\t"),
    file.path(Sys.getenv("SIDEBYSIDE_TIMING_FOLDER"), "r-facts.tsv")
  )
})
"""


class CannotRun(Sentence, RuntimeError):
    """An arm cannot be run here; the message says what to do."""


def write_script(arm: str, program: TimedProgram, folder: Path) -> list[str]:
    """Write the program that is timed into a folder; the command that runs it."""
    template, stamp = _TIMED[program.language]
    parameters, *stages = program.stages.values()
    # What the parameters take is part of the import's time.
    parts = [parameters, *(f"{stage}\n{stamp}" for stage in stages)]
    return _write(arm, template.format(stages="\n".join(parts)), folder)


def _write(arm: str, text: str, folder: Path) -> list[str]:
    script = folder / ("program.R" if LANGUAGE[arm] == "r" else "program.py")
    script.write_text(text, encoding="utf-8")
    if arm == "r":
        return [_rscript(), "--vanilla", str(script)]
    if arm == "rpy2":
        start = folder / "start_r.py"
        start.write_text(_RPY2, encoding="utf-8")
        return [interpreter(), str(start), str(script)]
    return [interpreter(), str(script)]


def _rscript() -> str:
    found = shutil.which("Rscript", path=_path())
    if found is None and (home := os.environ.get("R_HOME")):
        found = shutil.which("Rscript", path=f"{home}/bin")
    if found is None:
        raise CannotRun(
            "there is no Rscript on PATH, which the r and rpy2 arms need. "
            "`make setup` in the project's folder installs R; --arms "
            "python,python-again does without"
        )
    return found


def _path() -> str:
    own = str(Path(interpreter()).parent)
    return os.pathsep.join([own, os.environ.get("PATH", os.defpath)])


def environment(folder: Path, device: str, *, probe: bool) -> dict[str, str]:
    """All variables of a run, the same ones for every arm.

    Parameters
    ----------
    folder
        Where the run writes what it has found.
    device
        "cpu" hides every GPU.
    probe
        Report the surroundings and not the time.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if (name in KEPT or name.startswith(KEPT_PREFIXES))
        and not name.startswith(OURS)
    }
    # A program runs in its notebook's folder, whatever the reader's is.
    for name in FOLDERS & kept.keys():
        if kept[name] != PAINTED_ON_REQUEST:
            kept[name] = str(Path(kept[name]).expanduser().absolute())
    temporary = folder / "tmp"
    temporary.mkdir(exist_ok=True)
    python_path = [str(HOOK), os.environ.get("PYTHONPATH", "")]
    r_libraries = [str(rsession.r_library() or ""), kept.get("R_LIBS", "")]
    libraries = os.pathsep.join(filter(None, r_libraries)).split(os.pathsep)
    kept |= {
        "PATH": _path(),
        "PYTHONPATH": os.pathsep.join(filter(None, python_path)),
        "PYTHONNOUSERSITE": "1",
        "TMPDIR": str(temporary),
        "KERAS_BACKEND": os.environ.get("KERAS_BACKEND", "tensorflow"),
        "TF_CPP_MIN_LOG_LEVEL": kept.get("TF_CPP_MIN_LOG_LEVEL", "3"),
        # No profile of anybody: Rscript --vanilla reads none, R inside
        # Python would.
        **dict.fromkeys(
            ("R_PROFILE", "R_PROFILE_USER", "R_ENVIRON", "R_ENVIRON_USER"),
            os.devnull,
        ),
        "R_LIBS": os.pathsep.join(dict.fromkeys(libraries)),
        "RETICULATE_PYTHON": interpreter(),
        "RETICULATE_CHECK_REQUIRED_PACKAGES": "0",
        f"{OURS}FOLDER": str(folder),
    }
    if probe:
        kept[f"{OURS}PROBE"] = "1"
    if device == "cpu":
        kept["CUDA_VISIBLE_DEVICES"] = "-1"
        kept["HIP_VISIBLE_DEVICES"] = "-1"
    else:
        # Some of a GPU's sums come out in an order of their own each time,
        # and the arms' losses could not be compared.
        kept["TF_DETERMINISTIC_OPS"] = "1"
    return kept


@dataclass(frozen=True)
class Surroundings:
    """What an arm says of where it runs.

    `keras` holds the facts of the Python that loaded Keras and is empty if none
    did, `r` those of R and is empty in the Python arms, and `said` is what the
    program printed.
    """

    keras: dict[str, Any]
    r: dict[str, str]
    said: str


def ask(
    arm: str,
    program: TimedProgram,
    folder: Path,
    *,
    device: str,
    directory: Path,
    timeout: float,
) -> Surroundings:
    """Run an arm as far as its data, untimed, and ask what surrounds it.

    Data that has to be made first (painted fruits) is there afterwards.

    Raises
    ------
    CannotRun
        With the end of the program's own error message.
    """
    folder.mkdir(parents=True)
    parts = [program.stages[stage] for stage in ("parameters", "import", "data")]
    if program.language == "r":
        parts.append(_R_FACTS)
    outcome = run_process(
        _write(arm, "\n".join(parts) + "\n", folder),
        environment=environment(folder, device, probe=True),
        folder=folder,
        directory=directory,
        timeout=timeout,
    )
    if outcome.reason or outcome.exit_code != 0:
        raise CannotRun(
            f"the {arm} arm does not even come to its data "
            f"({how_it_ended(outcome)}): "
            f"{last_words(folder) or 'it said nothing'}"
        )
    r = folder / "r-facts.tsv"
    lines = r.read_text(encoding="utf-8").splitlines() if r.exists() else []
    keras = folder / "facts.json"
    found = json.loads(keras.read_text()) if keras.exists() else {}
    said = (folder / "stdout").read_text("utf-8", "replace").strip()
    facts = dict(line.split("\t", 1) for line in lines)
    return Surroundings(found, facts, said)


def differences(found: dict[str, Surroundings]) -> list[str]:
    """Where arms are not in the same surroundings; a sentence each."""
    first, *others = found
    problems = []
    for arm in others:
        a, b = found[first].keras, found[arm].keras
        # Inside R it is another name of the same file.
        b = {**b, "executable": a.get("executable")}
        problems += differing(a, b, f"in {first}", f"in {arm}")
    return problems


def differing(a: dict, b: dict, here: str, there: str) -> list[str]:
    """Facts that are not the same here and there; a sentence each."""
    return [
        f"{key}: {a.get(key, 'none')} {here}, {b.get(key, 'none')} {there}"
        for key in sorted(a.keys() | b.keys())
        if a.get(key) != b.get(key)
    ]


def last_words(folder: Path, most: int = 300) -> str:
    """The end of what a program wrote to standard error, on one line."""
    try:
        with (folder / "stderr").open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - 4096))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    line = " | ".join(x.strip() for x in text.splitlines() if x.strip())
    line = printable(line, len(line))
    return line if len(line) <= most else "..." + line[-most:]


def how_it_ended(outcome: Outcome) -> str:
    """In a few words."""
    if outcome.reason == "timeout":
        return f"stopped after {outcome.seconds:.1f} s"
    code = outcome.exit_code
    if code is not None and code < 0:
        return f"ended by signal {-code} after {outcome.seconds:.1f} s"
    return f"exit code {code} after {outcome.seconds:.1f} s"
