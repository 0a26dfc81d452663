"""A cell shows what R's own console shows: each of some hundred expressions."""

import re
import subprocess
from pathlib import Path

import pytest

# Separated by empty lines. They share their variables.
EXPRESSIONS = Path(__file__).with_name("console.R").read_text("utf-8").split("\n\n")

ADDRESS = re.compile("0x[0-9a-f]+")


@pytest.fixture(scope="module")
def console(tmp_path_factory):
    """What R prints for each, in one process that goes on after errors."""
    folder = tmp_path_factory.mktemp("console")
    lines = ["options(width = 72, keep.source = TRUE, error = expression(NULL))"]
    for number, code in enumerate(EXPRESSIONS):
        lines += [f'cat("\\n=== {number} ===\\n")', code]
    script = folder / "console.R"
    script.write_text("\n".join(lines) + "\n", "utf-8")
    ended = subprocess.run(
        ["Rscript", "--vanilla", str(script)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
    )
    # Only a script that goes on after an error lists the calls.
    text = re.sub(r"^Calls: .*\n", "", ended.stdout, flags=re.MULTILINE)
    return [clean(shown) for shown in re.split(r"=== \d+ ===\n", text)[1:]]


def clean(text):
    """A text without what differs from run to run, and line numbers of cells."""
    text = ADDRESS.sub("0x", text).strip()
    text = re.sub(r"^Error in line \d+:", "Error:", text, flags=re.MULTILINE)
    return re.sub(r"^Error in line \d+, ", "Error in ", text, flags=re.MULTILINE)


def test_a_cell_shows_what_rs_console_shows(kernel, console):
    assert len(console) == len(EXPRESSIONS) > 300
    differ = []
    for code, expected in zip(EXPRESSIONS, console, strict=True):
        reply = kernel.r(code)
        shown = clean(reply.stdout + reply.shown) + reply.stderr
        if shown != expected:
            differ.append(f"{code}\n--- R\n{expected}\n--- cell\n{shown}")
    assert not differ, "\n\n".join(differ)
