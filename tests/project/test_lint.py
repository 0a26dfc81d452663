"""The style of all code: ruff for Python, lintr for R, in files and in cells."""

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook
from sidebyside.kernel import rsession

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))

# The package by its own settings (r/.lintr), without the generated parts of a
# check; then the cells, each a file, as narrow as half a screen. Cells use
# each other's variables, so whether a name is known cannot be asked.
LINT = """
arguments <- commandArgs(TRUE)
library(lintr)
found <- if (arguments[1] == "package") {
  Filter(
    function(x) {
      # testthat brings its functions along, which lintr does not know.
      !(x$linter == "object_usage_linter" && startsWith(x$filename, "tests/"))
    },
    lint_package(arguments[2])
  )
} else {
  # Named one by one: each release of lintr has other defaults.
  lint_dir(arguments[2], linters = list(
    assignment_linter(),
    commas_linter(),
    commented_code_linter(),
    equals_na_linter(),
    function_left_parentheses_linter(),
    infix_spaces_linter(),
    line_length_linter(60),
    object_length_linter(),
    object_name_linter(c("snake_case", "symbols", "CamelCase")),
    paren_body_linter(),
    semicolon_linter(),
    seq_linter(),
    spaces_inside_linter(),
    spaces_left_parentheses_linter(),
    T_and_F_symbol_linter(),
    trailing_blank_lines_linter(),
    trailing_whitespace_linter(),
    vector_logic_linter()
  ))
}
for (x in found) {
  cat(sprintf("%s:%d: %s [%s]\\n", x$filename, x$line_number, x$message, x$linter))
}
"""


def ruff(*arguments):
    """Return ruff's exit status and output."""
    done = subprocess.run(
        [sys.executable, "-m", "ruff", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def lintr(kind, folder):
    """Return lintr's findings about a package or a folder of R files."""
    # The installed companion tells it which functions exist.
    libraries = [str(rsession.r_library() or ""), os.environ.get("R_LIBS", "")]
    done = subprocess.run(
        ["Rscript", "--no-init-file", "-e", LINT, kind, str(folder)],
        env={**os.environ, "R_LIBS": os.pathsep.join(libraries)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def write_r_cells(notebooks, folder):
    """Write each R cell to a file, with the same line numbers as in the cell."""
    written = 0
    for path in notebooks:
        cells = nbformat.read(path, as_version=4).cells
        for number, cell in enumerate(cells):
            if cell.cell_type == "code" and cell.source.startswith("%%R"):
                code = "#" + cell.source.removeprefix("%%R") + "\n"
                name = f"{path.stem}-cell-{number:03d}.R"
                (folder / name).write_text(code, encoding="utf-8")
                written += 1
    return written


def nothing(found):
    """Show all findings, because pytest would shorten the list."""
    assert not found, "\n" + "\n".join(found)


# --- Python


FOLDERS = ["python", "tools", "tests", "book"]


@pytest.mark.parametrize("folder", [*FOLDERS, "notebooks"])
def test_ruff_finds_nothing(folder):
    code, found = ruff("check", "--output-format=concise", folder)
    assert code == 0, found


def test_ruff_would_format_nothing_differently():
    """Cells are formatted by hand for half a screen; ruff formats all other code."""
    code, found = ruff("format", "--check", *FOLDERS)
    assert code == 0, found


def test_ruff_reads_pythons_cells_and_passes_rs_over(tmp_path):
    """Otherwise the test above would say nothing about the notebooks."""
    cells = [new_code_cell("%%R\nx <- undefined |> f()"), new_code_cell("import os")]
    path = tmp_path / "a.ipynb"
    nbformat.write(new_notebook(cells=cells), path)
    config = f"--config={ROOT / 'ruff.toml'}"
    code, found = ruff("check", "--output-format=concise", config, str(path))
    assert code == 1
    assert found.count("a.ipynb:") == found.count("F401") == 1


# --- R


def test_lintr_finds_nothing_in_the_package():
    nothing(lintr("package", ROOT / "r"))


def test_lintr_finds_nothing_in_the_cells(tmp_path):
    assert write_r_cells(NOTEBOOKS, tmp_path) > 0
    nothing(lintr("cells", tmp_path))


def test_lintr_reads_cells_with_their_own_width(tmp_path):
    """A cell with three mistakes, on the lines where it has them."""
    cell = f'%%R -w 5\nx = 1\ny <- c(x,2)\nz <- "{"z" * 60}"'
    path = tmp_path / "a.ipynb"
    nbformat.write(new_notebook(cells=[new_code_cell(cell)]), path)
    folder = tmp_path / "cells"
    folder.mkdir()
    assert write_r_cells([path], folder) == 1
    found = [line.split(":")[1] for line in lintr("cells", folder)]
    assert found == ["2", "3", "4"]
