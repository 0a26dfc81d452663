"""The arms: the script of each one, the command that runs it, and its surroundings."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...common.errors import Sentence, printable
from ...data.fruits import PAINTED_ON_REQUEST
from ...kernel import rsession
from .. import gpu
from ..cells import TimedProgram
from ..machine import SPEED_SETTINGS
from .processes import Outcome, interpreter, run_process

HOOK = Path(__file__).with_name("hook")

# The language of each arm's program.
LANGUAGE = {"python": "python", "python-again": "python", "r": "r", "rpy2": "r"}
# These arms run the same script by the same command, so we check only one of them.
SAME_AS = {"python-again": "python"}

# The environment variables that a program gets from the reader. All others are left
# out, so that every arm has the same: a kernel with R in it sets many.
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
# Programs do not get the experiment's own settings.
OURS = "SIDEBYSIDE_TIMING_"

# Each language stamps a stage with the time of the system's clock.
_PYTHON = """\
import time as sidebyside_time
sidebyside_stamps = [sidebyside_time.time()]
{stages}
# If Keras did not train it, the program may have its own `history`.
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
    # The names that Python's json uses.
    written[is.nan(x)] <- "NaN"
    written[is.infinite(x)] <- ifelse(
      x[is.infinite(x)] > 0, "Infinity", "-Infinity"
    )
    paste0("[", paste(written, collapse = ", "), "]")
  }}
  # (R has a function of this name.)
  history <- get0("history", globalenv(), mode = "list", ifnotfound = list())
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

# For each language, the program around the stages, and the line after each stage.
_TIMED = {"python": (_PYTHON, _PYTHON_STAMP), "r": (_R, _R_STAMP)}

# R inside Python, as in a notebook, with as little else as possible.
_RPY2 = """\
import sys
from sidebyside.kernel.rsession import RSession
session = RSession()
# Do this before reticulate is loaded, as attach_companion() does. The program
# itself attaches the companion.
session.make_finalizer_safe()
session.evaluate("source")(sys.argv[1])
"""

# R code that writes facts about R, one per line.
_R_FACTS = """\
local({
  # keras3 loads Keras when it is first used, which may be after the data is loaded.
  if (isNamespaceLoaded("keras3")) reticulate::import("keras")
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
    """An arm cannot be run here. The message says what to do."""


def write_script(arm: str, program: TimedProgram, folder: Path) -> list[str]:
    """Write the timed program into a folder, and return the command that runs it."""
    template, stamp = _TIMED[program.language]
    parameters, *stages = program.stages.values()
    # The time of the parameters cell counts for the import.
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
            "There is no Rscript on PATH, but the arms r and rpy2 need it. `make "
            "setup` in the project's folder installs R. To measure without R: --arms "
            "python,python-again"
        )
    return found


def _path() -> str:
    own = str(Path(interpreter()).parent)
    return os.pathsep.join([own, os.environ.get("PATH", os.defpath)])


def environment(
    folder: Path, device: str, *, probe: bool, backend: str = ""
) -> dict[str, str]:
    """Return all environment variables of a run, the same for every arm.

    Parameters
    ----------
    folder
        The folder into which the run writes.
    device
        "cpu" hides every GPU; "gpu" leaves the first one.
    probe
        Whether to report the surroundings instead of times.
    backend
        Keras's backend. "": the reader's own, or else TensorFlow.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if (name in KEPT or name.startswith(KEPT_PREFIXES))
        and not name.startswith(OURS)
    }
    # Paths must be absolute, because a program runs in its notebook's folder.
    for name in FOLDERS & kept.keys():
        if kept[name] != PAINTED_ON_REQUEST:
            kept[name] = str(Path(kept[name]).expanduser().absolute())
    temporary = folder / "tmp"
    temporary.mkdir(exist_ok=True)
    backend = backend or os.environ.get("KERAS_BACKEND", "tensorflow")
    python_path = [str(HOOK), os.environ.get("PYTHONPATH", "")]
    r_libraries = [str(rsession.r_library() or ""), kept.get("R_LIBS", "")]
    libraries = os.pathsep.join(filter(None, r_libraries)).split(os.pathsep)
    kept |= {
        "PATH": _path(),
        "PYTHONPATH": os.pathsep.join(filter(None, python_path)),
        "PYTHONNOUSERSITE": "1",
        "TMPDIR": str(temporary),
        "KERAS_BACKEND": backend,
        "TF_CPP_MIN_LOG_LEVEL": kept.get("TF_CPP_MIN_LOG_LEVEL", "3"),
        # Read no profiles: Rscript --vanilla reads none, but R inside Python would.
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
    return kept | _for_device(device, backend, kept)


def _for_device(device: str, backend: str, kept: dict[str, str]) -> dict[str, str]:
    """Return the variables that choose the device, before the program starts."""
    if device == "cpu":
        found = {"CUDA_VISIBLE_DEVICES": "-1", "HIP_VISIBLE_DEVICES": "-1"}
        return found | ({"JAX_PLATFORMS": "cpu"} if backend == "jax" else {})
    # The numbers of the cards are those of nvidia-smi, which names the card of a run.
    found = {"CUDA_VISIBLE_DEVICES": gpu.visible(), "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
    # A GPU may add numbers in a different order each time, and the losses of the arms
    # would then differ.
    found["TF_DETERMINISTIC_OPS"] = "1"
    if backend == "jax":
        # The CPU stays there for what Keras does on it, as without this variable.
        found["JAX_PLATFORMS"] = "cuda,cpu"
        flags = kept.get("XLA_FLAGS", ""), "--xla_gpu_deterministic_ops=true"
        found["XLA_FLAGS"] = " ".join(filter(None, flags))
    return found


@dataclass(frozen=True)
class Surroundings:
    """What an arm reports about its surroundings.

    `keras` has facts about the Python that loaded Keras; it is empty if none did.
    `r` has facts about R; it is empty in the Python arms. `said` is the program's
    output.
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
    backend: str,
    directory: Path,
    timeout: float,
) -> Surroundings:
    """Run an arm, untimed, until its data is loaded, and return its surroundings.

    Afterwards, data that is made first (painted fruits) exists.

    Raises
    ------
    CannotRun
        If the program fails; the message has the end of its own error message. Or if
        the device is a GPU, and the backend finds none.
    """
    folder.mkdir(parents=True)
    parts = [program.stages[stage] for stage in ("parameters", "import", "data")]
    if program.language == "r":
        parts.append(_R_FACTS)
    outcome = run_process(
        _write(arm, "\n".join(parts) + "\n", folder),
        environment=environment(folder, device, probe=True, backend=backend),
        folder=folder,
        directory=directory,
        timeout=timeout,
    )
    keras = folder / "facts.json"
    found = json.loads(keras.read_text()) if keras.exists() else {}
    failed = outcome.reason or outcome.exit_code != 0
    # Without a GPU, JAX may fail as soon as the program uses it.
    if device == "gpu" and not found.get("gpus") and (found or not failed):
        raise CannotRun(gpu.why_unused(backend, found))
    if failed:
        raise CannotRun(
            f"{program.notebook.name}: the {arm} arm failed before its data was loaded "
            f"({how_it_ended(outcome)}): "
            f"{_why(last_words(folder))}"
        )
    r = folder / "r-facts.tsv"
    lines = r.read_text(encoding="utf-8").splitlines() if r.exists() else []
    said = (folder / "stdout").read_text("utf-8", "replace").strip()
    facts = dict(line.split("\t", 1) for line in lines)
    return Surroundings(found, facts, said)


def _why(words: str) -> str:
    """Return why a program failed, from the end of its error message."""
    # With another backend, TensorFlow need not be installed until a program reads a
    # `tf.data` data set.
    if "tensorflow" in words.lower() and importlib.util.find_spec("tensorflow") is None:
        return (
            "it needs TensorFlow, whatever Keras's backend is, and TensorFlow is not "
            "installed. Instead, measure networks that do not need it: `--networks "
            "all` says which."
        )
    return words or "it printed nothing"


def differences(found: dict[str, Surroundings]) -> list[str]:
    """Return the differences between the arms' surroundings, in a sentence each."""
    first, *others = found
    problems = []
    for arm in others:
        a, b = found[first].keras, found[arm].keras
        # Inside R the same file has another name.
        b = {**b, "executable": a.get("executable")}
        problems += differing(a, b, f"in {first}", f"in {arm}")
    return problems


def differing(a: dict, b: dict, here: str, there: str) -> list[str]:
    """Return the facts that differ between `a` and `b`, in a sentence each."""
    return [
        f"{key}: {a.get(key, 'none')} {here}, {b.get(key, 'none')} {there}"
        for key in sorted(a.keys() | b.keys())
        if a.get(key) != b.get(key)
    ]


def last_words(folder: Path, most: int = 300) -> str:
    """Return the end of a program's standard error, on one line."""
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
    """Say in a few words how a process ended."""
    if outcome.reason == "timeout":
        return f"stopped after {outcome.seconds:.1f} s"
    code = outcome.exit_code
    if code is not None and code < 0:
        return f"ended by signal {-code} after {outcome.seconds:.1f} s"
    return f"exit code {code} after {outcome.seconds:.1f} s"
