"""tools/run.py, on notebooks of a few cells."""

import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import run as tool  # noqa: E402


def write(path, *cells):
    """A notebook of these cells; a string is code, `(code, tag)` tagged."""
    made = []
    for i, cell in enumerate(cells):
        source, *tags = [cell] if isinstance(cell, str) else cell
        metadata = {"tags": tags} if tags else {}
        made.append(new_code_cell(source, id=f"cell-{i}", metadata=metadata))
    made.append(new_markdown_cell("The end.", id="end"))
    nbformat.write(new_notebook(cells=made), path)
    return path


def run(*arguments):
    """Run tools/run.py in a new process."""
    return subprocess.run(
        [sys.executable, str(ROOT / "tools" / "run.py"), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def row(done, name):
    """Return the row of one notebook in the table."""
    (line,) = [x for x in done.stdout.splitlines() if re.match(rf"{name}  ", x)]
    return re.split(r"  +", line)


@pytest.fixture(autouse=True)
def summary(monkeypatch):
    """Keep the file that `make bench` reads as the last `make run` wrote it."""
    path = ROOT / "build" / "run.json"
    before = path.read_text() if path.exists() else None
    yield path
    if before is None:
        path.unlink(missing_ok=True)
    else:
        path.write_text(before)


@pytest.fixture(scope="module")
def good_run(tmp_path_factory):
    """One run of two notebooks that work, for all tests about it."""
    folder = tmp_path_factory.mktemp("good")
    first = write(
        folder / "00_first.ipynb",
        "x = 6 * 7\nprint(x)",
        ("assert x == 42", "check"),
        ("1 / 0", "raises-exception"),
        ("assert x > 0", "check"),
        ("'an exercise waits for its reader'", "check", "exercise"),
    )
    second = write(folder / "01_second.ipynb", "block = bytearray(300_000_000)")
    before = first.read_bytes()
    output = folder / "executed"
    done = run(first, second, "--output", output)
    return done, first, before, output


def test_success_ends_with_status_0_and_a_table(good_run):
    done, _, _, output = good_run
    assert done.returncode == 0, done.stderr
    # A new reader would take a warning seriously.
    assert done.stderr == ""
    assert row(done, "notebook")[2:] == ["peak memory", "checks passed"]
    _, minutes, memory, checks, verdict = row(done, "00_first.ipynb")
    assert float(minutes) < 1
    assert checks == "2 of 2"
    assert verdict == "ok"
    assert memory.endswith(" GB")
    assert f"Executed notebooks: {output}" in done.stdout
    assert row(done, "01_second.ipynb")[3] == "0 of 0"


def test_peak_memory_is_the_kernels(good_run):
    """The second notebook holds 0.3 GB that the first does not."""
    done, *_ = good_run
    first, second = (
        float(row(done, name)[2].split()[0])
        for name in ("00_first.ipynb", "01_second.ipynb")
    )
    assert 0 < first < 1
    assert second - first == pytest.approx(0.3, abs=0.05)


def test_the_copy_has_outputs_and_the_source_is_left_alone(good_run):
    _, first, before, output = good_run
    assert first.read_bytes() == before
    executed = nbformat.read(output / "00_first.ipynb", 4)
    assert executed.cells[0].outputs[0].text == "42\n"
    assert [c.get("execution_count") for c in executed.cells[:4]] == [1, 2, 3, 4]
    # Times and versions would fill every diff.
    assert executed.metadata.language_info == {
        "name": "python",
        "nbconvert_exporter": "python",
    }
    assert not any("execution" in c.metadata for c in executed.cells)


def test_a_failure_ends_with_status_1_and_the_others_are_run(tmp_path):
    bad = write(
        tmp_path / "00_bad.ipynb",
        "print('before')",
        ("assert 1 == 1", "check"),
        ("assert 1 == 2, 'not equal'", "check"),
        "print('never')",
    )
    notebook = nbformat.read(bad, 4)
    old = nbformat.v4.new_output("stream", name="stdout", text="old\n")
    notebook.cells[3].outputs = [old]
    nbformat.write(notebook, bad)
    good = write(tmp_path / "01_good.ipynb", "1")
    done = run(bad, good, "--output", tmp_path / "executed")
    assert done.returncode == 1
    assert row(done, "00_bad.ipynb")[3:] == ["1 of 2", "failed"]
    assert row(done, "01_good.ipynb")[4] == "ok"
    assert "00_bad.ipynb failed:" in done.stdout
    assert "not equal" in done.stdout
    # The cells executed until then help to find out why.
    executed = nbformat.read(tmp_path / "executed" / "00_bad.ipynb", 4)
    assert executed.cells[0].outputs[0].text == "before\n"
    assert executed.cells[3].outputs == []


def test_in_place_replaces_notebooks_that_work_and_no_others(tmp_path):
    good = write(tmp_path / "00_good.ipynb", "print('new')")
    bad = write(tmp_path / "01_bad.ipynb", "print('new')", "1 / 0")
    before = bad.read_bytes()
    done = run("--in-place", good, bad)
    assert done.returncode == 1
    assert nbformat.read(good, 4).cells[0].outputs[0].text == "new\n"
    assert bad.read_bytes() == before
    assert sorted(x.name for x in tmp_path.iterdir()) == [good.name, bad.name]


def test_the_seconds_of_an_example_are_kept(tmp_path):
    path = write(
        tmp_path / "10_a.ipynb", "1", ("import time\ntime.sleep(0.3)", "pair", "python")
    )
    notebook = nbformat.read(path, 4)
    notebook.cells.insert(1, new_markdown_cell("## The `a_cnn`", id="a"))
    notebook.metadata.sidebyside = {"examples": {"a_cnn": {"result": "cell-1"}}}
    nbformat.write(notebook, path)
    assert run("--in-place", path).returncode == 0
    took = nbformat.read(path, 4).metadata.sidebyside.seconds.a_cnn
    assert took["r"] == 0 and 0.3 <= took["python"] < 1
    # The message comes before anything is executed.
    notebook.metadata.sidebyside.examples.a_cnn.result = "cell-9"
    nbformat.write(notebook, path)
    done = run("--in-place", path)
    assert row(done, path.name)[4] == "failed"
    assert "10_a.ipynb, example a_cnn: found no cell" in done.stdout


def test_a_kernel_that_dies_is_a_failure_at_once(tmp_path):
    dead = write(tmp_path / "00_dead.ipynb", "import os; os._exit(139)", "1")
    done = run(dead, "--output", tmp_path / "executed")
    assert done.returncode == 1
    assert row(done, "00_dead.ipynb")[2:] == ["-", "0 of 0", "failed"]


def test_a_missing_notebook_has_a_clear_message(tmp_path):
    done = run(tmp_path / "no.ipynb")
    assert done.returncode == 2
    assert "no.ipynb is not a file; expected a notebook" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "executed"),
    [
        ([], ["00_a", "07_b", "10_c", "18_d"]),
        (["--part", "course"], ["00_a", "07_b"]),
        (["--part", "gallery"], ["10_c", "18_d"]),
        (["--part", "gallery", "{}/00_a.ipynb"], ["00_a"]),
    ],
)
def test_the_course_the_gallery_or_named_notebooks_are_run(
    monkeypatch, tmp_path, arguments, executed
):
    for name in ("18_d", "10_c", "07_b", "00_a", "copy_of_00_a"):
        write(tmp_path / f"{name}.ipynb")
    found = []

    def execute(source, target):
        found.append(source.stem)
        return tool.Outcome(source.name, 0.1, 0, 0, 0)

    monkeypatch.setattr(tool, "NOTEBOOKS", tmp_path)
    monkeypatch.setattr(tool, "SUMMARY", tmp_path / "run.json")
    monkeypatch.setattr(tool, "execute", execute)
    given = [x.format(tmp_path) for x in arguments]
    monkeypatch.setattr(sys, "argv", ["run.py", "--output", str(tmp_path), *given])
    assert tool.main() == 0
    assert found == executed


def test_a_part_without_notebooks_has_a_clear_message(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(tool, "NOTEBOOKS", tmp_path)
    monkeypatch.setattr(sys, "argv", ["run.py", "--part", "gallery"])
    with pytest.raises(SystemExit, match="2"):
        tool.main()
    assert "no notebooks of the gallery" in capsys.readouterr().err
