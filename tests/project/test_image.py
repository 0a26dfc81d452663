"""tools/test_image.py without an image: JupyterLab in a browser, and what it decides."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output
from sidebyside.common.errors import Sentence

ROOT = Path(__file__).resolve().parents[2]
TOOL = ROOT / "tools" / "test_image.py"
sys.path.insert(0, str(ROOT / "tools"))
from screenshot import find_browser, open_browser  # noqa: E402

# This file has the same name.
spec = importlib.util.spec_from_file_location("image_tool", TOOL)
tool = importlib.util.module_from_spec(spec)
spec.loader.exec_module(tool)

ERROR = new_output("error", ename="ValueError", evalue="bad", traceback=[])


def cell(*tags, outputs=(), run=True, source="1"):
    return new_code_cell(
        source,
        outputs=list(outputs),
        execution_count=1 if run else None,
        metadata={"tags": list(tags)},
    )


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ([cell(), cell("check"), cell("check", "exercise")], (1, 1, "")),
        ([cell(), cell(run=False, source=" ")], (0, 0, "")),
        ([cell("raises-exception", outputs=[ERROR]), cell("check")], (1, 1, "")),
        (
            [cell("check"), cell(outputs=[ERROR]), cell("check", run=False)],
            (2, 1, "cell 2: ValueError: bad"),
        ),
        ([cell("check", outputs=[ERROR])], (1, 0, "cell 1: ValueError: bad")),
        ([cell("check", run=False)], (1, 0, f"cell 1: {tool.NOT_RUN}")),
    ],
)
def test_a_saved_notebook_says_what_passed_and_what_failed(cells, expected):
    assert tool.judge(new_notebook(cells=cells)) == expected


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """JupyterLab with two notebooks."""
    folder = tmp_path_factory.mktemp("lab")
    (folder / "notebooks").mkdir()
    for name, cells in {
        "00_good": [cell(source="x = 1"), cell("check", source="assert x == 1")],
        "01_bad": [cell("check", source="assert 1 == 2, 'no'"), cell()],
        "02_dies": [cell(source="import os; os._exit(1)"), cell()],
    }.items():
        notebook = new_notebook(cells=cells)
        notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
        nbformat.write(notebook, folder / "notebooks" / f"{name}.ipynb")
    log = folder / "log.txt"
    environment = os.environ | {"JUPYTER_CONFIG_DIR": str(folder / "config")}
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--port=0"]
    command += ["--allow-root"] if os.geteuid() == 0 else []
    with log.open("w") as output:
        server = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=output, stderr=output
        )
    try:
        yield tool.address_of(server, log)
    finally:
        server.terminate()
        server.wait(20)


@pytest.fixture(scope="module")
def browser():
    if find_browser() is None and "CI" not in os.environ:
        pytest.skip("no browser is installed")
    with open_browser() as browser:
        yield browser


@pytest.mark.parametrize(
    ("name", "checks", "passed", "problem"),
    [
        ("00_good.ipynb", 1, 1, ""),
        ("01_bad.ipynb", 1, 0, "cell 1: AssertionError: no"),
        ("02_dies.ipynb", 0, 0, "JupyterLab says: .* died.*"),
    ],
)
def test_cells_run_in_a_browser_as_a_reader_runs_them(
    browser, address, name, checks, passed, problem
):
    page = browser.new_page()
    found = tool.run_in_browser(page, address, name)
    page.close()
    assert re.fullmatch(problem, found[2], re.DOTALL)
    assert found[:2] == (checks, passed)
