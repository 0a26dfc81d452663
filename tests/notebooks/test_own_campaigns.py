"""Notebooks 06 and 07 with measurements that are not the project's."""

import json
import re
import shutil
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest
from made_up import made_up_campaign, with_state, write_campaign

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
from run import execute  # noqa: E402

NOTEBOOKS = ROOT / "notebooks"
STUDY = "reference-networks"


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


def run_silently(notebook, folder, monkeypatch):
    """Run a notebook on the measurements in `folder / "timings"`."""
    monkeypatch.setenv("SIDEBYSIDE_TIMINGS", str(folder / "timings"))
    monkeypatch.setenv("SIDEBYSIDE_DATA", str(folder))  # folder of the report
    outcome = execute(NOTEBOOKS / notebook, folder / notebook)
    assert not outcome.problem, outcome.problem
    assert outcome.checks_passed == outcome.checks > 0
    cells = nbformat.read(folder / notebook, 4).cells
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    assert [x.text for x in outputs if x.get("name") == "stderr"] == []
    return "\n".join(x.text for x in outputs if x.get("name") == "stdout")


@pytest.mark.parametrize("campaigns", [a_class, gpu_with_failures, two_blocks])
def test_06_runs_without_a_warning(campaigns, tmp_path, monkeypatch):
    for runs in campaigns():
        name = runs["campaign"].iloc[0]
        write_campaign(runs, tmp_path / "timings" / name, runs["machine"].iloc[0])
    run_silently("06_statistics.ipynb", tmp_path, monkeypatch)
    assert (tmp_path / "report" / "report.html").exists()


def copied_study(folder, number, networks):
    """The project's study, as if another machine had measured some of its networks."""
    place, name = folder / f"class-{number}", f"class-{number}"
    place.mkdir(parents=True)
    own = ROOT / "data" / "timings" / STUDY
    study = json.loads((own / "study.json").read_text("utf-8"))
    order = [[x for x in block if x in networks] for block in study["order"]]
    study |= {"study": name, "networks": networks, "order": order}
    (place / "study.json").write_text(json.dumps(study), "utf-8")
    for network in networks:
        campaign = shutil.copytree(
            own / f"{STUDY}-{network}", place / f"{name}-{network}"
        )
        for file in ("plan.json", "runs.csv", "machine.json"):
            text = (campaign / file).read_text("utf-8").replace(STUDY, name)
            text = text.replace('"id": "', f'"id": "{number}')
            text = text.replace('"boot": "', f'"boot": "{number}')
            # Other times: it is no copy.
            text = re.sub(r"T(\d\d:\d\d:\d\d\.)\d", rf"T\g<1>{number}", text)
            (campaign / file).write_text(text, "utf-8")


def test_07_runs_with_several_machines(tmp_path, monkeypatch):
    networks = ["mnist", "callback", "fruits", "mnist_cnn", "babi_rnn"]
    for number in (1, 2, 3):
        copied_study(tmp_path / "timings", number, networks)
    said = run_silently("07_what_it_costs_you.ipynb", tmp_path, monkeypatch)
    assert "of 5 networks on 3 machine(s)" in said
    assert "cannot show how much machines differ" not in said
