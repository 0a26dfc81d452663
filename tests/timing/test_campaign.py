"""The experiment with programs that do almost nothing: design and safety."""

import dataclasses
import errno
import io
import json
import math
import os
import re
import resource
import select
import shutil
import signal
import subprocess
import sys
import time
import types

import psutil
import pytest
from rich.console import Console
from sidebyside.common import running
from sidebyside.timing import (
    AnotherCampaign,
    CannotRun,
    Epochs,
    Interrupted,
    NotClean,
    NoTimings,
    Stopped,
    WrongPlan,
    campaign,
    contribute,
    interleave,
    load_campaigns,
    locks,
    machine,
    outcome,
    progress,
    ratio,
    reading,
    report,
    resume_campaign,
    run_campaign,
    sharing,
)
from sidebyside.timing import __main__ as timing_main
from sidebyside.timing import format as layout
from sidebyside.timing import plan as plan_module
from sidebyside.timing.__main__ import main
from sidebyside.timing.cells import NoProgram, read_programs
from sidebyside.timing.run import arms, keeper, processes
from timing_fakes import has_ended, run_with_hook, write_notebook

PYTHONS = ("python", "python-again")


@pytest.fixture
def run(fakes):
    """`run_campaign()`, by default with two arms and one block."""

    def run(name="one", **options):
        options = {
            "notebook": fakes.notebook,
            "blocks": 1,
            "arms": PYTHONS,
            "directory": fakes.campaigns,
            "progress": "none",
            **options,
        }
        return run_campaign(name, **options)

    return run


def read(folder, name):
    return json.loads((folder / name).read_text(encoding="utf-8"))


def make_plan(fakes, **settings):
    programs = read_programs(fakes.notebook)
    settings = plan_module.Settings(**settings)
    return plan_module.make_plan("one", fakes.notebook, programs, settings)


# --- the design


def test_blocks_are_randomised_and_complete(fakes):
    plan = make_plan(fakes)
    assert [x.block for x in plan.order] == list(range(11))
    assert all(sorted(x.arms) == sorted(layout.ARMS) for x in plan.order)
    assert len({x.arms for x in plan.order}) > 3
    assert len({x.seed for x in plan.order}) == 11
    assert plan.epochs == 2
    assert plan.order == make_plan(fakes).order
    assert plan.order != make_plan(fakes, seed=2).order


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"arms": ("python", "julia")}, "julia; expected some of"),
        ({"arms": ("r", "r")}, "each at most once"),
        ({"arms": ()}, "none"),
        ({"device": "tpu"}, "expected cpu or gpu"),
        ({"blocks": 0}, "blocks is 0"),
        ({"epochs": -1}, "epochs is -1"),
        ({"precision": 0.0}, "precision is 0"),
        ({"precision": 0.1, "arms": ("r",)}, "two arms"),
        *(({x: math.nan}, f"{x} is nan") for x in ("precision", "budget")),
        *(({x: math.inf}, f"{x} is inf") for x in ("precision", "budget", "timeout")),
        ({"timeout": 0}, "timeout is 0"),
        *(({x: "1"}, f"{x} is '1'") for x in ("blocks", "seed", "precision")),
        *(({x: 1.5}, f"{x} is 1.5; .*whole") for x in ("blocks", "epochs", "seed")),
        *(({x: 10**30}, f"{x} is 10{29 * '0'}") for x in ("blocks", "seed", "budget")),
        ({"precision": 1e-12}, "precision is 1e-12"),
        ({"precision": 0.02, "blocks": 29}, "expected at least 30"),
        ({"arms": None}, "arms are None; expected some of"),
    ],
)
def test_impossible_settings_raise_a_clear_error(fakes, options, words):
    with pytest.raises(WrongPlan, match=words):
        make_plan(fakes, **options)


def test_a_notebook_that_cannot_be_timed_raises_a_clear_error(fakes, run):
    write_notebook(fakes.notebook, python={"parameters": "seed = 1"})
    with pytest.raises(WrongPlan, match="sets no whole number `epochs`"):
        run()
    with pytest.raises(NoProgram, match="does not set epochs; it sets seed"):
        run(epochs=2)
    for name in ("../one", "日本", "\ud800", "", None, 1):
        with pytest.raises(WrongPlan, match="becomes a folder"):
            run(name)
    with pytest.raises(NoProgram, match="does not exist"):
        run(notebook=fakes.folder / "none.ipynb")
    assert not fakes.campaigns.exists()


def test_a_campaign_of_all_arms(fakes, run):
    """The plan and the machine are written before the first run."""
    place = fakes.campaigns / "one"
    fakes.training(
        1,
        f"assert os.path.exists({str(place / 'plan.json')!r})\n"
        f"assert os.path.exists({str(place / 'machine.json')!r})\n",
    )
    # All arms get the same variables, whatever the reader's shell has set.
    folder = run(arms=layout.ARMS, epochs=3, seed=5)
    assert folder == place
    table = load_campaigns(folder)
    assert table["state"].tolist() == ["ok"] * 8
    assert table["run"].tolist() == list(range(1, 9))
    plan = read(folder, "plan.json")
    planned = [arm for block in plan["order"] for arm in block["arms"]]
    assert table["arm"].tolist() == planned
    assert sorted(planned[:4]) == sorted(layout.ARMS)
    for block, rows in table.groupby("block"):
        seed = plan["order"][block]["seed"]
        assert set(rows["seed"]) == {seed}
        # R and Python wrote the same number to the last bit.
        assert set(rows["loss"]) == {(seed / 3, seed / 4, seed / 5)}
    assert (table["epoch_seconds"] == (0.015625,) * 3).all()
    assert (table["start_seconds"] > 0).all()
    assert (table["peak_memory_mb"] > 5).all()
    end = read(folder, "end.json")
    assert end["complete"]
    assert end["reason"] == "all blocks were run"
    overhead = end["overhead"]
    assert 0 < overhead["children_seconds"] < overhead["seconds"]
    found = read(folder, "machine.json")
    assert found["arms"]["r"]["r"] == found["arms"]["rpy2"]["r"]
    assert sorted(os.listdir(folder)) == [
        *("end.json", "events.jsonl", "machine.json"),
        *("plan.json", "programs.json", "runs.csv"),
    ]


def test_an_existing_campaign_is_not_overwritten(run):
    folder = run()
    with pytest.raises(WrongPlan, match=r"is finished. Choose another name"):
        run()
    (folder / "end.json").unlink()
    with pytest.raises(WrongPlan, match=r"is not finished. Choose another"):
        run()


def test_all_arms_have_the_same_environment_and_no_other_variables(
    fakes, run, monkeypatch
):
    monkeypatch.setenv("R_SESSION_TMPDIR", "/tmp/of/a/kernel")
    monkeypatch.setenv("MY_TOKEN", "secret")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("FRUITS360_DIR", "fruits")
    fakes.training(
        3, f"open({str(fakes.folder / 'env')!r}, 'w').write(repr(dict(os.environ)))"
    )
    run()
    found = eval((fakes.folder / "env").read_text())
    assert found["OMP_NUM_THREADS"] == "1"
    assert found["FRUITS360_DIR"] == os.path.abspath("fruits")
    fixed = {
        "CUDA_VISIBLE_DEVICES": "-1",
        "PYTHONNOUSERSITE": "1",
        "R_PROFILE_USER": os.devnull,
        "RETICULATE_PYTHON": processes.interpreter(),
    }
    assert found.items() >= fixed.items()
    assert not {"R_SESSION_TMPDIR", "MY_TOKEN", "SIDEBYSIDE_TIMING_LOCK"} & found.keys()
    assert found["TMPDIR"].startswith(str(fakes.campaigns))


# --- arms that are not alike


def test_arms_that_differ_are_refused():
    one = arms.Surroundings({"keras": "3.15", "cores": 2, "executable": "a"}, {}, "")
    other = arms.Surroundings({"keras": "3.14", "cores": 2, "executable": "b"}, {}, "")
    assert arms.differences({"python": one, "r": one}) == []
    assert arms.differences({"python": one, "r": other}) == [
        "keras: 3.15 in python, 3.14 in r"
    ]


# A Keras that trains nothing, and tells its callbacks.
KERAS = """\
import time
class callbacks:
    class Callback:
        pass
class Model:
    variables = ()
    def fit(self, x=None, epochs=1, callbacks=None):
        for epoch in range(epochs):
            for callback in callbacks:
                callback.on_epoch_begin(epoch)
            time.sleep(0.001)
            for callback in callbacks:
                callback.on_epoch_end(epoch, {"loss": 0.5 / (epoch + 1), "val_acc": 1})
        return self
"""


@pytest.fixture
def keras(fakes, monkeypatch):
    """A fake Keras that every Python finds first."""
    folder = fakes.folder / "site"
    (folder / "keras").mkdir(parents=True)
    (folder / "keras" / "__init__.py").write_text(KERAS)
    monkeypatch.setenv("PYTHONPATH", str(folder))
    return folder


def test_only_one_arm_with_keras_is_refused(fakes, run, keras):
    write_notebook(fakes.notebook, python={"import": "import os, keras"})
    words = r"keras_file: .* in python, none in r\b"
    with pytest.raises(CannotRun, match=words) as caught:
        run(arms=("python", "r"))
    assert str(keras / "keras" / "__init__.py") in str(caught.value)
    # Nothing was measured, and nothing is left.
    assert list(fakes.campaigns.iterdir()) == []


def test_an_arm_that_cannot_run_says_why(fakes, run):
    write_notebook(fakes.notebook, python={"import": "import os, no_such_thing"})
    with pytest.raises(CannotRun, match="No module named 'no_such_thing'"):
        run()


def test_an_arm_without_tensorflow_says_what_else_can_be_measured(
    fakes, run, monkeypatch
):
    found = {"jax": True}
    monkeypatch.setattr(arms.importlib.util, "find_spec", found.get)
    lacks = "raise ImportError('This requires the tensorflow module.')"
    write_notebook(fakes.notebook, python={"data": lacks})
    with pytest.raises(CannotRun, match=r"needs TensorFlow, .*`--networks all` says"):
        run(backend="jax")


# --- the hook


def test_epochs_are_stamped_where_keras_trains(fakes, run, keras):
    write_notebook(
        fakes.notebook,
        python={
            "import": "import os, keras",
            "fit": "history = keras.Model().fit(epochs=epochs)",
        },
    )
    table = load_campaigns(run(epochs=3))
    assert set(table["loss"]) == {(0.5, 0.25, 0.5 / 3)}
    assert set(table["val_accuracy"]) == {(1.0, 1.0, 1.0)}
    assert set(table["accuracy"]) == {()}
    assert all(len(x) == 3 and min(x) > 0 for x in table["epoch_seconds"])


def test_the_hook_accepts_callbacks_in_any_form(fakes, keras, tmp_path):
    code = """
import keras
class Own(keras.callbacks.Callback):
    on_epoch_begin = on_epoch_end = lambda *_: None
model = keras.Model()
model.fit(None, 1, [Own()]); model.fit(callbacks=(Own(),)); model.fit(callbacks=Own())
try:
    model.fit(epochs=1, callbacks=3)
except AttributeError:
    pass
"""
    done = run_with_hook(code, tmp_path, PYTHONPATH=f"{arms.HOOK}:{keras}")
    assert done.returncode == 0, done.stderr
    assert [len(x["logs"]) for x in read(tmp_path, "fits.json")] == [1, 1, 1]


def test_the_hook_also_runs_another_sitecustomize(fakes, keras, tmp_path):
    (keras / "sitecustomize.py").write_text("import sys; sys.was_called = __file__\n")
    code = "import sys; print(sys.was_called, 'keras' in sys.modules)"
    done = run_with_hook(code, tmp_path, PYTHONPATH=f"{arms.HOOK}:{keras}")
    assert done.stdout.split() == [str(keras / "sitecustomize.py"), "False"]


# --- two arms by turns


@pytest.fixture
def turns(fakes, keras):
    """A notebook whose Python trains with the fake Keras, and records its epochs."""
    note = f"print(os.getpid(), file=open({str(fakes.folder / 'epochs')!r}, 'a'))"
    write_notebook(
        fakes.notebook,
        python={
            "import": "import os, keras",
            "build": "class Watch(keras.callbacks.Callback):\n"
            "    on_epoch_begin = lambda *_: None\n"
            f"    on_epoch_end = lambda *_: {note}",
            "fit": "history = keras.Model().fit(epochs=epochs, callbacks=[Watch()])",
        },
    )
    return fakes


def test_two_arms_train_by_turns(turns):
    found = interleave(PYTHONS, notebook=turns.notebook, epochs=8)
    assert len(found.seconds) == 8
    assert min(min(both) for both in found.seconds) > 0
    assert found.losses == ([0.5 / (x + 1) for x in range(8)],) * 2
    # Each pair has one epoch of each program, in random order.
    pids = (turns.folder / "epochs").read_text().split()
    assert len(pids) == 16
    pairs = {tuple(pids[i : i + 2]) for i in range(0, 16, 2)}
    one, other = sorted(set(pids))
    assert pairs == {(one, other), (other, one)}


def test_an_arm_that_fails_interrupts_both(turns):
    write_notebook(
        turns.notebook,
        python={
            "import": "import os, keras",
            "fit": "open(f'{folder}/{os.getpid()}.pid', 'w').close()\n"
            "keras.Model().fit(epochs=epochs)\n"
            "raise SystemExit('no more')",
        },
    )
    with pytest.raises(Interrupted, match=r"exit code 1 .*no more"):
        interleave(PYTHONS, notebook=turns.notebook, epochs=1)
    pids = [int(x.stem) for x in turns.folder.glob("*.pid")]
    assert len(pids) == 2
    assert all(has_ended(pid) for pid in pids)


def test_an_arm_without_r_raises_a_clear_error(fakes, monkeypatch):
    monkeypatch.setattr(arms.shutil, "which", lambda *_, **__: None)
    with pytest.raises(CannotRun, match="no Rscript on PATH"):
        arms.write_script("r", read_programs(fakes.notebook)["r"], fakes.folder)


def test_the_ratio_of_epochs_leaves_out_the_cold_ones():
    """Computed by hand: the logs of 1 and 4 have mean log 2."""
    seconds = [(90.0, 1.0), (80.0, 1.0), (3.0, 3.0), (8.0, 2.0)]
    epochs = Epochs(("r", "python"), seconds, ([], []))
    assert epochs.ratio().estimate == pytest.approx(2.0)
    assert (epochs.ratio().blocks, epochs.ratio(cold=0).blocks) == (2, 4)
    assert math.isnan(epochs.ratio(cold=4).estimate)


# --- runs that go wrong


def test_failures_are_recorded_and_the_campaign_continues(fakes, run, capfd):
    """Warm-up: runs 1 and 2."""
    fakes.training(3, "import sys; sys.exit('the disk says,\\n\"no\"')")
    fakes.training(
        4,
        "import signal, subprocess\n"
        "child = subprocess.Popen(['sleep', '100'], start_new_session=True)\n"
        f"open({str(fakes.folder / 'pid')!r}, 'w').write(str(child.pid))\n"
        "signal.pause()",
    )
    fakes.training(5, "os.kill(os.getpid(), 6)")
    fakes.training(6, "losses.pop()")
    folder = run(blocks=2, timeout=4, progress="lines")
    table = load_campaigns(folder)
    bad = ["crashed", "timeout", "crashed", "crashed"]
    assert table["state"].tolist() == ["ok", "ok", *bad]
    assert table["exit_code"].tolist() == [0, 0, 1, -9, -6, 0]
    messages = table["message"].tolist()
    assert messages[2].endswith('the disk says, | "no"')
    assert messages[3].startswith("stopped after 4.")
    assert messages[4].startswith("ended by signal 6")
    assert messages[5] == "loss has 1 values, expected one for each of 2 epochs"
    # Processes that it had started have also ended.
    assert has_ended(int((fakes.folder / "pid").read_text()))
    shown = capfd.readouterr().out
    assert "crashed: exit code 1" in shown
    assert "timeout: stopped after 4." in shown
    assert "GPU" not in shown
    told = report.show_text(folder)
    assert "Of 6 runs: 3 crashed, 1 timeout." in told
    assert "run 4" in told


def test_a_run_that_leaves_nothing_does_not_get_the_last_one_s_files(fakes, run):
    fakes.training(4, "os._exit(0)")
    table = load_campaigns(run())
    assert table["state"].tolist() == ["ok", "ok", "ok", "crashed"]
    assert table["loss"][3] == ()


@pytest.mark.parametrize("last", [False, True])
def test_a_run_with_other_losses_than_its_block_is_marked(fakes, run, capfd, last):
    """It is compared with the `python` run, even if that is the last one."""
    for seed in range(20):
        order = make_plan(fakes, arms=PYTHONS, blocks=1, seed=seed).order[1].arms
        if (order[-1] == "python") is last:
            break
    number = 3 + order.index("python-again")
    fakes.training(number, "import math; losses[1] = math.nextafter(losses[1], 1e9)")
    folder = run(seed=seed)
    table = load_campaigns(folder)
    wrong = table[table["state"] == "wrong-loss"]
    assert wrong["run"].tolist() == [number]
    assert wrong["arm"].tolist() == ["python-again"]
    message = wrong["message"].item()
    partner = 3 + order.index("python")
    assert message.startswith("epoch 2: loss ")
    assert message.endswith(f"in run {partner} (python)")
    assert message in capfd.readouterr().out


def ended(**facts):
    known = {"exit_code": 0, "started": 1e9, "seconds": 9.0, "cpu_seconds": 1.0}
    return processes.Outcome(**{"reason": "", **known, **facts})


def complete(number, arm, **facts):
    losses = {"loss": (0.5, 0.25), "val_loss": (0.75, 0.5)}
    return {"run": number, "arm": arm, "state": "ok", "message": "", **losses, **facts}


@pytest.mark.parametrize(
    ("losses", "words"),
    [
        ({"loss": (0.5, 0.26)}, "epoch 2: loss 0.26, but 0.25 in run 1 (python)"),
        ({"val_loss": (0.7, 0.5)}, "epoch 1: val_loss 0.7, but 0.75 in run 1 (python)"),
        ({"val_loss": ()}, "0 values of val_loss, but 2 in run 1 (python)"),
    ],
)
def test_all_losses_of_all_epochs_are_compared(losses, words):
    rows = [complete(1, "python"), complete(2, "r", **losses)]
    assert outcome.judge(rows) == [rows[1]]
    assert (rows[1]["state"], rows[1]["message"]) == ("wrong-loss", words)
    # A second comparison changes nothing.
    assert outcome.judge(rows) == []


def test_runs_are_compared_again_when_the_python_run_ends():
    """Until then runs are compared with the first complete run of the block."""
    rows = [
        complete(1, "python", state="crashed"),
        complete(2, "rpy2", loss=(9.0, 9.0)),
        complete(3, "r"),
    ]
    assert outcome.judge(rows) == [rows[2]]
    rows.append(complete(4, "python"))
    assert outcome.judge(rows) == rows[1:3]
    assert [x["state"] for x in rows] == ["crashed", "wrong-loss", "ok", "ok"]
    assert rows[2]["message"] == ""


def test_nan_losses_count_as_equal():
    """A training that diverges does so in every arm."""
    rows = [complete(n, arm, loss=(0.5, math.nan)) for n, arm in enumerate(PYTHONS, 1)]
    assert outcome.judge(rows) == []


def written(folder, losses, epochs=2, stamps=5, device="cpu", **facts):
    """Return the row of a run with these losses and this number of stamps."""
    history = {"loss": losses, "epoch_seconds": [0.25] * len(losses)}
    stages = {"stamps": [1e9 + x for x in range(1, stamps + 1)], "history": history}
    (folder / "stages.json").write_text(json.dumps(stages))
    row = {"device": device, "epochs": epochs, "state": "interrupted", "message": ""}
    row |= dict.fromkeys(layout.EPOCH_COLUMNS, ())
    return outcome.finished(row, ended(**facts), folder)


@pytest.mark.parametrize("code", [0, 1])
@pytest.mark.parametrize("losses", [[0.5], [0.5, 0.4, 0.3]])
def test_a_run_with_another_number_of_epochs_is_crashed(tmp_path, losses, code):
    """Its row has no lists, because they could not be read again."""
    row = written(tmp_path, losses, exit_code=code)
    assert row["state"] == "crashed"
    assert {row[x] for x in layout.EPOCH_COLUMNS} == {()}


def test_a_run_that_ended_badly_keeps_its_epochs(tmp_path):
    row = written(tmp_path, [0.5, 0.4], exit_code=3)
    assert (row["state"], row["loss"]) == ("crashed", (0.5, 0.4))
    assert row["message"].startswith("exit code 3 after 9.0 s")
    row = written(tmp_path, [0.5, 0.4], reason="timeout", exit_code=-9)
    assert (row["state"], row["exit_code"]) == ("timeout", -9)
    # It ended just before it would have been killed.
    row = written(tmp_path, [0.5, 0.4], reason="timeout", exit_code=0)
    assert row["state"] == "timeout"


def test_stages_last_from_stamp_to_stamp(tmp_path):
    row = written(tmp_path, [0.5, 0.4], started=1e9 - 0.5, peak_bytes=3e6, drift=0.01)
    assert row["state"] == "ok"
    assert [row[x] for x in layout.STAGE_COLUMNS] == [1.5, 1.0, 1.0, 1.0, 1.0]
    facts = ("process_seconds", "cpu_seconds", "peak_memory_mb", "clock_drift_seconds")
    assert [row[x] for x in facts] == [9.0, 1.0, 3.0, 0.01]
    assert written(tmp_path, [0.5, 0.4], stamps=4)["state"] == "crashed"
    # The clock was set back a little, by less than it may drift.
    assert written(tmp_path, [0.5, 0.4], started=1e9 + 1.01)["start_seconds"] == 0.0


@pytest.mark.parametrize("drift", [0.055, -0.055])
def test_a_clock_may_drift_up_to_the_limit(tmp_path, drift):
    """0.05 s and a thousandth of the run, which is 9 s long."""
    assert written(tmp_path, [0.5, 0.4], drift=drift)["state"] == "ok"
    assert written(tmp_path, [0.5, 0.4], drift=drift * 1.1)["state"] == "interrupted"


def test_a_run_during_which_the_clock_was_set_does_not_count(fakes, run, monkeypatch):
    """The place is tried again, and the campaign stops after the third time."""
    real = campaign.run_process
    drifts = [0.0, 0.0, -3600.0]

    def run_process(*arguments, **options):
        found = real(*arguments, **options)
        drift = drifts.pop(0) if drifts else 0.0
        return processes.Outcome(**{**vars(found), "drift": drift})

    monkeypatch.setattr(campaign, "run_process", run_process)
    table = load_campaigns(run())
    assert table["state"].tolist() == ["ok", "ok", "interrupted", "ok", "ok"]
    assert table["position"].tolist() == [1, 2, 1, 1, 2]
    assert table["message"][2].startswith(
        "the system's clock was changed by -3600.000 s"
    )
    drifts[:] = [5.0] * 3
    with pytest.raises(Stopped, match=r"3 times in a row.*clock was changed by \+5"):
        run("two")
    assert len(load_campaigns(fakes.campaigns / "two")) == 3


# --- the keeper


def keep(folder, code, timeout=30.0, command=None, **options):
    return processes.run_process(
        command or [sys.executable, "-c", code],
        environment={"PATH": os.environ["PATH"]},
        folder=folder,
        directory=folder,
        timeout=timeout,
        **options,
    )


def test_the_keeper_computes_times_and_drift():
    """It adds up both kinds of processor time, and computes the drift of the clock."""
    usage = resource.struct_rusage([1.5, 0.25, 3000, *[0] * 13])
    found = keeper._measured(256, usage, (100.0, 5.0), (104.5, 9.0))
    kilobyte = 1 if sys.platform == "darwin" else 1024
    assert found == {
        "exit_code": 1,
        "started": 100.0,
        "seconds": 4.0,
        "drift": 0.5,
        "cpu_seconds": 1.75,
        "peak_bytes": 3000 * kilobyte,
    }


def test_time_and_memory_are_those_of_the_program(tmp_path):
    """They are not those of this process, which has hundreds of megabytes."""
    code = "import time; x = bytearray(60_000_000); time.sleep(0.3); print(len(x)); 1/0"
    found = keep(tmp_path, code)
    assert found.exit_code == 1
    assert found.seconds >= 0.3
    assert 65e6 < found.peak_bytes < 100e6
    # It slept, so its processor time is less than the time around it.
    assert 0 < found.cpu_seconds < found.seconds
    assert (tmp_path / "stdout").read_text() == "60000000\n"
    assert "ZeroDivisionError" in arms.last_words(tmp_path)


def test_a_missing_program_is_reported(tmp_path):
    assert keep(tmp_path, "", command=["/no/such/program"]).exit_code == 127
    assert "/no/such/program" in arms.last_words(tmp_path)


def test_a_program_runs_in_its_folder_and_apart_from_the_terminal(tmp_path):
    keep(tmp_path, "import os; print(os.getcwd(), os.getsid(os.getppid()))")
    folder, session = (tmp_path / "stdout").read_text().split()
    assert folder == str(tmp_path.resolve())
    # The experiment gets the terminal's Ctrl-C, and the keeper does not.
    assert int(session) != os.getsid(0)


def test_last_words_are_the_last_ones(tmp_path):
    (tmp_path / "stderr").write_text("a" * 5000 + "\nno\x1b \n\nmore\n")
    said = arms.last_words(tmp_path)
    assert said.startswith("...aaa")
    assert said.endswith(r"aaa | no\x1b | more")
    assert len(said) == 303


def test_processes_that_a_program_started_end_with_it(tmp_path):
    """Even a process with a new session ends."""
    code = (
        "import subprocess\n"
        "p = subprocess.Popen(['sleep', '100'], start_new_session=True)\n"
        "print(p.pid)"
    )
    assert keep(tmp_path, code).exit_code == 0
    assert has_ended(int((tmp_path / "stdout").read_text()))


def test_a_program_does_not_outlive_its_killed_keeper(tmp_path):
    code = (
        "import os, signal\n"
        "print(os.getpid(), flush=True)\n"
        "os.kill(os.getppid(), signal.SIGKILL)\n"
        "signal.pause()"
    )
    assert keep(tmp_path, code).reason == "lost"
    pid = int((tmp_path / "stdout").read_text())
    assert has_ended(pid, 5)


def test_an_interruption_ends_the_program(tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "TICK", 0.3)

    def tick():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        keep(
            tmp_path,
            "import os, signal; print(os.getpid(), flush=True); signal.pause()",
            tick=tick,
        )
    assert has_ended(int((tmp_path / "stdout").read_text()))


def test_signals_that_python_ignores_are_not_ignored_in_the_program(tmp_path):
    keep(tmp_path, "", command=["/bin/sh", "-c", "grep SigIgn /proc/self/status"])
    ignored = int((tmp_path / "stdout").read_text().split()[1], 16)
    # Python ignores these two. (Our parent process may ignore others.)
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        assert not ignored >> (number - 1) & 1, number


# --- a campaign that is ended from outside


def start_and_hang(fakes, name="one"):
    """Start a campaign whose third run hangs, and return the program's pid."""
    path = fakes.folder / "pid"
    os.mkfifo(path)
    fakes.training(
        3,
        "import signal\n"
        f"open({str(path)!r}, 'w').write(str(os.getpid()))\n"
        "signal.pause()",
    )
    # Open both ends, so that the program does not wait for this process.
    pipe = os.open(path, os.O_RDWR)
    process = fakes.start(name)
    try:
        assert select.select([pipe], [], [], 60)[0], process.kill()
        pid = int(os.read(pipe, 100))
    finally:
        os.close(pipe)
    (fakes.folder / "3").unlink()
    return process, pid


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_campaign_that_is_stopped_leaves_no_process(fakes, number):
    process, pid = start_and_hang(fakes)
    process.send_signal(number)
    shown, _ = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "can be resumed" in shown
    assert has_ended(pid)
    table = load_campaigns(fakes.campaigns / "one")
    assert table["state"].tolist() == ["ok", "ok", "interrupted"]
    assert table["message"][2] == "the campaign was interrupted by its user"


def test_killed_in_the_middle_and_resumed(fakes, capfd):
    process, pid = start_and_hang(fakes)
    with pytest.raises(AnotherCampaign, match=f"'one', process {process.pid}"):
        run_campaign("two", notebook=fakes.notebook, directory=fakes.campaigns)
    assert "running on this machine: one" in report.status_text(fakes.campaigns)
    process.kill()
    process.communicate(timeout=20)
    assert has_ended(pid, 10)
    folder = fakes.campaigns / "one"
    # A power failure may leave an incomplete row.
    with (folder / "runs.csv").open("a") as file:
        file.write("one,3,1,1,pyth")
    assert main(["status", "--directory", str(fakes.campaigns)]) == 0
    assert "the last line is cut off: 0 of 1 blocks" in capfd.readouterr().out
    assert main(["resume", str(folder), "--progress", "lines"]) == 0
    shown = capfd.readouterr().out
    assert "was not written completely and is removed" in shown
    assert "Run 3 (" in shown and "run again" in shown
    table = load_campaigns(folder)
    assert table["state"].tolist() == ["ok", "ok", "interrupted", "ok", "ok"]
    assert table["message"][2] == "the campaign was killed during this run"
    assert read(folder, "end.json")["complete"]
    assert main(["status", "--directory", str(fakes.campaigns)]) == 0
    assert "finished: all blocks were run" in capfd.readouterr().out
    # No run is done twice.
    before = (folder / "runs.csv").read_bytes()
    assert main(["resume", str(folder)]) == 0
    assert (folder / "runs.csv").read_bytes() == before
    (folder / "runs.csv").write_bytes(before.replace(b",cpu,", b",tpu,"))
    assert main(["status", "--directory", str(fakes.campaigns)]) == 0
    assert "one: damaged: " in capfd.readouterr().out


def test_a_campaign_resumes_only_if_nothing_has_changed(fakes, run, monkeypatch):
    folder = run(blocks=2)
    (folder / "end.json").unlink()
    text = (folder / "machine.json").read_text()
    found = machine.machine_id()
    (folder / "machine.json").write_text(text.replace(found, "0" * 12))
    with pytest.raises(Stopped, match=f"machine {'0' * 12}, but this is {found}"):
        resume_campaign(folder, progress="none")
    (folder / "machine.json").write_text(text)
    known = arms.Surroundings({"keras": "9"}, {}, "")
    monkeypatch.setattr(arms, "ask", lambda *a, **o: known)
    with pytest.raises(Stopped, match="keras: none then, 9 now"):
        resume_campaign(folder, progress="none")
    programs = folder / "programs.json"
    programs.write_text(programs.read_text().replace("0.015625", "0.26"))
    with pytest.raises(Stopped, match="not what the campaign started with"):
        resume_campaign(folder, progress="none")
    programs.unlink()
    with pytest.raises(Stopped, match="missing, as in every copy"):
        resume_campaign(folder)
    with pytest.raises(NoTimings, match="expected a campaign"):
        resume_campaign(fakes.folder)


def test_two_campaigns_are_not_resumed_at_once(run):
    folder = run()
    (folder / "end.json").unlink()
    with locks.machine_lock("other"), pytest.raises(AnotherCampaign, match="'other'"):
        resume_campaign(folder, progress="none")


def test_the_notebook_may_change_meanwhile(fakes, run, monkeypatch):
    """A campaign keeps the programs with which it started."""
    with monkeypatch.context() as patch, pytest.raises(ZeroDivisionError):
        patch.setattr(campaign.Campaign, "_measure_place", lambda *_: 1 / 0)
        run()
    fakes.notebook.write_text("{}")
    folder = resume_campaign(fakes.campaigns / "one", progress="none")
    assert load_campaigns(folder)["state"].tolist() == ["ok"] * 4


def test_looking_does_not_take_the_lock(fakes, monkeypatch):
    """Otherwise a campaign that starts at this moment would be refused."""
    assert locks.holder() is None
    with locks.machine_lock("one"):
        monkeypatch.setattr(locks.filelock.FileLock, "acquire", None)
        found = locks.holder()
        assert "running on this machine: one" in report.status_text(
            fakes.campaigns.parent
        )
        # Another user's campaign writes into the same file later.
        note = locks._note_path(locks._lock_path())
        assert note.stat().st_mode & 0o777 == 0o666
    assert (found["pid"], found["campaign"]) == (os.getpid(), "one")
    # The process is alive, but no longer measures.
    assert locks.holder() is None


def test_the_note_of_a_dead_process_does_not_count(fakes):
    note = fakes.folder / "lock.json"
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    note.write_text(json.dumps({"pid": child.pid, "campaign": "x", "since": ""}))
    assert locks.holder()["pid"] == child.pid
    # The note is older than this process, so it belongs to another one.
    began = psutil.Process(child.pid).create_time()
    os.utime(note, (began - 60, began - 60))
    assert locks.holder() is None
    os.utime(note)
    child.kill()
    # A process that has ended but is still in the table of processes.
    assert has_ended(child.pid, 20)
    assert locks.holder() is None
    child.communicate()
    for text in ("", "[]", "{}", '{"pid": "x"}', '{"pid": -1}'):
        note.write_text(text)
        assert locks.holder() is None, text


@pytest.mark.parametrize(
    ("ending", "runs_counted"),
    [("stopped", 5), ("lost", 5), ("full", 5), ("killed", 4)],
)
def test_the_time_of_a_campaign_includes_all_sessions(
    fakes, run, monkeypatch, capfd, ending, runs_counted
):
    """Five runs take 100 s each, and the third is lost. Checking the arms takes 5 s.

    Each of the two sessions takes another 10 s. If a session is killed, only the
    current run does not count.
    """
    clock, runs = types.SimpleNamespace(now=1.75e9), []
    fake = types.SimpleNamespace(monotonic=lambda: clock.now)
    monkeypatch.setattr(campaign, "time", fake)
    monkeypatch.setattr(campaign, "MOST_ATTEMPTS", 1)
    folder = fakes.campaigns / "one"
    killed = fakes.folder / "killed"

    def ask(*_, **__):
        clock.now += 5.0
        return arms.Surroundings({}, {}, "")

    def run_process(*_, folder, **__):
        runs.append(clock.now)
        third = len(runs) == 3
        if third and ending == "killed":
            # Keep what is on the disk at this moment.
            shutil.copytree(fakes.campaigns, killed)
        clock.now += 100.0
        if third and ending in ("stopped", "killed"):
            raise KeyboardInterrupt
        stages = {"stamps": runs[-1:] * 5, "history": {"loss": [0.5, 0.25]}}
        (folder / "stages.json").write_text(json.dumps(stages))
        lost = third and ending == "lost"
        known = ended(seconds=100.0, started=runs[-1])
        return processes.Outcome("lost") if lost else known

    append_row = layout.append_row

    def append_row_if_there_is_room(*arguments):
        if len(runs) == 3 and ending == "full":
            raise layout.files.DiskFull(errno.ENOSPC, "no room")
        append_row(*arguments)

    monkeypatch.setattr(arms, "ask", ask)
    monkeypatch.setattr(campaign, "run_process", run_process)
    with monkeypatch.context() as patch:
        patch.setattr(layout, "append_row", append_row_if_there_is_room)
        with pytest.raises((KeyboardInterrupt, Stopped)) as stopped:
            run(began=clock.now - 10.0)
    if ending == "full":
        assert "no room. The completed runs are safe. Make room" in str(stopped.value)
    if ending == "killed":
        shutil.rmtree(fakes.campaigns)
        killed.rename(fakes.campaigns)
    shown = progress.Progress()
    resume_campaign(folder, progress=shown, began=clock.now - 10.0)
    seconds = 30.0 + 100.0 * runs_counted
    overhead = read(folder, "end.json")["overhead"]
    share = round(20 / seconds, 5)
    known = {"seconds": seconds, "children_seconds": seconds - 20.0, "share": share}
    assert overhead == known
    assert f"{share:.2%} of the time" in capfd.readouterr().out
    # Until the first run of the second session.
    assert shown.spent == seconds - 200.0
    states = load_campaigns(folder)["state"].tolist()
    assert states == ["ok", "ok", "interrupted", "ok", "ok"]


def test_a_campaign_killed_after_its_row_has_lost_no_run(run):
    """Its row is written, and the note of the current run still exists."""
    folder = run()
    (folder / "end.json").unlink()
    row = reading.read_rows(folder)[-1]
    (folder / "current").mkdir()
    (folder / "current" / "run.json").write_text(json.dumps(row))
    before = (folder / "runs.csv").read_bytes()
    resume_campaign(folder, progress="none")
    assert (folder / "runs.csv").read_bytes() == before


@pytest.mark.parametrize(
    ("cut", "left", "told"),
    [
        # Only the end of the last line is missing, and no measurement.
        (lambda x: x[:-1], 4, False),
        (lambda x: x + b"\n\n", 4, False),
        (lambda x: b"\n".join(x.splitlines()[:4]), 3, False),
        (lambda x: x[:-12], 3, True),
        (lambda x: b"\n".join(x.splitlines()[:3]) + b"\n\0\0", 2, True),
    ],
)
@pytest.mark.parametrize("end", [True, False])
def test_only_missing_runs_are_measured_again(run, capfd, cut, left, told, end):
    """This is so whatever its end says."""
    folder = run()
    path = folder / layout.RUNS
    before = path.read_bytes()
    path.write_bytes(cut(before))
    if not end:
        (folder / layout.END).unlink()
    capfd.readouterr()
    resume_campaign(folder)
    assert ("is removed" in capfd.readouterr().out) is told
    table = load_campaigns(folder)
    assert set(table["ended"]) == {"planned"}
    assert table["run"].tolist() == [1, 2, 3, 4]
    after = path.read_bytes().rstrip().splitlines()
    assert after[: left + 1] == before.splitlines()[: left + 1]
    assert (after == before.splitlines()) is (left == 4)


# --- disks that are full


@pytest.mark.parametrize("fits", [0, 2])
def test_no_run_starts_without_room_on_the_disk(run, fakes, monkeypatch, fits):
    def disk_usage(folder):
        return types.SimpleNamespace(free=1e9 if fakes.trainings() < fits else 1e6)

    monkeypatch.setattr(campaign.shutil, "disk_usage", disk_usage)
    with pytest.raises(Stopped, match=r"1 MB are free .* resume "):
        run()
    assert fakes.trainings() == fits


def test_disturbances_are_written_at_the_end_of_a_campaign(run, made_up, monkeypatch):
    made_up(lambda *_: 10.0)
    swapped = iter([1e6, 4e6])
    quiet = dict.fromkeys(("stolen", "throttled", "limited"), 0.0)
    monkeypatch.setattr(
        machine, "counters", lambda: {**quiet, "swapped": next(swapped)}
    )
    assert read(run(), "end.json")["disturbed"] == ["3.0 MB were swapped"]


def test_a_folder_is_a_campaign_only_when_it_can_be_resumed(run, monkeypatch):
    """`runs.csv` is written last, whenever a campaign is killed."""
    there = []
    real = layout.files.write_whole

    def write_whole(path, content):
        there.append((path.name, sorted(x.name for x in path.parent.glob("*.json"))))
        real(path, content)

    monkeypatch.setattr(layout.files, "write_whole", write_whole)
    run()
    names = ["machine.json", "plan.json", "programs.json"]
    assert dict(there[::-1])["runs.csv"] == names


# --- the device (test_gpu.py has more about GPUs)


@pytest.mark.parametrize(
    ("device", "devices", "good"),
    [
        ("gpu", ["/device:GPU:0"], True),
        ("gpu", ["cuda:0"], True),
        ("gpu", ["/device:CPU:0", "/device:GPU:0"], False),
        ("gpu", ["TFRT_CPU_0"], False),
        ("gpu", [], False),
        ("cpu", ["TFRT_CPU_0"], True),
        ("cpu", [], True),
        ("cpu", ["cuda:0"], False),
    ],
)
def test_a_run_on_another_device_is_refused(tmp_path, device, devices, good):
    fit = {"logs": [{"loss": 1.0}], "seconds": [0.5], "devices": devices}
    fits = [{**fit, "batches": 7, "array_bytes": 12_000}]
    (tmp_path / "fits.json").write_text(json.dumps(fits))
    row = written(tmp_path, [], epochs=1, device=device)
    if good:
        assert (row["state"], row["epoch_seconds"]) == ("ok", (0.5,))
        assert (row["batches"], row["array_mb"]) == (7, 0.012)
    else:
        assert row["state"] == "crashed"
        where = ", ".join(devices) or "no known device"
        assert f"its variables were on {where}" in row["message"]


def test_a_setting_that_is_not_a_folder_stays_unchanged(tmp_path, monkeypatch):
    monkeypatch.setenv("FRUITS360_DIR", "painted")
    found = arms.environment(tmp_path, "cpu", probe=False)
    assert found["FRUITS360_DIR"] == "painted"


# --- the ratio, and campaigns that end by it


def rows_of(*pairs, block=1):
    return [
        {"block": number, "arm": arm, "state": "ok", "fit_seconds": seconds}
        for number, pair in enumerate(pairs, block)
        for arm, seconds in zip(("r", "python"), pair, strict=True)
    ]


def test_the_ratio_is_the_paired_one_of_the_blocks():
    """Computed by hand: the logs of 1, 2 and 4 have mean log 2 and sd log 2."""
    found = ratio.paired_ratio(rows_of((3, 3), (6, 3), (20, 5)), ("r", "python"))
    assert found.estimate == pytest.approx(2.0)
    # t(0.975, 2) = 4.302653
    half = 4.302653 * math.log(2) / math.sqrt(3)
    assert found.high == pytest.approx(2.0 * math.exp(half), rel=1e-6)
    assert found.low == pytest.approx(2.0 / math.exp(half), rel=1e-6)
    assert found.half_width == pytest.approx(math.exp(half) - 1, rel=1e-6)
    assert found.blocks == 3


def test_warm_up_and_failures_do_not_count_in_the_ratio():
    rows = rows_of((50, 5), (4, 2), (3, 1), block=0)
    rows[-1]["state"] = "wrong-loss"
    found = ratio.paired_ratio(rows, ("r", "python"))
    assert (found.estimate, found.blocks) == (pytest.approx(2.0), 1)
    assert math.isnan(found.half_width)
    assert str(found) == "2.000"
    assert ratio.paired_ratio(rows[:2], ("r", "python")) is None


@pytest.fixture
def made_up(monkeypatch, fakes):
    """Campaigns whose runs report times from a function, and take no time."""

    def use(seconds):
        def measure(self, block, position):
            row = {
                "campaign": self.plan.campaign,
                "run": len(self.rows) + 1,
                "block": block.block,
                "position": position,
                "arm": block.arms[position - 1],
                "device": "cpu",
                "seed": block.seed,
                "epochs": 2,
                "state": "ok",
                "exit_code": 0,
                "started": layout.now(),
                "process_seconds": 100.0,
                **dict.fromkeys(layout.STAGE_COLUMNS, 0.5),
                **dict.fromkeys(layout.EPOCH_COLUMNS, ()),
                "loss": (0.5, 0.25),
                "message": "",
            }
            return row | {"fit_seconds": seconds(block.block, row["arm"])}

        monkeypatch.setattr(campaign.Campaign, "_measure", measure)

    return use


@pytest.mark.parametrize("noise", [0.5, 1.2, 0.0])
def test_a_precision_is_reached(run, made_up, noise):
    """It ends ten blocks after the interval is narrow, but not before block 30.

    The ratios of the blocks alternate, so the interval becomes narrower.
    """
    pair = ("python-again", "python")
    made_up(lambda block, arm: 10 + noise * (block % 2 and arm == pair[0]))
    folder = run(precision=0.02, blocks=None)
    plan = reading.read_plan(folder)
    assert "fixed-width sequential design" in plan.design
    assert plan.blocks == 200
    rows = reading.read_rows(folder)

    def half_width(blocks):
        counted = [x for x in rows if x["block"] <= blocks]
        return ratio.paired_ratio(counted, pair).half_width

    first = next(x for x in range(20, 200) if half_width(x) <= 0.02)
    assert (first > 20) is (noise == 1.2)
    assert max(x["block"] for x in rows) == first + 10
    reason = read(folder, "end.json")["reason"]
    assert f"after {first} blocks the interval's half-width was" in reason
    assert set(load_campaigns(folder)["ended"]) == {"precision"}


def test_a_campaign_continues_by_the_rule_it_started_with(fakes):
    """In older plans there is no `more_blocks`, and ten blocks are enough."""
    plan = make_plan(fakes, precision=0.02)
    old = layout.Precision(0.02, "q")
    rows = rows_of(*[(10, 10), (10.1, 10)] * 15)
    for blocks, enough in (
        (9, (False, False)),
        (10, (True, False)),
        (30, (True, True)),
    ):
        for rule, is_enough in zip((old, plan.precision), enough, strict=True):
            reason = plan_module.why_enough(
                dataclasses.replace(plan, precision=rule), rows[: 2 * blocks], 0.0
            )
            assert bool(reason) is is_enough, (blocks, rule)


def test_a_budget_is_in_minutes_and_includes_all_sessions(fakes):
    plan = make_plan(fakes, budget=10)
    assert plan_module.why_enough(plan, [], 599.9) == ""
    assert "budget of 10 minutes is used up" in plan_module.why_enough(plan, [], 600.0)
    assert plan_module.why_enough(make_plan(fakes), [], 1e9) == ""


def test_a_budget_ends_a_campaign_between_blocks(run, made_up, monkeypatch):
    """It is used up in the middle of the first block, which is still completed."""
    clock = types.SimpleNamespace(now=1000.0)
    fake = types.SimpleNamespace(monotonic=lambda: clock.now)
    monkeypatch.setattr(campaign, "time", fake)

    def seconds(block, arm):
        clock.now += 100.0
        return 10.0

    made_up(seconds)
    folder = run(blocks=50, budget=5, began=clock.now - 10.0)
    end = read(folder, "end.json")
    assert end["complete"]
    assert end["reason"] == "the budget of 5 minutes is used up"
    assert [x["block"] for x in reading.read_rows(folder)] == [0, 0, 1, 1]


# --- progress


def row_of(block, position, seconds, state="ok"):
    facts = {"block": block, "position": position, "process_seconds": seconds}
    facts["epochs"] = 2
    return complete(1, PYTHONS[position - 1], state=state, **facts)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        # Left: one run of the warm-up and two of each block, of 200 s on average.
        ({}, "about 10 min 00 s to go"),
        ({"precision": layout.Precision(0.02, "")}, "at most 10 min 00 s to go"),
        # 30 of 36 minutes were used before, and 5 in this session.
        ({"budget": 36}, "about 1 min 00 s to go"),
        ({"budget": 34}, "about 0 s to go"),
        ({"budget": 60}, "about 10 min 00 s to go"),
    ],
)
def test_how_long_the_rest_takes(fakes, monkeypatch, settings, words):
    clock = iter([100.0, *[400.0] * 9])
    monkeypatch.setattr(
        progress, "time", types.SimpleNamespace(monotonic=clock.__next__)
    )
    shown = progress.Progress()
    rows = []
    chosen = {"arms": PYTHONS, "blocks": 2, "budget": settings.get("budget")}
    plan = dataclasses.replace(
        make_plan(fakes, **chosen), precision=settings.get("precision")
    )
    shown.begin([(plan, rows)], spent=1800.0)
    assert shown.to_go_text() == ""
    # An interrupted run still has to be done.
    rows += [row_of(0, 1, 90.0), row_of(0, 2, 9.0, "interrupted")]
    rows += [row_of(0, 2, 210.0), row_of(1, 1, 300.0)]
    assert shown.to_go_text() == words
    rows += [row_of(1, 2, 200.0), row_of(2, 1, 200.0), row_of(2, 2, 200.0)]
    assert shown.to_go_text() == ""


def test_one_arm_has_no_ratio(fakes, run, made_up, capfd):
    made_up(lambda *_: 10.0)
    for kind in ("lines", "compact"):
        folder = run(kind, arms=("python",), progress=kind)
        assert "1.000" not in capfd.readouterr().out
        assert "1.000" not in report.show_text(folder).replace("0.500", "")


def test_a_log_sees_a_line_per_run_and_one_per_block(run, made_up, capfd):
    made_up(lambda *_: 10.0)
    run(blocks=2, progress="lines")
    lines = capfd.readouterr().out.splitlines()
    told = [x for x in lines if x.startswith(("warm-up", "block"))]
    assert [x.split("  ")[0] for x in told] == [
        *["warm-up"] * 2,
        *["block 1 of 2"] * 2,
        *["block 2 of 2"] * 2,
    ]
    assert all("100.0 s, fit  10.00 s, loss 0.2500" in x for x in told)
    ratios = [x for x in lines if "python-again/python: 1.000" in x]
    assert ratios[0].endswith("about 3 min 20 s to go")
    assert ratios[1].endswith("so far")


def test_a_notebook_sees_a_line_per_block(run, made_up, capfd):
    made_up(lambda *_: 10.0)
    run(blocks=2, progress="compact")
    lines = capfd.readouterr().out.splitlines()
    blocks = [x for x in lines if x.startswith(("warm-up", "block"))]
    assert blocks[0].startswith("warm-up        python")
    assert "(" not in blocks[0]
    assert [x[:12] for x in blocks[1:]] == ["block 1 of 2", "block 2 of 2"]
    assert blocks[2].count("10.00 s") == 2
    assert blocks[2].endswith("  (fit, python-again/python: 1.000 [1.000, 1.000])")


def test_a_line_of_a_block_has_no_run_that_crashed(fakes, capfd):
    rows = [row_of(1, 1, 9.0, "crashed"), row_of(1, 2, 9.0) | {"fit_seconds": 5.0}]
    shown = progress.Compact()
    shown.begin([(make_plan(fakes, arms=PYTHONS, blocks=1), rows)])
    shown.end_run(rows[1])
    assert capfd.readouterr().out == "block 1 of 1   python-again 5.00 s\n"


def test_a_notebook_is_told_which_run_is_in_progress(run, made_up):
    """The kernel's status line says so, and is empty afterwards."""
    told = []
    made_up(lambda *_: told.append(running.doing) or 10.0)
    run(blocks=1, progress="compact")
    assert told[0].startswith("warm-up, python")
    assert re.fullmatch(r"block 1 of 1, python(-again)?; about .* to go", told[-1])
    assert running.doing == ""


def test_a_terminal_sees_where_a_campaign_is(run, made_up):
    made_up(lambda *_: 10.0)
    screen = io.StringIO()
    shown = progress.Live(Console(file=screen, force_terminal=True, width=120))
    run(blocks=2, progress=shown)
    text = screen.getvalue()
    assert "block 2 of 2, python" in text
    assert "3/6" in text and "5 min 00 s to go" in text
    # No thread draws it, because that would use the processors during a run.
    assert not shown._bar.live.auto_refresh


def test_a_progress_that_is_unknown(run):
    with pytest.raises(ValueError, match="expected one of live, lines"):
        run(progress="loud")


# --- sharing


def test_a_contributed_copy_names_nobody(fakes, run, monkeypatch):
    monkeypatch.setenv("USER", "ada-l")
    monkeypatch.setattr("socket.gethostname", lambda: "engine.example.org")
    fakes.training(
        3,
        "import sys; sys.exit('/home/ada-l/fruits/Kiwi/1.jpg of ada-l on "
        "engine.example.org, C:\\\\Users\\\\ada-l\\\\x.jpg; see https://keras.io/api/')",
    )
    shared = fakes.folder / "shared"
    target = contribute(run("of-ada-l"), shared)
    assert target.name == f"contributed-of-x-{read(target, 'machine.json')['id']}"
    message = load_campaigns(target)["message"][2]
    assert message.endswith("1.jpg of ... on ..., x.jpg; see https://keras.io/api/")
    assert set(os.listdir(target)) == set(layout.SHARED)
    text = "".join(x.read_text() for x in target.iterdir())
    for word in ("ada-l", "engine", "/home", str(fakes.folder), sys.prefix):
        assert word not in text, word
    with pytest.raises(WrongPlan, match="already exists"):
        contribute(fakes.campaigns / "of-ada-l", shared)
    named = contribute(fakes.campaigns / "of-ada-l", shared, name="reference-cpu")
    assert set(load_campaigns(named)["campaign"]) == {"reference-cpu"}


def test_a_campaign_that_cannot_be_cleaned_is_not_shared(fakes, run, monkeypatch):
    folder = run()
    monkeypatch.setattr(sharing, "clean", lambda text, secrets: text)
    monkeypatch.setattr(sharing, "_secrets", lambda *_: ["randomised"])
    with pytest.raises(NotClean, match=r"'randomised' in plan\.json"):
        contribute(folder, fakes.folder / "shared")
    assert not (fakes.folder / "shared").exists()


# --- the machine


def test_the_machine_has_an_anonymous_name_that_stays():
    found = machine.describe_machine()
    assert found["id"] == machine.machine_id() == machine.machine_id()
    assert len(found["id"]) == 12
    assert found["cpu"]["usable"] >= 1
    assert found["packages"]["keras"]
    json.dumps(found)


def test_a_busy_machine_is_reported(fakes, monkeypatch):
    monkeypatch.setattr(machine, "load_average", lambda: 0.4)
    monkeypatch.setattr(machine, "_usable_cores", lambda: 2)
    monkeypatch.setattr(machine, "_others_at_work", list)
    monkeypatch.setattr(machine, "_on_battery", lambda: False)
    monkeypatch.setattr(machine, "LEAST_MEMORY_GB", 0.0)
    assert machine.busy_findings() == []
    monkeypatch.setattr(machine, "load_average", lambda: 0.6)
    monkeypatch.setattr(machine, "_others_at_work", lambda: [("stress", 1.5)])
    monkeypatch.setattr(machine, "_on_battery", lambda: True)
    monkeypatch.setattr(machine, "LEAST_MEMORY_GB", 1e6)
    found = machine.busy_findings()
    assert len(found) == 4
    for words in ("minute was 0.60 on 2 cores", "stress 150%", "GB of mem", "battery"):
        assert words in "; ".join(found)


def test_the_folder_may_be_a_relative_path(run, tmp_path, monkeypatch):
    """The programs run in another folder, that of their notebook."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    folder = run(directory="../there")
    assert folder == tmp_path.resolve() / "there" / "one"
    assert [row["state"] for row in reading.read_rows(folder)] == ["ok"] * 4
    monkeypatch.chdir(tmp_path)
    assert resume_campaign("there/one", progress="none") == folder


def test_a_battery_is_reported_and_a_missing_one_is_no_error(monkeypatch):
    def sensors_battery():
        if isinstance(plugged, Exception):
            raise plugged
        return types.SimpleNamespace(power_plugged=plugged)

    monkeypatch.setattr(
        machine.psutil, "sensors_battery", sensors_battery, raising=False
    )
    for plugged in (False, True, None, FileNotFoundError()):
        assert machine._on_battery() is (plugged is False)
    monkeypatch.delattr(machine.psutil, "sensors_battery")
    assert not machine._on_battery()


def test_other_processes_at_work_are_seen(fakes, monkeypatch):
    """Other processes count if they use more than a tenth of a processor."""
    shares = {1: 50.0, 2: 9.0, 3: 150.0, 4: None, os.getpid(): 100.0, 6: 11.0, 7: 20.0}
    looks = []

    def process_iter(attributes):
        looks.append(attributes)
        first = len(looks) % 2
        for pid, share in shares.items():
            info = {"name": f"p{pid}", "cpu_percent": 0.0 if first else share}
            yield types.SimpleNamespace(pid=pid, info=info)

    monkeypatch.setattr(machine.psutil, "process_iter", process_iter)
    assert machine._others_at_work() == [("p3", 1.5), ("p1", 0.5), ("p7", 0.2)]
    for pid in (1, 3, 7):
        del shares[pid]
    assert machine._others_at_work() == [("p6", 0.11)]


def test_counters_of_disturbances_are_read(tmp_path, monkeypatch):
    (tmp_path / "cpu0" / "thermal_throttle").mkdir(parents=True)
    (tmp_path / "cpu0" / "thermal_throttle" / "core_throttle_count").write_text("3\n")
    read_ = machine._read
    limits = "nr_periods 5\nnr_throttled 2\nthrottled_usec 7"
    monkeypatch.setattr(machine, "_SYSTEM", tmp_path)
    monkeypatch.setattr(
        machine, "_read", lambda path: limits if "cgroup" in str(path) else read_(path)
    )
    found = {
        "swap_memory": types.SimpleNamespace(sin=10, sout=20),
        "cpu_times": types.SimpleNamespace(steal=4.0),
    }
    for name, value in found.items():
        monkeypatch.setattr(machine.psutil, name, lambda value=value: value)
    known = {"stolen": 4.0, "throttled": 3, "limited": 2, "swapped": 30}
    assert machine.counters() == known


def test_disturbances_follow_from_the_counters(monkeypatch):
    before = dict.fromkeys(("stolen", "throttled", "limited", "swapped"), 0.0)
    after = dict(before)
    monkeypatch.setattr(machine, "counters", lambda: after)
    after["stolen"] = 0.004 * 100.0 * os.cpu_count()
    assert machine.disturbances(before, 100.0) == []
    after.update(dict.fromkeys(before, 50.0 * os.cpu_count()))
    found = machine.disturbances(before, 100.0)
    assert len(found) == 4
    for words in ("took 50.0% of the processors", "by heat", "limit", "MB were swap"):
        assert words in "; ".join(found)


# --- the command


def test_the_command_shows_and_contributes(fakes, run, capfd):
    folder = run()
    assert main(["show", str(folder)]) == 0
    shown = capfd.readouterr().out
    assert "python-again over python, fit:" in shown
    assert "All 4 runs are ok." in shown
    assert main(["contribute", str(folder), "--to", str(fakes.folder / "to")]) == 0
    assert "git add data/timings/contributed-one-" in capfd.readouterr().out
    assert main(["show", str(fakes.folder)]) == 1
    assert "without runs.csv, expected a campaign" in capfd.readouterr().err


@pytest.mark.parametrize("digits", ["\uff11", "\u0663", "\u00b2", "x"])
@pytest.mark.parametrize("name", ["blocks", "seed", "precision", "timeout"])
def test_numbers_have_the_digits_of_files(capfd, name, digits):
    with pytest.raises(SystemExit):
        main(["run", f"--{name}", digits])
    assert f"--{name}: invalid" in capfd.readouterr().err


def test_a_campaign_starts_with_its_process():
    age = time.time() - psutil.Process().create_time()
    assert age > 0.1
    assert time.monotonic() - timing_main._began() == pytest.approx(age, rel=0.5)
