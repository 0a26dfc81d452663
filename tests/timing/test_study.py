"""Several networks in one study: the design, resuming, and what is recorded."""

import itertools
import json
import os
import re
import shutil
import types
from dataclasses import replace

import pytest
from sidebyside.timing import (
    CannotRun,
    NoTimings,
    Stopped,
    WrongPlan,
    WrongRuns,
    contribute,
    hand_in,
    load_campaigns,
    load_studies,
    loader,
    progress,
    reading,
    report,
    resume_campaign,
    resume_study,
    run_study,
    study,
)
from sidebyside.timing import __main__ as command
from sidebyside.timing import format as layout
from sidebyside.timing import plan as plan_module
from sidebyside.timing.__main__ import main
from sidebyside.timing.networks import NETWORKS, Network
from timing_fakes import PYTHON, R, write_notebook

SIZES = {
    "python": {"parameters": PYTHON["parameters"] + "\nbatch_size = 4"},
    "r": {"parameters": R["parameters"] + "\nbatch_size <- 4L"},
}


@pytest.fixture
def networks(fakes, monkeypatch):
    """Two fake networks; only the first has batch sizes."""
    sized = write_notebook(fakes.folder / "sized.ipynb", **SIZES)
    found = {
        "sized": Network(str(sized), (1, 3), (8, 16)),
        "plain": Network(str(fakes.notebook), (2, 3)),
    }
    monkeypatch.setattr(study, "NETWORKS", found)
    return found


@pytest.fixture
def run(fakes, networks):
    """`run_study()`, by default with two arms and one block."""

    def run(name="both", **options):
        options = {
            "networks": tuple(networks),
            "blocks": 1,
            "arms": ("python", "python-again"),
            "directory": fakes.campaigns,
            "progress": "none",
            **options,
        }
        return run_study(name, **options)

    return run


def test_a_study_runs_every_network_once_in_a_block(run, capfd):
    folder = run(blocks=4, arms=("python", "r"), progress="compact")
    assert sorted(os.listdir(folder)) == ["both-plain", "both-sized", "study.json"]
    table = load_campaigns(folder).sort_values("started")
    assert set(table["state"]) == {"ok"}
    assert set(table["backend"]) == {"tensorflow"}
    assert (table["campaign"] == "both-" + table["network"].astype(str)).all()
    # In time, a block comes after the other; in it, the arms of a network are together.
    turns = [
        (block, network, len(list(group)))
        for (block, network), group in itertools.groupby(
            zip(table["block"], table["network"], strict=True)
        )
    ]
    plan = json.loads((folder / "study.json").read_text())
    assert turns == [(n, x, 2) for n, both in enumerate(plan["order"]) for x in both]
    assert len({tuple(x) for x in plan["order"]}) == 2
    assert (table["loss"].map(len) == table["epochs"]).all()
    work = set(table["work"])
    assert any(x.startswith("1 or 3 epochs; batch size 8 or 16; prog") for x in work)
    assert any(x.startswith("2 or 3 epochs; programs") for x in work)
    told = capfd.readouterr().out
    assert "block 4 of 4, sized" in told
    assert "both: all blocks were run. 20 runs in" in told
    assert main(["show", str(folder)]) == 0
    assert main(["status", "--directory", str(folder.parent)]) == 0
    told = capfd.readouterr().out
    assert "All runs are ok." in told
    assert "both: study of sized, plain; cpu, python, r; finished: all" in told
    with pytest.raises(WrongPlan, match=r"which is a study .*resume"):
        run()


@pytest.fixture
def planned(run, monkeypatch):
    """Returns the campaigns' plans and the study's, without a run."""
    campaigns = []
    monkeypatch.setattr(
        study.Campaign, "prepare", lambda self, _: campaigns.append(self.plan)
    )
    monkeypatch.setattr(study, "go_on", lambda *_: None)

    def planned(name, **settings):
        campaigns.clear()
        content = json.loads((run(name, **settings) / layout.STUDY).read_text())
        return {x.network: x for x in campaigns}, content["order"]

    return planned


def test_every_combination_comes_once_in_each_turn(planned):
    """The warm-up has the shortest."""
    plans, _ = planned("a", blocks=8)
    for network, combinations in (
        ("sized", [(1, 16), (1, 8), (3, 16), (3, 8)]),
        ("plain", [(2, None), (3, None)]),
    ):
        first, *used = [(x.epochs, x.batch_size) for x in plans[network].order]
        assert first == combinations[0]
        step = len(combinations)
        for start in range(0, 8, step):
            assert sorted(used[start : start + step]) == sorted(combinations)


def test_a_plan_is_made_from_its_seed(planned):
    plans = [planned(x, seed=ord(x) // 2, blocks=12) for x in "bcd"]
    (a, order_a), (b, order_b), (c, order_c) = plans
    assert order_a == order_b != order_c
    assert a["sized"].order == b["sized"].order != c["sized"].order
    assert [x.arms for x in a["sized"].order] != [x.arms for x in a["plain"].order]


class Stop(progress.Progress):
    """Interrupts a study before its n-th run."""

    def __init__(self, number):
        self.left = number

    def begin_run(self, block, arm):
        self.left -= 1
        if not self.left:
            raise KeyboardInterrupt


@pytest.mark.parametrize("number", [1, 4, 7])
def test_an_interrupted_study_is_resumed(fakes, run, number, capfd):
    """Each of the 8 runs is measured once, in the order of the plan."""
    with pytest.raises(KeyboardInterrupt):
        run(progress=Stop(number))
    folder = fakes.campaigns / "both"
    assert len(load_campaigns(folder)) == number - 1
    part = folder / "both-plain"
    with pytest.raises(Stopped, match=rf"one network of a study.*resume {folder}`"):
        resume_campaign(part)
    assert "unfinished: 0 of 1 blocks" in report.status_text(folder.parent)
    assert main(["resume", str(part), "--progress", "none"]) == 0
    table = load_campaigns(folder).sort_values("started")
    assert table["state"].tolist() == ["ok"] * 8
    assert set(table["ended"]) == {"planned"}
    order = [x for both in reading.read_study(folder)[0].order for x in both]
    assert table["network"].tolist()[::2] == order
    # The time of the runs is counted once.
    for place in reading.read_study(folder)[1].values():
        overhead = reading.read_end(place)["overhead"]
        assert 0 < overhead["children_seconds"] < overhead["seconds"]
    assert resume_study(folder) == folder
    assert "nothing to do" in capfd.readouterr().out


def test_a_budget_is_for_the_whole_study(run, monkeypatch):
    """It ends all networks after the same block."""
    spent = itertools.count(100.0, 100.0)
    clock = types.SimpleNamespace(monotonic=spent.__next__)
    monkeypatch.setattr("sidebyside.timing.campaign.time", clock)
    table = load_campaigns(run(blocks=50, budget=100.0))
    assert set(table["ended"]) == {"budget"}
    last = table.groupby("campaign", observed=True)["block"].max()
    assert len(set(last)) == 1 and 0 < last.iloc[0] < 50


def test_the_time_to_go_is_that_of_all_networks(fakes, networks):
    shown = progress.Progress()
    parts = []
    for network in networks:
        campaign = study._new_campaign(
            fakes.campaigns / "x",
            network,
            None,
            shown,
            {"blocks": 4, "arms": ("python", "r")},
        )
        parts.append((campaign.plan, campaign.rows))
    shown.begin(parts)
    assert shown.to_go_text() == ""
    parts[0][1].append(
        {"state": "ok", "epochs": 1, "process_seconds": 12.0, "fit_seconds": 10.0}
    )
    # Sized: 5 runs of 1 epoch and 4 of 3, of which each epoch takes 10 s. Nothing is
    # known of the other network, so each of its 10 runs counts as 12 s.
    assert shown.to_go_text() == "about 5 min 08 s to go"


# --- bad input


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            {"networks": ("sized", "lstn")},
            "sized, lstn; expected all, or .* sized, plain",
        ),
        ({"networks": ()}, r"networks \(none\); expected"),
        ({"epochs": 2}, "epochs cannot be chosen"),
        ({"precision": 0.1}, "precision cannot be chosen"),
        ({"blocks": 0}, "blocks is 0"),
        ({"seed": "1"}, "seed is '1'"),
        ({"arms": "julia"}, "The arms are"),
        ({"backend": "theano"}, "expected tensorflow, jax or torch"),
        ({"name": "../x"}, "becomes a folder"),
        ({"name": None}, "becomes a folder"),
        ({"name": 99 * "x"}, "at most 100"),
    ],
)
def test_impossible_studies_raise_a_clear_error(fakes, run, options, words):
    with pytest.raises(WrongPlan, match=words):
        run(**options)
    assert not fakes.campaigns.exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--networks", "x"], "the networks x; expected all, or some of mnist, "),
        (["--networks", "all", "--notebook", "x.ipynb"], "--notebook cannot be"),
        (["--networks", "all", "--epochs", "2"], "epochs cannot be chosen"),
        (["--networks", "all", "--precision", "0.1"], "precision cannot be chosen"),
        (["--networks", "all", "--short", "--blocks", "2"], "--short and --blocks"),
    ],
)
def test_the_command_explains_what_does_not_fit(capfd, options, words):
    assert main(["run", *options]) == 1
    said = capfd.readouterr().err
    assert words in said and said.count("\n") == 1


def test_a_short_study_has_each_combination_once(monkeypatch, capfd):
    asked = []
    monkeypatch.setattr(
        command, "run_study", lambda *names, **options: asked.append((names, options))
    )
    assert main(["run", "--networks", "all", "--short", "--backend", "jax"]) == 0
    [((name, networks), options)] = asked
    assert name.startswith("short-networks-")
    assert networks is None
    assert options["blocks"] == max(
        len(x.epochs) * len(x.batch_sizes) for x in NETWORKS.values()
    )
    assert (options["arms"], options["backend"]) == (("python", "r"), "jax")
    assert "hand-in" in capfd.readouterr().out


def test_a_backend_that_is_not_installed_or_not_used(fakes, run, monkeypatch):
    monkeypatch.setattr(plan_module.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    with pytest.raises(WrongPlan, match=r"jax is not .*`make setup BACKEND=jax`"):
        run()
    with pytest.raises(WrongPlan, match=r"torch is not installed .*pip install torch"):
        run(backend="torch")
    monkeypatch.setattr(plan_module.importlib.util, "find_spec", lambda name: name)
    with pytest.raises(WrongPlan, match="On a GPU only tensorflow and jax"):
        run(device="gpu", backend="torch")
    folder = fakes.folder / "site" / "keras"
    folder.mkdir(parents=True)
    code = "class config:\n    backend = floatx = lambda: 'tensorflow'\n"
    (folder / "__init__.py").write_text(code)
    monkeypatch.setenv("PYTHONPATH", str(folder.parent))
    write_notebook(fakes.notebook, python={"import": "import os, keras"})
    with pytest.raises(CannotRun, match="chooses the backend tensorflow, but jax"):
        run(networks=("plain",))
    assert list(fakes.campaigns.iterdir()) == []


def test_the_backend_is_in_the_environment_the_rows_and_the_work(
    fakes, run, monkeypatch
):
    monkeypatch.setattr(plan_module.importlib.util, "find_spec", lambda name: name)
    check = "assert os.environ['KERAS_BACKEND'] == 'jax'"
    for number in (1, 2):
        fakes.training(number, check)
    table = load_campaigns(run(backend="jax", networks=("plain",)))
    assert set(table["state"]) == {"ok"}
    assert set(table["backend"]) == {"jax"}
    assert all(x.startswith("2 or 3 epochs; jax; programs") for x in table["work"])


def test_all_networks_are_those_that_the_backend_can_train(
    networks, run, monkeypatch, capfd
):
    networks["calls"] = replace(networks["plain"], only_tensorflow=True)
    networks["data"] = replace(networks["plain"], tensorflow_data=True)
    found = {"jax", "tensorflow"}
    monkeypatch.setattr(
        plan_module.importlib.util, "find_spec", lambda name: name in found or None
    )
    with pytest.raises(WrongPlan, match=r"calls cannot run on jax, .*sized,plain,data"):
        run(backend="jax")
    found.remove("tensorflow")
    folder = run(networks=None, backend="jax")
    assert set(load_campaigns(folder)["network"]) == {"sized", "plain"}
    said = capfd.readouterr().out
    assert "Left out: calls cannot run on jax" in said
    assert "Left out: data cannot run on jax, because its data set needs" in said


@pytest.fixture
def finished(run):
    return run()


@pytest.mark.parametrize(
    ("break_it", "words"),
    [
        (lambda x: shutil.rmtree(x / "both-plain"), "the network 'plain'"),
        (lambda x: (x / "both-plain" / "runs.csv").unlink(), "runs.csv: .*missing"),
        (
            lambda x: shutil.copy(x / "both-sized/plan.json", x / "both-plain"),
            "of the network 'sized'",
        ),
        (lambda x: (x / "study.json").write_text("{}"), "study.json"),
        (
            lambda x: _change(x / "study.json", order=[["plain", "plain"]]),
            "study.json",
        ),
        (
            lambda x: _change(x / "study.json", order=[["plain", "sized"]]),
            "found 2 blocks of .* has 1",
        ),
        (lambda x: _change(x / "study.json", order=[["plain"]] * 2), "in some order"),
    ],
)
def test_a_damaged_study_is_named(finished, break_it, words, capfd):
    break_it(finished)
    for function in (load_campaigns, resume_study, report.show_study_text):
        with pytest.raises(WrongRuns, match=words):
            function(finished)
    assert "both: damaged: " in report.status_text(finished.parent)


def _change(path, **values):
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_studies_have_a_loader_of_their_own(fakes, run, finished, monkeypatch):
    both = ["both-sized", "both-plain"]

    def found(load=load_studies, *folders):
        return list(load(*folders).attrs["folders"])

    for folder in (finished, finished.parent):
        assert found(load_studies, folder) == both
    assert found(load_campaigns, finished) == both
    with pytest.raises(NoTimings, match=r"a folder of campaigns; load_studies\(\)"):
        load_campaigns(finished.parent)
    with pytest.raises(NoTimings, match=r"expected a study .* or a folder of studies"):
        load_studies(fakes.folder)
    # The environment names both kinds, and each function takes its own.
    alone = shutil.copytree(finished / "both-plain", fakes.folder / "alone")
    _change(alone / "plan.json", network="")
    rows = (alone / "runs.csv").read_text().replace(",plain,", ",,")
    (alone / "runs.csv").write_text(rows)
    monkeypatch.setenv(loader.ENVIRONMENT, f"{finished}:{alone}")
    assert found() == both
    assert found(load_campaigns) == ["both-plain"]
    monkeypatch.setenv(loader.ENVIRONMENT, str(finished))
    with pytest.raises(NoTimings, match="campaigns that are no studies"):
        load_campaigns()
    # Else the reader's own finished studies, or else the project's.
    monkeypatch.delenv(loader.ENVIRONMENT)
    project = fakes.folder / "project"
    monkeypatch.setattr(loader, "project_directory", lambda: project)
    monkeypatch.setenv("SIDEBYSIDE_DATA", str(fakes.folder / "own"))
    with pytest.raises(NoTimings, match="networks all"):
        load_studies()
    shutil.copytree(finished, project / "data" / "timings" / "reference-both")
    own = shutil.copytree(finished, fakes.folder / "own" / "timings" / "both")
    for is_finished, place in ((True, own.parent), (False, project)):
        folders = load_studies().attrs["folders"].values()
        assert all(x.startswith(str(place)) for x in folders)
        if is_finished:
            (own / "both-plain" / "end.json").unlink()


# --- sharing


def test_a_study_is_shared_as_a_whole(fakes, run, capfd):
    room = fakes.folder / "room"
    studies = [run(x, blocks=2, arms=("python", "r")) for x in "ab"]
    for folder in studies:
        assert main(["hand-in", str(folder), "--to", str(room)]) == 0
    files = sorted(room.iterdir())
    assert len(files) == 2 and all(x.suffix == ".zip" for x in files)
    own, sent = load_campaigns(studies[0]), load_campaigns(hand_in(studies[0], room))
    assert own["loss"].tolist() == sent["loss"].tolist()
    assert set(sent["network"]) == {"sized", "plain"}
    assert len(load_studies(room)) == 2 * len(own)
    copy = contribute(studies[0], fakes.folder / "shared")
    assert copy.name.startswith("contributed-a-")
    assert load_campaigns(copy)["loss"].tolist() == own["loss"].tolist()
    # A third file lacks a network.
    shutil.copytree(copy, room / "c")
    shutil.rmtree(next((room / "c").glob("*-plain")))
    capfd.readouterr()
    assert main(["collect", str(room)]) == 0
    told = capfd.readouterr().out
    assert re.search("c .*LEFT OUT: .*-plain of the network 'plain' is missing", told)
    assert "measured at the same time" not in told
    good = load_studies(fakes.folder / "room-good")
    counts = good.groupby("network", observed=True)["campaign"].nunique()
    assert counts.to_dict() == {"sized": 2, "plain": 2}


def test_an_unfinished_study_is_not_shared(run, fakes):
    with pytest.raises(KeyboardInterrupt):
        run(progress=Stop(7))
    for function in (contribute, hand_in):
        with pytest.raises(WrongPlan, match=r"not finished.*resume .*both`"):
            function(fakes.campaigns / "both", fakes.folder / "to")
