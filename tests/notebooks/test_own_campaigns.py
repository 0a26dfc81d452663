"""Notebook 06 with campaigns that are not the project's."""

import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest
from made_up import made_up_campaign, with_state, write_campaign

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
from run import execute  # noqa: E402

NOTEBOOK = ROOT / "notebooks" / "06_statistics.ipynb"


def a_class():
    """Thirty campaigns of three blocks on 15 machines, each with its own ratio."""
    ratios = np.random.default_rng(1).normal(1.03, 0.03, 30)
    return [
        made_up_campaign(
            ratio, blocks=3, sd=0.03, seed=i, campaign=f"c{i}", machine=f"m{i // 2}"
        )
        for i, ratio in enumerate(ratios)
    ]


def gpu_with_failures():
    """A campaign in which R crashed in some blocks and had other losses in others.

    The scatter is so small that F and t are huge.
    """
    runs = made_up_campaign(1.02, sd=3e-4, device="gpu", epochs=9, fit=2.0)
    runs = with_state(runs, "r", [2, 5], "crashed")
    runs = with_state(runs, "python-again", [7], "timeout")
    runs = with_state(runs, "r", [3, 8], "wrong-loss")
    hit = runs["state"] == "wrong-loss"
    for name in ("loss", "val_accuracy"):
        other = [tuple(0.5 * np.array(x)) for x in runs.loc[hit, name]]
        runs.loc[hit, name] = np.fromiter(other, object)
    return [runs]


def two_blocks():
    """A campaign of two arms, two blocks and one epoch."""
    return [made_up_campaign(blocks=2, epochs=1, arms=("python", "r"))]


@pytest.mark.parametrize("campaigns", [a_class, gpu_with_failures, two_blocks])
def test_06_runs_without_a_warning(campaigns, tmp_path, monkeypatch):
    for runs in campaigns():
        name = runs["campaign"].iloc[0]
        write_campaign(runs, tmp_path / "timings" / name, runs["machine"].iloc[0])
    monkeypatch.setenv("SIDEBYSIDE_TIMINGS", str(tmp_path / "timings"))
    monkeypatch.setenv("SIDEBYSIDE_DATA", str(tmp_path))  # folder of the report
    outcome = execute(NOTEBOOK, tmp_path / NOTEBOOK.name)
    assert not outcome.problem, outcome.problem
    assert outcome.checks_passed == outcome.checks > 0
    cells = nbformat.read(tmp_path / NOTEBOOK.name, 4).cells
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    assert [x.text for x in outputs if x.get("name") == "stderr"] == []
    assert (tmp_path / "report" / "report.html").exists()
