"""The timed cells of a notebook are two programs.

The last test runs the two programs of notebook 03, one with `python` and one with
`Rscript`, and compares their results.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from nbformat.v4 import new_code_cell, new_notebook, writes
from sidebyside.timing.cells import STAGES, NoProgram, read_programs

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOK = ROOT / "notebooks" / "03_fruits_cnn.ipynb"


def cell(source, *tags):
    return new_code_cell(source, metadata={"tags": list(tags)})


def pair(stage, r, python):
    return [
        cell("%%R\n" + r, "pair", "r", f"timed-{stage}"),
        cell(python, "pair", "python", f"timed-{stage}"),
    ]


GOOD = {
    "parameters": ("epochs <- 10L\nseed <- 42L", "epochs = 10\nseed = 42"),
    "import": ("library(stats)", "import math"),
    "data": ("x <- 1", "x = 1"),
    "build": ("y <- x", "y = x"),
    "fit": ("z <- y + epochs", "z = y + epochs"),
}


def cells_of(stages):
    return [one for name, halves in stages.items() for one in pair(name, *halves)]


@pytest.fixture
def write(tmp_path):
    def write(cells):
        path = tmp_path / "some.ipynb"
        path.write_text(writes(new_notebook(cells=cells)))
        return path

    return write


def test_both_programs_are_read_in_order(write):
    programs = read_programs(write(cells_of(GOOD)))
    assert list(programs) == ["r", "python"]
    assert tuple(programs["r"].stages) == STAGES
    assert programs["r"].source().startswith("epochs <- 10L\nseed <- 42L\n\nlibr")
    assert programs["python"].source().endswith("z = y + epochs\n")
    assert "%%R" not in programs["r"].source()


def test_only_tagged_cells_are_part_of_it_and_a_stage_may_have_several(write):
    cells = cells_of(GOOD)
    cells[8:8] = pair("build", "more <- 1", "more = 1")
    cells = [cell("print(1)"), *cells, cell("%matplotlib inline")]
    program = read_programs(write(cells))["python"]
    assert program.stages["build"] == "y = x\n\nmore = 1"
    assert "print" not in program.source()


def test_parameters_are_set_after_the_notebook_s_own(write):
    programs = read_programs(write(cells_of(GOOD)))
    r = programs["r"].with_parameters(epochs=1, seed=7)
    python = programs["python"].with_parameters(epochs=1, seed=7)
    own = GOOD["parameters"]
    assert r.stages["parameters"] == f"{own[0]}\nepochs <- 1L\nseed <- 7L"
    assert python.stages["parameters"] == f"{own[1]}\nepochs = 1\nseed = 7"
    assert programs["r"].stages["parameters"] == GOOD["parameters"][0]
    assert r.stages["fit"] == GOOD["fit"][0]


def test_a_parameter_that_the_cell_does_not_set_is_refused(write):
    for program in read_programs(write(cells_of(GOOD))).values():
        with pytest.raises(
            NoProgram, match=r"does not set rounds; it sets epochs, seed"
        ):
            program.with_parameters(rounds=1)


def test_another_program_has_another_hash(write):
    one = read_programs(write(cells_of(GOOD)))["r"]
    other = read_programs(write(cells_of({**GOOD, "data": ("x <- 2", "x = 1")})))
    assert one.sha256() != other["r"].sha256()
    assert len(one.sha256()) == 64


BAD = [
    (lambda c: c[:8], "some.ipynb, r: no cell is tagged timed-fit"),
    (lambda c: [*c[2:], *c[:2]], "timed-parameters comes after timed-fit"),
    (lambda c: [*c, *pair("train", "1", "1")], "timed-train; expected one of"),
    (lambda c: [*c, cell("1", "python", "timed-fit", "timed-data")], "expected one of"),
    (
        lambda c: [*c, *pair("fit", "1", "%time 1")],
        "only Jupyter understands '%time 1'",
    ),
    (lambda c: [*c, *pair("fit", "1", "!ls")], "only Jupyter understands '!ls'"),
    (lambda c: [*c, cell("1", "r", "timed-fit")], "does not begin with %%R"),
]


@pytest.mark.parametrize(("change", "said"), BAD)
def test_incomplete_programs_raise_a_clear_error(write, change, said):
    with pytest.raises(NoProgram) as raised:
        read_programs(write(change(cells_of(GOOD))))
    assert said in str(raised.value)


def test_files_that_are_not_notebooks_raise_a_clear_error(tmp_path):
    with pytest.raises(NoProgram, match="does not exist"):
        read_programs(tmp_path / "gone.ipynb")
    (tmp_path / "text.ipynb").write_text("text")
    with pytest.raises(NoProgram, match="is not a notebook"):
        read_programs(tmp_path / "text.ipynb")
    with pytest.raises(NoProgram, match="is not a notebook"):
        read_programs(tmp_path)


# --- the programs of notebook 03

# Both languages print all digits of each metric in the same form.
PYTHON_SAYS = """
import json
print(json.dumps(history.history))
"""
R_SAYS = r"""
digits <- lapply(history$metrics, sprintf, fmt = "%.17g")
fields <- vapply(digits, paste, "", collapse = ", ")
cat("{", paste0('"', names(fields), '": [', fields, "]", collapse = ", "), "}\n")
"""


def run(program, says, script, *command, **environment):
    """Run a program, and return its history and its line about the directory."""
    script.write_text(program.with_parameters(epochs=5).source() + says)
    done = subprocess.run(
        [*command, str(script)],
        cwd=script.parent,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    said = done.stdout.splitlines()
    return json.loads(said[-1]), said[0]


def test_photographs_are_learned_equally_well_in_both(tmp_path, photographs):
    """Half of the notebook's epochs are enough for an accuracy of 0.97.

    (test_timing_keras runs the programs on made-up pictures, in all arms.)
    """
    environment = {
        "FRUITS360_DIR": photographs,
        "FRUITS360_CLASSES": "all",
        "SIDEBYSIDE_DATA": str(tmp_path / "data"),
    }
    programs = read_programs(NOTEBOOK)
    r = run(
        *(programs["r"], R_SAYS, tmp_path / "program.R"),
        *("Rscript", "--vanilla"),
        **environment,
    )
    python = run(
        *(programs["python"], PYTHON_SAYS, tmp_path / "program.py"),
        sys.executable,
        **environment,
    )
    assert r == python
    history, said = r
    assert "painted" not in said
    assert sorted(history) == ["accuracy", "loss", "val_accuracy", "val_loss"]
    assert history["val_accuracy"][-1] >= 0.97
