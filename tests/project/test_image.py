"""tools/test_image.py without an image: what it decides, and what the browser does."""

import contextlib
import importlib.util
import json
import os
import re
import shlex
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output
from servers import jupyterlab
from sidebyside.common.errors import Sentence

ROOT = Path(__file__).resolve().parents[2]
TOOL = ROOT / "tools" / "test_image.py"
sys.path.insert(0, str(ROOT / "tools"))
from screenshot import find_browser, new_page, open_browser  # noqa: E402

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
    with jupyterlab(command, log, cwd=folder, env=environment) as server:
        yield tool.address_of(server, log)


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
    page = new_page(browser)
    found = tool.run_in_browser(page, address, name)
    page.close()
    assert re.fullmatch(problem, found[2], re.DOTALL)
    assert found[:2] == (checks, passed)


@pytest.mark.parametrize(
    ("code", "states", "idle"),
    [
        (200, [], False),
        (200, ["starting"], False),
        (200, ["busy"], False),
        (200, ["idle"], True),
        (500, [], False),  # while a kernel starts
    ],
)
def test_a_kernel_is_idle_when_the_server_says_so(code, states, idle):
    class Server(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(code)
            self.end_headers()
            kernels = [{"execution_state": state} for state in states]
            self.wfile.write(json.dumps(kernels).encode())

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/lab?token=abc"
        assert tool.is_idle(address) is idle


@pytest.mark.parametrize(
    ("arguments", "user", "has_apt", "said"),
    [
        (["99"], 0, True, "There is no notebook 99"),
        (["01", "7_x.ipynb"], 0, True, "There is no notebook 7_x.ipynb"),
        ([], 1000, True, "root"),
        ([], 0, False, "Debian"),
    ],
)
def test_what_cannot_work_gets_one_sentence(
    monkeypatch, arguments, user, has_apt, said
):
    monkeypatch.setattr(os, "geteuid", lambda: user)
    monkeypatch.setattr(tool.shutil, "which", lambda _: "apt-get" if has_apt else None)
    with pytest.raises(Sentence, match=said):
        tool.main(arguments)


@pytest.mark.parametrize(
    ("problem", "survived", "code", "said"),
    [
        ("", True, 0, "Everything passed."),
        ("cell 1: no", True, 1, "Failed: 01_mnist.ipynb."),
        ("", False, 1, "Failed: kernels."),
    ],
)
def test_one_failure_is_the_failure_of_all(
    monkeypatch, capsys, problem, survived, code, said
):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(tool, "network", lambda: "off")
    monkeypatch.setattr(tool, "container_of", contextlib.nullcontext)
    monkeypatch.setattr(tool, "open_browser", contextlib.nullcontext)
    monkeypatch.setattr(tool, "try_kernels", lambda *_: survived)

    outcome = tool.Outcome("01_mnist.ipynb", 1.5, 1_234_000_000, 3, 2, problem)
    monkeypatch.setattr(tool, "try_notebook", lambda *_: outcome)
    assert tool.main(["--built", "01"]) == code
    assert capsys.readouterr().out.splitlines()[-1] == said
    verdict = "failed" if problem else "ok"
    fields = ["01_mnist.ipynb", "90", "1.23 GB", "2 of 3", verdict]
    assert re.split("  +", tool.row(outcome)) == fields


def test_only_the_containers_own_processes_are_measured_and_ended():
    """Those of root belong to the tools that run the container."""
    if os.geteuid() != 0:
        pytest.skip("only root starts processes of other users")
    inside = ["sh", "-c", "echo started; sleep 60"]
    command = ["setpriv", "--reuid=1000", "--clear-groups", *inside]
    outside = ["sh", "-c", shlex.join(command) + "; true"]
    with subprocess.Popen(outside, stdout=subprocess.PIPE, text=True) as child:
        child.stdout.readline()
        watch = tool.Container(child)
        assert {process.uids().real for process in watch.family()} == {1000}
        watch.end()
        assert child.wait(10) == 0  # the outer one ended by itself
        watch.close()
