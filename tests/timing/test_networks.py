"""The networks of a study are programs that run alone, in both languages."""

from pathlib import Path

import pytest
from sidebyside.timing import (
    WrongPlan,
    campaign,
    load_campaigns,
    plan,
    run_study,
    study,
)
from sidebyside.timing.cells import read_programs
from sidebyside.timing.networks import NETWORKS

ROOT = Path(__file__).resolve().parents[2]

each = pytest.mark.parametrize("name", NETWORKS)


@each
def test_both_programs_use_what_a_study_sets(name):
    network = NETWORKS[name]
    numbers = {"epochs", "seed"} | ({"batch_size"} if network.batch_sizes else set())
    for program in read_programs(ROOT / "notebooks" / network.notebook).values():
        assert set(program.parameters()) == numbers
        stages = {**program.stages, "parameters": ""}
        for number in numbers:
            assert number in "".join(stages.values()), (program.language, number)


@each
def test_both_languages_train_it_alike(name, tmp_path, monkeypatch):
    """The warm-up of a study, which has the shortest training: one run of each."""
    monkeypatch.setattr(study, "project_directory", lambda: ROOT)
    monkeypatch.setenv("SIDEBYSIDE_TIMING_LOCK", str(tmp_path / "lock"))
    monkeypatch.setenv("FRUITS360_DIR", "painted")
    monkeypatch.setattr(
        campaign, "why_enough", lambda *given: "warm-up" if given[1] else ""
    )
    folder = run_study(
        *("one", [name]), arms=("python", "r"), directory=tmp_path, progress="none"
    )
    table = load_campaigns(folder)
    assert table["message"].tolist() == ["", ""]
    python, r = table["loss"]
    assert python == r
    assert len(python) == NETWORKS[name].epochs[0]
    assert table["batches"].nunique() == table["epochs"].nunique() == 1


def test_a_network_that_calls_tensorflow_needs_this_backend(tmp_path, monkeypatch):
    monkeypatch.setattr(plan.importlib.util, "find_spec", lambda name: name)
    words = "^mnist_acgan cannot run on jax, .* --networks mnist,callback,fruits,"
    with pytest.raises(WrongPlan, match=words):
        run_study("one", list(NETWORKS), backend="jax", directory=tmp_path)
    assert not list(tmp_path.iterdir())
