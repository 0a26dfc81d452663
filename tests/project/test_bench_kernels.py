"""tools/bench_kernels.py: what is asked of the kernels, and the arithmetic."""

from types import SimpleNamespace

# tools/ is on the path: kernel_memory.py has put it there.
import bench_kernels as many
import pytest
from bench_kernels import NOTEBOOKS, cores_for_class, first_training, line


def test_the_training_is_that_of_the_notebook_with_fewer_epochs():
    cells = first_training(3)
    assert cells[0] == "%load_ext sidebyside"
    assert cells[-1].startswith("history = model.fit(")
    text = "\n".join(cells)
    assert text.count("epochs = 3,") == text.count("epochs=3,") == 1
    assert "30" not in cells[-1]


def test_a_notebook_that_became_another_is_noticed(monkeypatch):
    cells = ["%load_ext sidebyside", "history = model.fit(epochs=30)"]
    monkeypatch.setattr(many, "code_of", lambda notebook: cells)
    with pytest.raises(RuntimeError, match="30 epochs in each language"):
        first_training(3)


def test_cells_that_fail_on_purpose_are_left_out():
    import nbformat

    path = NOTEBOOKS / "02_how_r_drives_tensorflow.ipynb"
    cells = nbformat.read(path, as_version=4).cells
    code = [cell for cell in cells if cell.cell_type == "code"]
    tags = [cell.metadata.get("tags", []) for cell in code]
    fail = sum("raises-exception" in each for each in tags)
    assert 0 < fail == len(code) - len(many.code_of(path.name))


def test_a_straight_line_goes_on_to_thirty():
    lessons = [SimpleNamespace(kernels=n, gb=1 + 0.5 * n) for n in (1, 2, 8)]
    more, together = line(lessons, lambda lesson: lesson.gb)
    assert (more, together) == pytest.approx((0.5, 16.0))


def test_cores_for_a_class():
    """30 kernels, 10 s of work each, done in 20 s: 15 cores at work."""
    assert cores_for_class(one=10, processor=10) == 15


def test_threads_are_those_that_binder_fixes():
    start = (many.PROJECT / "binder" / "start").read_text(encoding="utf-8")
    assert set(many.THREADS) == {
        line.split("=")[0].removeprefix("export ")
        for line in start.splitlines()
        if "_NUM_" in line
    }
    assert {many.threads(1)[name] for name in many.THREADS} == {"1"}
    assert not set(many.THREADS) & set(many.free_threads())
